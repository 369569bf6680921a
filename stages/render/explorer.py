"""The confusion matrix whose cells list their test images: which images the page holds, and what it shows of each.

A cell off the diagonal lists all its images, a cell on the diagonal its least confident images. Limits on images, bars
and cells keep the page small enough to open at once; the text says if a limit applies.
"""

import io
from math import ceil, isqrt
from typing import Any

import numpy as np
from PIL import Image

from stages.render.document import Explorer, line
from stages.render.figures.matrices import MOST_WRONG
from stages.render.results import Results, votes

MOST_CORRECT = 20  # correct images of each class
MOST_IMAGES = 1_500
MOST_PIXELS = 1_200_000  # of all images together: 1,500 images of 28x28; in colour they take 1 MB
MOST_SIDE = 96  # of an image; the page shows no larger images
MOST_CLASSES = 40  # along a side of the matrix
MOST_BARS = 10  # of an image, beside the bar of its true class


def explorer(results: Results) -> Explorer:
    """Return the matrix of the ensemble with its images, most confident first, ties in their order."""
    probabilities, (images, labels) = results.together, results.test
    step = ceil(max(images.shape[1:3]) / MOST_SIDE)
    height, width = tile(images[0], step).shape[:2]
    counts = results.metrics["confusion"][-1]
    listed = of_cells(probabilities, labels)
    kept = np.sort(listed[: min(MOST_IMAGES, MOST_PIXELS // (height * width))])
    kept = kept[np.argsort(-probabilities[kept].max(axis=1), kind="stable")]
    across = columns(len(kept))
    shown = most_mistaken(counts, MOST_CLASSES)
    return Explorer(
        text=_text(results, len(shown), len(listed), len(kept), step),
        classes=results.classes,
        shown=shown,
        counts=counts.tolist(),
        levels=levels(counts).tolist(),
        data={
            "classes": [line(name) for name in results.classes],
            "size": [width, height],
            "columns": across,
            "tested": len(labels),
            "images": [_entry(results, index) for index in kept],
        },
        sprite=sprite(np.stack([tile(results.test_images([index])[0], step) for index in kept]), across),
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

    The strength is the share of the cell in its row. Mistakes are few: off the diagonal, MOST_WRONG is the strongest. A
    cell with images has at least 1.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    strongest = np.where(np.eye(len(counts), dtype=bool), 1, MOST_WRONG)
    return np.ceil(np.round(10 * np.minimum(shares / strongest, 1), 9)).astype(np.int64)


def tile(image: np.ndarray, step: int) -> np.ndarray:
    """Return an image as uint8, each square of `step` pixels a side as one pixel.

    image: float (height, width) or (height, width, 3) in [0, 1].
    """
    return np.asarray(Image.fromarray(np.rint(image * 255).astype(np.uint8)).reduce(step))


def columns(images: int) -> int:
    """Return in how many columns a sprite is about square."""
    return isqrt(images - 1) + 1


def sprite(tiles: np.ndarray, columns: int) -> bytes:
    """Return images in rows of `columns`, as one PNG, or as one JPEG if they are in colour.

    tiles: uint8 (n, height, width) or (n, height, width, 3), n at least 1.
    """
    (count, height, width), channels = tiles.shape[:3], tiles.shape[3:]
    rows = ceil(count / columns)
    sheet = np.full((rows * columns, height, width, *channels), 255, np.uint8)
    sheet[:count] = tiles
    sheet = sheet.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
    image, file = Image.fromarray(sheet.reshape(rows * height, columns * width, *channels)), io.BytesIO()
    if channels:  # of photographs, MOST_PIXELS take 2.5 MB as a PNG; this JPEG takes 0.8 MB and looks the same
        image.save(file, format="JPEG", quality=95, subsampling=0)
    else:
        image.save(file, format="PNG")
    return file.getvalue()


def _entry(results: Results, index: int) -> dict[str, Any]:
    """Return the data of a test image. Its classes are ordered by probability: the first is the predicted class.

    Its votes are the classes that the networks predict, each after its number of networks, most first.
    """
    probabilities, label = results.together[index], int(results.test.labels[index])
    of_class = votes(results.probabilities[:, [index]])[0]
    classes = np.argsort(-probabilities, kind="stable").tolist()
    classes = [c for place, c in enumerate(classes) if place < MOST_BARS or c == label]
    voted = np.argsort(-of_class, kind="stable")[: np.count_nonzero(of_class)]
    return {
        "index": int(index),
        "true": label,
        "votes": [[int(of_class[c]), int(c)] for c in voted] if results.replicates > 1 else [],
        "classes": classes,
        "probabilities": [round(float(probabilities[c]), 4) for c in classes],
    }


def _text(results: Results, shown: int, listed: int, kept: int, step: int) -> str:
    classes = len(results.classes)
    voted = " and the votes of the networks" if results.replicates > 1 else ""
    text = (
        f"Choose a cell to list its test images with their probabilities{voted}. Rows are true classes, columns are "
        f"predicted classes. A cell of mistakes (orange) lists all its images, a correct cell (blue) the "
        f"{MOST_CORRECT} least confident. The colour is the share of the row: orange is strongest from "
        f"{MOST_WRONG:.0%}, blue at 100%."
    )
    if shown < classes:
        text += f" The matrix has the {shown} of {classes} classes with the most mistakes; the filters have all."
    return text + limits(listed, kept, "the last of each cell", step)


def limits(listed: int, kept: int, last: str, step: int) -> str:
    """Return how many of the listed images are kept, `last` those that are not, and how small they are shown."""
    left_out = f" To keep the page small, {listed - kept:,} of these {listed:,} images are left out, {last}."
    small = f" The images are shown at 1/{step} of their width and height."
    return left_out * (kept < listed) + small * (step > 1)
