"""The pipeline's data between stages: arrays as .npy files, a split as a folder of two of them, class names as JSON."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages import atomic
from stages.command import DataError, Problem


class Split(NamedTuple):
    """images float32 (n, height, width) in [0, 1]; labels uint8 (n,), each an index into the class names."""

    images: np.ndarray
    labels: np.ndarray


def read(path: Path, dtype: type[np.generic], dimensions: int) -> np.ndarray:
    """Return the array of a .npy file, mapped into memory: what is not used is not read, and a header that claims more
    than the file holds is refused before anything is allocated.

    Raises DataError unless the file holds an array of that type and number of dimensions, and has at least one value.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # numpy evaluates the header as Python text: a damaged one may raise about anything
        raise _damaged(path, "not a whole .npy file", "an array", " ".join(str(error).split())) from error
    if array.dtype != dtype or array.ndim != dimensions or array.size == 0:
        expected = f"{np.dtype(dtype)} of {dimensions} dimensions, not empty"
        raise _damaged(path, "another array than this stage works on", expected, f"{array.dtype} {array.shape}")
    return array


def write(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy."""
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def read_split(folder: Path) -> Split:
    """Return the images and labels of a folder, mapped into memory. Raises DataError where they do not fit together."""
    split = Split(read(folder / "images.npy", np.float32, 3), read(folder / "labels.npy", np.uint8, 1))
    if len(split.images) != len(split.labels):
        expected, got = f"{len(split.images)} labels, one for each image", str(len(split.labels))
        raise _damaged(folder, "images and labels differ in number", expected, got)
    return split


def write_split(folder: Path, split: Split) -> None:
    """Write images.npy and labels.npy."""
    write(folder / "images.npy", split.images)
    write(folder / "labels.npy", split.labels)


def read_classes(path: Path) -> list[str]:
    """Return the class names, in the order of the labels. Raises DataError for anything but a list of names."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "not JSON", "a list of names", str(error)) from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise _damaged(path, "not a list of class names", "a list of names", f"{names!r:.40}")
    return names


def _damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    return DataError(Problem(str(path), what, "delete it, then dvc repro, which restores or remakes it", expected, got))
