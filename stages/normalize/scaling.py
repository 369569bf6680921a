"""Images and labels: what is wrong with them, and their pixels brought to [0, 1]."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from stages import arrays
from stages.arrays import Split
from stages.command import DataError, Problem


def scale(images: np.ndarray) -> np.ndarray:
    """Return uint8 images as float32 in [0, 1]: divided by 255, each quotient correctly rounded."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def scaled(blocks: Iterable[np.ndarray], path: Path) -> Iterator[np.ndarray]:
    """Yield blocks of uint8 images scaled. Raises DataError, after the last of them, unless they show something."""
    ends: set[int] = set()
    for block in blocks:
        ends |= {int(block.min()), int(block.max())}
        yield scale(block)
    if len(ends) == 1:
        raise _wrong(path, "every pixel of every image is the same", "pictures", f"only the value {ends.pop()}")


def check_shape(shape: tuple[int, ...], path: Path, *, expected: tuple[int, int]) -> None:
    """Raise DataError unless images of that shape (n, height, width) are of the expected height and width, and some."""
    if shape[1:] != expected or not shape[0]:
        height, width = expected
        raise _wrong(path, "not the images of datasets.yaml", f"(n, {height}, {width}), n >= 1", f"{shape}")


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
    low, high = arrays.ends(images)
    first = f"{name}: {images.shape} {images.dtype} in [{low:g}, {high:g}]"
    return "\n".join([first, *textwrap.wrap(per_class, 76, initial_indent="  ", subsequent_indent="  ")])


def _wrong(path: Path, what: str, expected: str, got: str) -> DataError:
    fix = "bring other archives, or correct the entry in datasets.yaml, then dvc repro"
    return DataError(Problem(str(path), what, fix, expected, got))
