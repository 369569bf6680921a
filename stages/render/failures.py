"""Section 3: which classes the networks fail at, and what they take them for."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.scores import confusion, intervals
from stages.render import look
from stages.render.document import Block, Heading, Illustration, Section, Table
from stages.render.explorer import explorer
from stages.render.figures import matrices
from stages.render.results import Results
from stages.render.wording import MOST_ROWS, count, decimal, interval, of_replicate

# How many pairs of classes are named as the most confused.
PAIRS = 10

# What stands for a score of no images.
NOTHING = "none"


def section(results: Results, render: Render) -> Section:
    counts = matrices_of(results)
    return Section(
        "Where it fails",
        [
            *_confusion(results, counts),
            Heading("Most confused pairs"),
            *_pairs(results, counts),
            Heading("Each class"),
            *_classes(results, counts),
        ],
    )


def matrices_of(results: Results) -> np.ndarray:
    """Return the confusion matrix of each replicate, int64 (replicates, classes, classes)."""
    labels, classes = results.test.labels, len(results.classes)
    return np.stack([confusion.counts(each.argmax(axis=1), labels, classes) for each in results.probabilities])


def most_confused(counts: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return at most `most` pairs of true and predicted class, those with the most images first, none without any.

    counts: float (classes, classes). Pairs of equally many images keep the order of the classes.
    """
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    true, named = np.unravel_index(order, wrong.shape)
    return [(t, n) for t, n in zip(true.tolist(), named.tolist(), strict=True) if wrong[t, n] > 0]


def _confusion(results: Results, counts: np.ndarray) -> list[Block]:
    classes, first = results.classes, counts[0]
    names, network = look.drawable(classes), of_replicate(results)
    size = f"{len(classes)} by {len(classes)} confusion matrix of the test images"
    wrong, images = first.sum() - first.trace(), first.sum()
    text, over = f"{count(wrong)} of {count(images)} test images are classified wrongly.", ""
    if len(counts) > 1:
        mean = counts.sum(axis=(1, 2)).mean() - counts.trace(axis1=1, axis2=2).mean()
        text = (
            f"Of {count(images)} test images, {mean:,.1f} are classified wrongly on average over {len(counts)} "
            f"replicates, and {count(wrong)} by replicate 0, whose images are shown here."
        )
        over = f" Means over {len(counts)} replicates."
    shares = counts.mean(axis=0) / np.maximum(counts[0].sum(axis=1, keepdims=True), 1)
    of_counts = Illustration(
        "confusion_counts.png",
        f"{size}, {count(first.trace())} of {count(images)} on the diagonal",
        "How many images of each class (row) were given each name (column). The diagonal is right and blue; mistakes "
        f"are orange, on a scale of their own. An empty cell has no image.{network}",
        partial(matrices.counts, first, names),
    )
    of_shares = Illustration(
        "confusion_shares.png",
        f"{size}, each row as shares that add up to 1",
        "The same as shares of each row, in colours of the same meaning: the diagonal is the recall of each "
        f"class.{over}",
        partial(matrices.shares, shares, names),
    )
    return [text, Heading("Confusion matrix"), explorer(results, of_counts), of_shares]


def _pairs(results: Results, counts: np.ndarray) -> list[Block]:
    classes, mean, spread = results.classes, counts.mean(axis=0), counts.std(axis=0, ddof=len(counts) > 1)
    pairs, several = most_confused(mean, PAIRS), len(counts) > 1
    if not pairs:
        return ["No test image is taken for another class."]
    form = "{:,.1f}" if several else "{:,.0f}"
    columns = ["true", "taken for", "images", *(["standard deviation"] * several), "share of the true class"]
    rows = [
        [
            classes[true],
            classes[named],
            form.format(mean[true, named]),
            *([f"{spread[true, named]:.1f}"] * several),
            decimal(mean[true, named] / mean[true].sum()),
        ]
        for true, named in pairs
    ]
    text = f"The {len(pairs)} most confused pairs" if len(pairs) > 1 else "The only confused pair"
    return [f"{text}{f', means over {len(counts)} replicates' if several else ''}:", Table(columns, rows)]


def _classes(results: Results, counts: np.ndarray) -> list[Block]:
    """Every class up to MOST_ROWS of them, in their order; of more, those found least often, in that order."""
    classes, scores, several = results.classes, results.metrics["classes"], len(counts) > 1
    actual = counts[0].sum(axis=1)
    hardest_first = sorted(np.flatnonzero(actual).tolist(), key=lambda index: scores[classes[index]]["recall"])
    shown = range(len(classes)) if len(classes) <= MOST_ROWS else hardest_first[:MOST_ROWS]
    cells = _with_intervals(results, counts)
    rows = [[classes[index], count(actual[index]), *cells[index]] for index in shown]
    columns = ["class", "test images", "recall", "precision", "F1"]
    hardest = classes[hardest_first[0]]
    text = (
        "Recall is the share of a class's test images that are given its name, precision the share of the images given "
        "its name that are of the class, F1 the harmonic mean of the two. In brackets the 95 % intervals for the "
        "choice of test images: Wilson's for recall and precision; for F1 Wilson's of the share F1 / (2 - F1), which "
        "is of all images that are of the class or given its name (Lam, Gopal and Qian, 2023). "
    )
    if several:
        columns.append("standard deviation of recall")
        for row, index in zip(rows, shown, strict=True):
            row.append(decimal(scores[classes[index]]["recall_std"]) if actual[index] else NOTHING)
        text += f"Scores are means over {len(counts)} replicates; the last column is how far these differ. "
    text += f"Found least often: {hardest}, recall {decimal(scores[hardest]['recall'])}."
    if len(shown) < len(classes):
        text += f" Of {len(classes)} classes, these are the {len(shown)} found least often."
    return [text, Table(columns, rows)]


def _with_intervals(results: Results, counts: np.ndarray) -> list[list[str]]:
    """Return recall, precision and F1 of each class with their intervals, or that there are no images to score."""
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
