"""The confusion matrix whose cells list their test images: which images the page holds, and what it shows of each.

A cell off the diagonal lists all its images, a cell on the diagonal its least confident images. Limits on images, bars
and cells keep the page small enough to open at once; the text says if a limit applies.
"""

import io
from math import ceil, isqrt
from typing import Any

import numpy as np
from PIL import Image

from stages.render.document import Explorer, Illustration, line
from stages.render.results import Results

MOST_CORRECT = 20  # correct images of each class
MOST_IMAGES = 1_500
MOST_PIXELS = 1_200_000  # of all images together: 1,500 images of 28x28
MOST_CLASSES = 40  # along a side of the matrix
MOST_BARS = 10  # of an image, beside the bar of its true class


def explorer(results: Results, figure: Illustration) -> Explorer:
    """Return the matrix of replicate 0 with its images, most confident first, ties in their order.

    `figure` is this matrix without its images.
    """
    probabilities, (images, labels) = results.probabilities[0], results.test
    height, width = images.shape[1:]
    counts = results.metrics["confusion"][0]
    listed = of_cells(probabilities, labels)
    kept = np.sort(listed[: max(1, min(MOST_IMAGES, MOST_PIXELS // (height * width)))])
    kept = kept[np.argsort(-probabilities[kept].max(axis=1), kind="stable")]
    columns = isqrt(len(kept) - 1) + 1
    shown = most_mistaken(counts, MOST_CLASSES)
    return Explorer(
        figure=figure,
        text=_text(results, len(shown), len(listed), len(kept)),
        classes=results.classes,
        shown=shown,
        counts=counts.tolist(),
        levels=levels(counts).tolist(),
        data={
            "classes": [line(name) for name in results.classes],
            "replicates": len(results.probabilities),
            "size": [width, height],
            "columns": columns,
            "tested": len(labels),
            "images": [_entry(results, index) for index in kept],
        },
        sprite=sprite(images[kept], columns),
    )


def of_cells(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the indices of the images that the cells list: the first image of every cell before any second image.

    Mistakes are ordered most confident first, correct images least confident first, ties in their order.
    probabilities: float (n, classes); labels: integer (n,).
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == labels
    cells = labels.astype(np.int64) * probabilities.shape[1] + predicted
    order = np.lexsort((np.where(right, confidence, -confidence), cells))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.searchsorted(cells[order], cells[order])
    listed = np.flatnonzero(~right | (rank < MOST_CORRECT))
    return listed[np.argsort(rank[listed], kind="stable")]


def most_mistaken(counts: np.ndarray, most: int) -> list[int]:
    """Return in ascending order the labels of at most `most` classes: those with the most mistakes from or to them."""
    wrong = counts - np.diag(counts.diagonal())
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most]).tolist()


def levels(counts: np.ndarray) -> np.ndarray:
    """Return the strength of the colour of each cell of a confusion matrix, integer (classes, classes), 0 to 10.

    The strength is the share of the cell in its row. Mistakes are few: off the diagonal, the strength is relative to
    the largest share there. A cell with images has at least 1.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(counts), dtype=bool)
    largest = np.where(diagonal, 1, shares[~diagonal].max(initial=0) or 1)
    return np.ceil(np.round(10 * shares / largest, 9)).astype(np.int64)


def sprite(images: np.ndarray, columns: int) -> bytes:
    """Return images in rows of `columns` as one grey PNG; higher values are darker, as in the figures.

    images: float (n, height, width) in [0, 1], n at least 1.
    """
    count, height, width = images.shape
    rows = ceil(count / columns)
    tiles = np.full((rows * columns, height, width), 255, np.uint8)
    tiles[:count] = np.rint((1 - images) * 255)
    sheet = tiles.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="PNG")
    return file.getvalue()


def _entry(results: Results, index: int) -> dict[str, Any]:
    """Return the data of a test image. Its classes are ordered by probability: the first is the predicted class."""
    probabilities, label = results.probabilities[0, index], int(results.test.labels[index])
    classes = np.argsort(-probabilities, kind="stable").tolist()
    classes = [c for place, c in enumerate(classes) if place < MOST_BARS or c == label]
    return {
        "index": int(index),
        "true": label,
        "agree": int((results.probabilities[:, index].argmax(axis=1) == classes[0]).sum()),
        "classes": classes,
        "probabilities": [round(float(probabilities[c]), 4) for c in classes],
    }


def _text(results: Results, shown: int, listed: int, kept: int) -> str:
    classes, replicates = len(results.classes), len(results.probabilities)
    network = f", predicted by replicate 0 of {replicates}" if replicates > 1 else ""
    text = (
        "Rows are true classes, columns are predicted classes. Choose a cell to list its test images with their "
        f"probabilities{network}. A cell of mistakes lists all its images, a cell of correct images the "
        f"{MOST_CORRECT} least confident. A stronger colour is a larger share of the row: blue is correct, orange is a "
        "mistake."
    )
    if shown < classes:
        text += f" The matrix has the {shown} of {classes} classes with the most mistakes; the filters have all."
    if kept < listed:
        left_out = f"{listed - kept:,} of these {listed:,} images are left out"
        text += f" To keep the page small, {left_out}, the last of each cell."
    return text
