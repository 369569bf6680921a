"""Draw the figures and write the report that a reviewer reads on the git host.

Reads both splits, the class names, the probabilities of the test images and what training and evaluation recorded;
writes the figures as PNG, and report.md, which links to them. Equal inputs give equal bytes.
"""

import json
import os
from pathlib import Path

import numpy as np

from stages import arrays, atomic, command, datasets, params
from stages.render.document import markdown
from stages.render.figures import png
from stages.render.report import Results, build


def main(
    train: Path,
    test: Path,
    classes: Path,
    predictions: Path,
    history: Path,
    training: Path,
    metrics: Path,
    report: Path,
    figures: Path,
) -> None:
    """Draw the figures and write the report."""
    dataset, training_params = params.section(params.Dataset), params.section(params.Train)
    evaluate, render = params.section(params.Evaluate), params.section(params.Render)
    results = Results(
        settings={"dataset.name": dataset.name} | {f"train.{name}": value for name, value in training_params},
        entry=datasets.entry(dataset.name),
        classes=arrays.read_classes(classes),
        train=arrays.read_split(train),
        test=arrays.read_split(test),
        probabilities=arrays.read(predictions / "probabilities.npy", np.float32, 3),
        single=(evaluate.single_image, arrays.read(predictions / "single_image.npy", np.float32, 2)),
        history=np.genfromtxt(history.read_text(encoding="utf-8").splitlines(), delimiter=",", names=True, ndmin=1),
        training=json.loads(training.read_text(encoding="utf-8")),
        metrics=json.loads(metrics.read_text(encoding="utf-8")),
    )
    document = build(results, render)
    for illustration in document.illustrations:
        atomic.write_bytes(figures / illustration.file, png(illustration.draw, render.dpi))
    atomic.write_text(report, markdown(document, Path(os.path.relpath(figures, report.parent)).as_posix()))
    print(f"{len(document.illustrations)} figures; test accuracy {results.metrics['test']['accuracy']:.4f}")


if __name__ == "__main__":
    command.run(main)
