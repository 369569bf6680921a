"""The tables in reports/ that `dvc plots` draws: predictions.csv, reliability.csv and classes.csv."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from core.scores import calibration
from core.scores.scores import DECIMALS

CONFUSION = ["actual", "predicted"]
RELIABILITY = ["replicate", "confidence", "accuracy", "images"]
CLASSES = ["class", "images", "recall", "recall_std", "precision", "f1"]

# First characters that a spreadsheet does not show as text: signs of a formula, also full-width, and the apostrophe.
NOT_TEXT = tuple("=+-@\uff1d\uff0b\uff0d\uff20'")


def confusion(predictions: Iterable[int], labels: np.ndarray, classes: Sequence[str]) -> Iterator[list[str]]:
    """Yield the actual and the predicted class of each image, of indices into the classes, n each."""
    names = [inert(name) for name in classes]
    for label, predicted in zip(labels, predictions, strict=True):
        yield [names[label], names[predicted]]


def reliability(of_replicates: Sequence[calibration.Reliability]) -> Iterator[list[int | float]]:
    """Yield the bins of confidence that are not empty, replicate by replicate."""
    for replicate, bins in enumerate(of_replicates):
        for images, confidence, accuracy in zip(*bins, strict=True):
            if images:
                yield [replicate, round(float(confidence), DECIMALS), round(float(accuracy), DECIMALS), int(images)]


def classes(of_classes: Mapping[str, Mapping[str, float]], images: Sequence[int]) -> Iterator[list[str | int | float]]:
    """Yield a row for each class: its number of test images, and its scores."""
    for (name, scores), count in zip(of_classes.items(), images, strict=True):
        yield [inert(name), int(count), *(scores[column] for column in CLASSES[2:])]


def recalls(data: bytes) -> dict[str, float]:
    """Return the recall of each class that has test images, from classes.csv. Raises ValueError if it is damaged."""
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8"))) if data else [[]]
    if header != CLASSES or not rows:
        raise ValueError(f"unknown columns {','.join(header):.80}")
    return {original(name): float(recall) for name, images, recall, *_ in rows if int(images)}


def inert(name: str) -> str:
    """Return a name as a cell that no spreadsheet runs as a formula.

    Excel and LibreOffice run a cell that begins with one of these signs; after an apostrophe they show it as text. A
    name that begins with an apostrophe gets another one, so that different names give different cells.
    """
    return f"'{name}" if name.startswith(NOT_TEXT) else name


def original(cell: str) -> str:
    """Return the name that `inert` made into this cell."""
    return cell.removeprefix("'")
