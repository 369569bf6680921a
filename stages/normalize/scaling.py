"""Scale pixels to [0, 1], and summarize a split."""

import textwrap
from collections.abc import Sequence

import numpy as np

from core.files import arrays
from core.files.arrays import Split


def scale(images: np.ndarray) -> np.ndarray:
    """Return uint8 images divided by 255, as float32 in [0, 1], correctly rounded."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def summary(name: str, split: Split, classes: Sequence[str]) -> str:
    """Return lines to print: the shape, dtype and range of a split, and its images per class."""
    images, labels = split
    counts = np.bincount(labels, minlength=len(classes))
    per_class = ", ".join(f"{count} {of}" for of, count in zip(classes, counts, strict=True))
    low, high = arrays.ends(images)
    first = f"{name}: {images.shape} {images.dtype} in [{low:g}, {high:g}]"
    return "\n".join([first, *textwrap.wrap(per_class, 76, initial_indent="  ", subsequent_indent="  ")])
