"""Section 3: the errors of each class, and the classes that are confused with each other."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.scores import intervals
from stages.render import style
from stages.render.document import MOST_ROWS, Block, Heading, Illustration, Section, Table, count, decimal, interval
from stages.render.explorer import explorer
from stages.render.figures import matrices
from stages.render.results import Results

# The number of most confused pairs in the table.
PAIRS = 10

# A score of no images.
NOTHING = "none"


def section(results: Results, render: Render) -> Section:
    counts = results.metrics["confusion"]
    return Section(
        "Errors by class",
        [
            *_confusion(results, counts),
            Heading("Most confused pairs"),
            *_pairs(results, counts),
            Heading("Scores of each class"),
            *_classes(results, counts),
        ],
    )


def most_confused(counts: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return at most `most` pairs of true and predicted class that have images, those with the most images first.

    counts: float (classes, classes). Pairs with equally many images keep the order of the classes.
    """
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    true, predicted = np.unravel_index(order, wrong.shape)
    return [(t, p) for t, p in zip(true.tolist(), predicted.tolist(), strict=True) if wrong[t, p] > 0]


def _confusion(results: Results, counts: np.ndarray) -> list[Block]:
    classes, first = results.classes, counts[0]
    names, several = style.drawable(classes), len(counts) > 1
    size = f"{len(classes)} by {len(classes)} confusion matrix of the test images"
    wrong, images = first.sum() - first.trace(), first.sum()
    text = f"{count(wrong)} of {count(images)} test images are misclassified."
    if several:
        mean = counts.sum(axis=(1, 2)).mean() - counts.trace(axis1=1, axis2=2).mean()
        text = (
            f"{mean:,.1f} of {count(images)} test images are misclassified on average over {len(counts)} replicates. "
            f"This section shows the images of replicate 0, which misclassifies {count(wrong)}."
        )
    shares = counts.mean(axis=0) / np.maximum(counts[0].sum(axis=1, keepdims=True), 1)
    of_counts = Illustration(
        "confusion_counts.png",
        f"{size}, {count(first.trace())} of {count(images)} on the diagonal",
        "The number of images of each class (row) that were predicted as each class (column). The diagonal is correct "
        f"and blue. Mistakes are orange, on a scale of their own. An empty cell has no images.{results.shown}",
        partial(matrices.counts, first, names),
    )
    of_shares = Illustration(
        "confusion_shares.png",
        f"{size}, each row as shares that add up to 1",
        "The confusion matrix as shares of each row. The diagonal is the recall of each class."
        + f" Means over {len(counts)} replicates." * several,
        partial(matrices.shares, shares, names),
    )
    return [text, Heading("Confusion matrix"), explorer(results, of_counts), of_shares]


def _pairs(results: Results, counts: np.ndarray) -> list[Block]:
    classes, mean, spread = results.classes, counts.mean(axis=0), counts.std(axis=0, ddof=len(counts) > 1)
    pairs, several = most_confused(mean, PAIRS), len(counts) > 1
    if not pairs:
        return ["No class is confused with another class."]
    form = "{:,.1f}" if several else "{:,.0f}"
    columns = ["true class", "predicted as", "images", *(["standard deviation"] * several), "share of the true class"]
    rows = [
        [
            classes[true],
            classes[predicted],
            form.format(mean[true, predicted]),
            *([f"{spread[true, predicted]:.1f}"] * several),
            decimal(mean[true, predicted] / mean[true].sum()),
        ]
        for true, predicted in pairs
    ]
    text = f"The {len(pairs)} most confused pairs" if len(pairs) > 1 else "The only confused pair"
    return [f"{text}{f', means over {len(counts)} replicates' if several else ''}:", Table(columns, rows)]


def _classes(results: Results, counts: np.ndarray) -> list[Block]:
    """Show all classes in their order if they are at most MOST_ROWS, otherwise those with the lowest recall."""
    classes, scores, several = results.classes, results.metrics["classes"], len(counts) > 1
    actual = counts[0].sum(axis=1)
    lowest_first = sorted(np.flatnonzero(actual).tolist(), key=lambda index: scores[classes[index]]["recall"])
    shown = range(len(classes)) if len(classes) <= MOST_ROWS else lowest_first[:MOST_ROWS]
    cells = _with_intervals(results, counts)
    rows = [[classes[index], count(actual[index]), *cells[index]] for index in shown]
    columns = ["class", "test images", "recall", "precision", "F1"]
    lowest = classes[lowest_first[0]]
    text = (
        "Recall is the share of the images of a class that are predicted as this class. Precision is the share of the "
        "images predicted as a class that belong to it. F1 is the harmonic mean of recall and precision. The brackets "
        "hold 95 % intervals for the choice of test images. Recall and precision have Wilson's interval. F1 has "
        "Wilson's interval of the share F1 / (2 - F1) of the images that belong to the class or are predicted as it "
        "(Lam, Gopal and Qian, 2023). "
    )
    if several:
        columns.append("standard deviation of recall")
        for row, index in zip(rows, shown, strict=True):
            row.append(decimal(scores[classes[index]]["recall_std"]) if actual[index] else NOTHING)
        text += f"Scores are means over {len(counts)} replicates. "
    text += f"Lowest recall: {lowest}, {decimal(scores[lowest]['recall'])}."
    if len(shown) < len(classes):
        text += f" The table has the {len(shown)} of {len(classes)} classes with the lowest recall."
    return [text, Table(columns, rows)]


def _with_intervals(results: Results, counts: np.ndarray) -> list[list[str]]:
    """Return recall, precision and F1 of each class with their intervals; NOTHING for a score of no images."""
    mean = counts.mean(axis=0)
    actual, predicted = mean.sum(axis=1), mean.sum(axis=0)
    images = {"recall": actual, "precision": predicted, "f1": actual + predicted - mean.diagonal()}
    columns = []
    for score, of_class in images.items():
        values = np.array([results.metrics["classes"][name][score] for name in results.classes])
        ends = zip(*(intervals.f1 if score == "f1" else intervals.wilson)(values, of_class), strict=True)
        column = [f"{decimal(value)} ({interval(*pair)})" for value, pair in zip(values, ends, strict=True)]
        columns.append([cell if number else NOTHING for cell, number in zip(column, of_class, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]
