"""Images and labels: what is wrong with them, and their pixels brought to [0, 1]."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.arrays import Split
from stages.command import DataError, Problem


def scale(images: np.ndarray) -> np.ndarray:
    """Return uint8 images as float32 in [0, 1]: divided by 255, each quotient correctly rounded."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def check_images(images: np.ndarray, path: Path, *, shape: tuple[int, int]) -> None:
    """Raise DataError unless there are images, of that height and width, that show something."""
    if images.shape[1:] != shape or not len(images):
        raise _wrong(path, "not the images of datasets.yaml", f"(n, {shape[0]}, {shape[1]}), n >= 1", f"{images.shape}")
    if images.min() == images.max():
        raise _wrong(path, "every pixel of every image is the same", "pictures", f"only the value {images.min()}")


def check_labels(labels: np.ndarray, path: Path, *, images: int, classes: Sequence[str]) -> None:
    """Raise DataError unless there is a label for each image, each names a class, and each class has an image."""
    if len(labels) != images:
        raise _wrong(path, "images and labels differ in number", f"{images} labels", str(len(labels)))
    beyond = np.flatnonzero(labels >= len(classes))
    if len(beyond):
        first = beyond[0]
        raise _wrong(path, f"label {first} is out of range", f"0 to {len(classes) - 1}", str(labels[first]))
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        missing = classes[int(counts.argmin())]
        raise _wrong(path, f"no image of class {missing}", "at least one of each class", f"counts {counts.tolist()}")


def summary(name: str, split: Split, classes: Sequence[str]) -> str:
    """Return shape, type and range of a split, and its images per class, as lines to read."""
    images, labels = split
    counts = np.bincount(labels, minlength=len(classes))
    per_class = ", ".join(f"{count} {of}" for of, count in zip(classes, counts, strict=True))
    first = f"{name}: {images.shape} {images.dtype} in [{images.min():g}, {images.max():g}]"
    return "\n".join([first, *textwrap.wrap(per_class, 76, initial_indent="  ", subsequent_indent="  ")])


def _wrong(path: Path, what: str, expected: str, got: str) -> DataError:
    fix = "bring other archives, or correct the entry in datasets.yaml, then dvc repro"
    return DataError(Problem(str(path), what, fix, expected, got))
