"""How many wrong labels `tools.audit` finds: python -m benchmarks.audit [RECIPE]

Replaces 1, 2 and 5 % of the training labels of Fashion-MNIST, chosen at random with a fixed seed, by other classes.
Compares what is found with what was replaced, and measures the tool on the published labels. Writes audit.json,
audit.md and docs/audit.png.
"""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from benchmarks import measure
from core.cli import command
from core.config import params
from core.files import atomic
from core.files.arrays import Split
from stages.render import style
from stages.render.style import Figure
from tools import scratch
from tools.audit import cross_validation, findings, reading

DATASET = "fashion_mnist"
SHARES = (0.01, 0.02, 0.05)
FIRST = 100  # findings whose precision is measured, and the first points of a curve
POINTS = 60  # of a curve
FIGURE = scratch.CHECKOUT / "docs" / "audit.png"
RANKINGS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
FILTERS = ["low_self_confidence", "prune_by_class", "both", "prune_by_noise_rate", "low_normalized_margin"]
FILTERS += ["confident_learning", "predicted_neq_given"]


def main(recipe: str = "") -> None:
    """Measure the audit with the committed params, or with a recipe, and write the results."""
    results = json.loads((measure.RESULTS / "audit.json").read_text(encoding="utf-8"))
    os.environ["DATASET_MIRROR"] = str(measure.archives(DATASET).parent)
    arguments = ["-m", "tools.audit", DATASET, *([f"--recipe={recipe}"] if recipe else [])]
    tool = measure.run([measure.PYTHON, *arguments], scratch.CHECKOUT)
    settings = reading.with_recipe(params.section(params.Train), recipe)
    with reading.reading(DATASET, scratch.CHECKOUT / "build" / "bench" / DATASET) as pictures:
        levels = {str(share): level(share, pictures, settings) for share in SHARES}
    row = {"seconds": round(tool.seconds, 1), "peak_mb": round(tool.peak_mb), "levels": levels}
    row |= {"images": sum(len(split.labels) for split in pictures.splits.values()), "machine": measure.machine()}
    results[recipe or "R1"] = row
    atomic.write_bytes(FIGURE, style.png(lambda: draw(results), 100, "Labels of Fashion-MNIST that were replaced"))
    measure.write("audit", results, page(results))


def level(share: float, pictures: reading.Pictures, settings: params.Train) -> dict[str, Any]:
    """Return what is found if a share of the training labels is wrong."""
    images, published = pictures.splits["train"]
    labels, replaced = replace(published, share, len(pictures.classes))
    settings = cross_validation.settings_for(len(labels), settings)
    splits = {"train": Split(images, labels)}
    probabilities = cross_validation.predict(splits, pictures.classes, settings, lambda *_: None)["train"].probabilities
    found = score(findings.wrong_labels(labels, probabilities), replaced)
    every = score(ranked(labels, probabilities, np.ones(len(labels), bool), "self_confidence"), replaced)
    print(f"{share:.0%}: {found['proposed']} proposed, recall {found['recall']}", flush=True)
    return found | {"curve": every["curve"], "others": others(labels, probabilities, replaced)}


def replace(labels: np.ndarray, share: float, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which a share is replaced by other classes, and which are replaced, bool (n,)."""
    random = np.random.RandomState(0)
    rows = random.permutation(len(labels))[: round(share * len(labels))]
    noisy, replaced = labels.astype(np.int64), np.zeros(len(labels), bool)
    noisy[rows] = (noisy[rows] + random.randint(1, classes, len(rows))) % classes
    replaced[rows] = True
    return noisy.astype(np.uint8), replaced


def ranked(labels: np.ndarray, probabilities: np.ndarray, among: np.ndarray, ranking: str) -> np.ndarray:
    """Return the indices of some labels, bool (n,), in the order of a ranking of cleanlab."""
    rows, scores = np.flatnonzero(among), get_label_quality_scores(labels.astype(int), probabilities, method=ranking)
    return rows[np.argsort(scores[rows], kind="stable")]


def score(proposed: np.ndarray, replaced: np.ndarray) -> dict[str, Any]:
    """Return the precision of the first proposals, the recall of all, and the curve of recall and precision."""
    hits = np.cumsum(replaced[proposed])
    at = np.unique(np.geomspace(min(FIRST, len(hits)), min(len(hits), 10_000), POINTS).astype(int))
    return {
        "replaced": int(replaced.sum()),
        "proposed": len(proposed),
        "recall": round(float(hits[-1] / replaced.sum()), 4),
        "first": round(float(hits[at[0] - 1] / at[0]), 4),
        "curve": [[round(float(hits[n - 1] / replaced.sum()), 4), round(float(hits[n - 1] / n), 4)] for n in at],
    }


def others(labels: np.ndarray, probabilities: np.ndarray, replaced: np.ndarray) -> list[dict[str, Any]]:
    """Return how the filters and the rankings of cleanlab do."""
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in FILTERS:
            among = find_label_issues(labels.astype(int), probabilities, filter_by=each, n_jobs=1)
            scores = {name: score(ranked(labels, probabilities, among, name), replaced) for name in RANKINGS}
            rows.append({"filter": each, **{key: scores[RANKINGS[0]][key] for key in ("proposed", "recall")}})
            rows[-1] |= {name: scores[name]["first"] for name in RANKINGS}
    return rows


def draw(results: Mapping[str, Any]) -> Figure:
    """Draw a curve for each share and recipe, with a point at the end of what the tool proposes."""
    figure = style.empty(height=3.4, width=style.WIDE)
    ax = figure.subplots()
    ax.set(xlabel="recall: share of the replaced labels that is found", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    for recipe, line in zip(results, cycle(("-", "--", ":")), strict=False):
        for share, colour in zip(SHARES, (style.FIRST, style.SECOND, style.TOGETHER), strict=True):
            found = results[recipe]["levels"][str(share)]
            ax.plot(*zip(*found["curve"], strict=True), line, color=colour, label=f"{share:.0%} replaced, {recipe}")
            ax.plot(found["recall"], found["recall"] * found["replaced"] / found["proposed"], "o", color=colour)
    ax.legend(loc="lower left")
    return figure


def page(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    columns = ["recipe", "replaced", "proposed", "recall", "precision of all", f"precision of the first {FIRST}"]
    tool = [[recipe, each["images"], each["seconds"], each["peak_mb"]] for recipe, each in results.items()]
    names = ["filter", "proposed", "recall", *(f"first {FIRST} by {name}" for name in RANKINGS)]
    compared = [[*row.values()] for row in next(iter(results.values()))["levels"][str(SHARES[0])]["others"]]
    return (
        f"# Audit\n\nMade by `python -m benchmarks.audit`. {next(iter(results.values()))['machine']}.\n\n"
        f"{measure.table(columns, list(_rows(results)))}\n## The tool\n\n"
        f"{measure.table(['recipe', 'images', 'seconds', 'peak MB'], tool)}\n"
        f"## Filters and rankings of cleanlab, at {SHARES[0]:.0%}\n\n"
        f"{measure.table(names, compared)}"
    )


def _rows(results: Mapping[str, Any]) -> Iterator[list[object]]:
    for recipe, each in results.items():
        for share, found in each["levels"].items():
            precision = found["recall"] * found["replaced"] / found["proposed"]
            replaced = f"{float(share):.0%}: {found['replaced']:,}"
            yield [recipe, replaced, f"{found['proposed']:,}", found["recall"], round(precision, 3), found["first"]]


if __name__ == "__main__":
    command.run(main)
