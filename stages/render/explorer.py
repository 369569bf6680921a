"""The confusion matrix whose cells open: which test images it brings along, and what is told of each.

All images of a cell off the diagonal belong to it, and the least certain of a cell on it. A page that a browser opens
at once has no room for more than so many pictures, bars and cells: where these limits bite, the text says so.
"""

import io
import json
from math import ceil, isqrt
from typing import Any

import numpy as np
from PIL import Image

from core.cli.errors import printable
from core.scores import confusion
from stages.render.document import Explorer, Illustration
from stages.render.markdown import isolated
from stages.render.results import Results

RIGHT_ONES = 20  # of each class
MOST_PIXELS = 1_500_000  # of all pictures together: 1,900 of 28x28
MOST_BYTES = 1_500_000  # of their PNG and the data, as they stand in the page: half of what the whole page may have
MOST_CLASSES = 40  # along a side of the matrix
MOST_BARS = 10  # of an image; that of its true class is never left out


def explorer(results: Results, figure: Illustration) -> Explorer:
    """Return the matrix of replicate 0, with its images by falling confidence, ties in their order.

    `figure` is the same matrix without its images.
    """
    asked = of_cells(results.probabilities[0], results.test.labels)
    height, width = results.test.images.shape[1:]
    made = _explorer(results, figure, asked, MOST_PIXELS // (height * width))
    while (excess := size(made) / MOST_BYTES) > 1 and (kept := len(made.data["images"])) > 1:
        made = _explorer(results, figure, asked, int(0.98 * kept / excess))
    return made


def size(made: Explorer) -> int:
    """Return about how many bytes of the page the pictures, in Base64, and the data have."""
    return len(made.sprite) * 4 // 3 + len(json.dumps(made.data))


def _explorer(results: Results, figure: Illustration, asked: np.ndarray, most: int) -> Explorer:
    """Return the matrix with at most `most` of the images `asked` for, the first ones, and with one at least."""
    probabilities, (images, labels) = results.probabilities[0], results.test
    counts = confusion.counts(probabilities.argmax(axis=1), labels, len(results.classes))
    kept = np.sort(asked[: max(1, most)])
    kept = kept[np.argsort(-probabilities[kept].max(axis=1), kind="stable")]
    height, width = images.shape[1:]
    columns = isqrt(len(kept) - 1) + 1
    shown = most_mistaken(counts, MOST_CLASSES)
    return Explorer(
        figure=figure,
        text=_text(results, len(shown), len(asked), len(kept)),
        classes=results.classes,
        shown=shown,
        counts=counts.tolist(),
        levels=levels(counts).tolist(),
        data={
            "classes": [isolated(printable(name)) for name in results.classes],
            "replicates": len(results.probabilities),
            "size": [width, height],
            "columns": columns,
            "tested": len(labels),
            "images": [_entry(results, index) for index in kept],
        },
        sprite=sprite(images[kept], columns),
    )


def of_cells(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the indices of the images that the cells list, the first ones of all cells before the second ones.

    The first of a cell are the most telling: of mistakes the most confident, of right ones the least, ties in their
    order. probabilities: float (n, classes); labels: integer (n,).
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = predicted == labels
    cells = labels.astype(np.int64) * probabilities.shape[1] + predicted
    order = np.lexsort((np.where(right, confidence, -confidence), cells))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.searchsorted(cells[order], cells[order])
    listed = np.flatnonzero(~right | (rank < RIGHT_ONES))
    return listed[np.argsort(rank[listed], kind="stable")]


def most_mistaken(counts: np.ndarray, most: int) -> list[int]:
    """Return at most `most` labels in ascending order, those of the classes with most mistakes from or to them."""
    wrong = counts - np.diag(counts.diagonal())
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most]).tolist()


def levels(counts: np.ndarray) -> np.ndarray:
    """Return from 0 to 10 how strongly to colour each cell of a confusion matrix, integer (classes, classes).

    What counts is the cell's share of its row: on the diagonal as it is, off it relative to the largest one there,
    since mistakes are few. A cell that is not empty has a level of at least 1.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(counts), dtype=bool)
    largest = np.where(diagonal, 1, shares[~diagonal].max(initial=0) or 1)
    return np.ceil(np.round(10 * shares / largest, 9)).astype(np.int64)


def sprite(images: np.ndarray, columns: int) -> bytes:
    """Return images in rows of `columns` as one grey PNG, the higher a pixel the darker, as in the figures.

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
    """Return what is told of a test image; its classes are the likeliest first, so the first is the predicted one."""
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


def _text(results: Results, shown: int, asked: int, kept: int) -> str:
    classes, replicates = len(results.classes), len(results.probabilities)
    network = f", here of replicate 0 of {replicates}" if replicates > 1 else ""
    text = (
        "Rows are true classes, columns predicted ones. Choose a cell to list its test images with their "
        f"probabilities{network}: all of a mistake, and of the right ones the {RIGHT_ONES} least certain of each "
        "class. The stronger a colour, the larger the share of the row: blue is right, orange a mistake."
    )
    if shown < classes:
        text += f" The matrix has the {shown} of {classes} classes with most mistakes; the filters have all."
    if kept < asked:
        text += f" For want of room, {asked - kept:,} of these {asked:,} images are left out, the last of each cell."
    return text
