"""Draw the figures and write the report, as Markdown for the git host and as HTML for a browser.

Reads the splits, the class names, preparation.json, the predictions, history.csv, training.json, ensemble.json and
metrics.json. Writes the figures as PNG, report.md, which links to the figures, and report.html, which contains them.
Equal inputs give equal bytes.
"""

import os
from pathlib import Path

from core.cli import command
from core.config import params
from core.files import arrays, atomic, class_names, records
from core.files import history as histories
from core.files import preparation as preparations
from core.files import training as trainings
from core.scores import ensemble as ensembles
from core.scores import metrics as reported
from core.sources import datasets
from stages.render.drawing import pngs
from stages.render.figures.samples import white_on_black
from stages.render.html import html
from stages.render.markdown import markdown
from stages.render.report import build
from stages.render.results import Results, measured, read_predictions

# A larger page opens slowly.
MOST_BYTES = 3_000_000


def main(
    train: Path,
    test: Path,
    classes: Path,
    preparation: Path,
    predictions: Path,
    history: Path,
    training: Path,
    ensemble: Path,
    metrics: Path,
    report: Path,
    page: Path,
    figures: Path,
) -> None:
    """Draw the figures and write the report."""
    dataset, training_params = params.section(params.Dataset), params.section(params.Train)
    evaluate, render = params.section(params.Evaluate), params.section(params.Render)
    names = class_names.read(classes)
    trained, tested = (arrays.read_split(folder, len(names)) for folder in (train, test))
    probabilities, alone = read_predictions(predictions, len(tested.labels), len(names))
    results = Results(
        settings={"dataset.name": dataset.name}
        | {f"train.{name}": value for name, value in training_params}
        | {"evaluate.mirrored": evaluate.mirrored, "evaluate.shift": evaluate.shift},
        card=datasets.load(dataset.name),
        classes=names,
        preparation=preparations.read(preparation),
        train=trained,
        validation=arrays.read_validation(train, len(names)),
        test=tested,
        negative=white_on_black(trained.images),
        probabilities=probabilities,
        together=ensembles.average(probabilities),
        single=(evaluate.single_image, ensembles.average(alone)),
        history=records.read(history, histories.parse),
        training=trainings.read(training),
        ensemble=ensembles.read(ensemble),
        metrics=measured(probabilities, tested.labels, names, reported.read(metrics).train),
    )
    document = build(results, render)
    drawn = pngs(document.illustrations, render.dpi)
    for file, data in drawn.items():
        atomic.write_bytes(figures / file, data)
    atomic.write_text(report, markdown(document, Path(os.path.relpath(figures, report.parent)).as_posix()))
    text = html(document, drawn)
    atomic.write_text(page, text)
    if (size := len(text.encode())) > MOST_BYTES:
        print(f"{page.name} has {size / 1e6:.1f} MB and opens slowly: lower render.dpi or render.mistakes")
    if left_out := [index for index in render.examples if index >= len(tested.labels)]:
        numbers = ", ".join(map(str, left_out))
        print(f"render.examples: left out {numbers}, as the test images are 0 to {len(tested.labels) - 1}")
    print(f"{len(drawn)} figures; test accuracy {results.metrics['test']['accuracy']:.4f}")


if __name__ == "__main__":
    command.run(main)
