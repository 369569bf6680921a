"""The errors of each class, and the classes that are confused with each other."""

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

LARGE = 5  # inches, the height of a matrix of many classes
NAME = 8.7  # the width of a name in the title, in multiples of the font size


def figure(results: Results, height: float = style.HEIGHT, file: str = "confusion.png") -> Illustration:
    """Show the confusion matrix of the ensemble."""
    counts, names = results.metrics["confusion"][-1], style.drawable(results.classes)
    classes, images = len(names), count(len(results.test.labels))
    title = "No class is confused with another class"
    if pairs := most_confused(counts, 1):
        [(true, predicted)] = pairs
        share = style.percent(counts[true, predicted] / counts[true].sum())
        true_name, name = (style.cut(names[label], NAME) for label in pairs[0])
        title = f"{true_name} is taken for {name}, {share} of its images"
    return Illustration(
        file,
        f"{classes} by {classes} confusion matrix of the {results.predictor}, {count(counts.trace())} of {images} test "
        f"images on the diagonal. {title}",
        "",
        partial(matrices.confusion, counts, names, height),
        title,
        f"colour: share of the row; {results.predictor}, {images} test images",
    )


def section(results: Results, render: Render) -> Section:
    counts = results.metrics["confusion"][-1]
    wrong, images = counts.sum() - counts.trace(), counts.sum()
    large = [figure(results, LARGE, "confusion_large.png")] if len(results.classes) > matrices.VALUED_CLASSES else []
    text = f"{count(wrong)} of {count(images)} test images are misclassified ({results.predictor})."
    return Section(
        "Errors by class",
        [
            text,
            *large,
            explorer(results),
            Heading("Most confused pairs"),
            *_pairs(results, counts),
            Heading("Scores of each class"),
            *_classes(results),
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


def _pairs(results: Results, counts: np.ndarray) -> list[Block]:
    classes, pairs = results.classes, most_confused(counts, PAIRS)
    if not pairs:
        return ["No class is confused with another class."]
    rows = [
        [
            classes[true],
            classes[predicted],
            count(counts[true, predicted]),
            decimal(counts[true, predicted] / counts[true].sum()),
        ]
        for true, predicted in pairs
    ]
    return [Table(["true class", "predicted as", "images", "share of the true class"], rows)]


def _classes(results: Results) -> list[Block]:
    """Show all classes in their order if they are at most MOST_ROWS, otherwise those with the lowest recall."""
    classes, scores, counts = results.classes, results.metrics["classes"], results.metrics["confusion"][:-1]
    actual, several = counts[0].sum(axis=1), results.replicates > 1
    lowest_first = sorted(np.flatnonzero(actual).tolist(), key=lambda index: scores[classes[index]]["recall"])
    shown = range(len(classes)) if len(classes) <= MOST_ROWS else lowest_first[:MOST_ROWS]
    cells = _with_intervals(results, counts)
    rows = [[classes[index], count(actual[index]), *cells[index]] for index in shown]
    columns = ["class", "test images", "recall", "precision", "F1"]
    lowest = classes[lowest_first[0]]
    text = (
        "Recall is the share of a class that is predicted as this class. Precision is the share of the images "
        "predicted as a class that belong to it. F1 is their harmonic mean. Brackets hold Wilson's 95 % intervals, for "
        "F1 by way of F1 / (2 - F1) (Lam, Gopal and Qian, 2023). "
    )
    if several:
        columns.append("standard deviation of recall")
        for row, index in zip(rows, shown, strict=True):
            row.append(decimal(scores[classes[index]]["recall_std"]) if actual[index] else NOTHING)
        text += f"All are means over {results.replicates} networks. "
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
