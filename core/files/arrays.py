"""The arrays between stages: .npy files, and a split as a folder of two of them.

An array may be larger than memory. It is read and written in blocks, and each block leaves memory after use.
"""

import io
import math
import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.config.schema import MOST_CLASSES
from core.files import atomic, records

BLOCK = 1 << 22  # bytes of an array to work on at once; larger blocks are no faster
PICKED = 50  # rows to pick before memory is released: reading a row may load up to 2 MiB of its neighbours

RAW = np.uint8  # the type of the images that `download` stores
VALIDATION = "validation"  # the folder of an official validation split, beside the training images

Put = Callable[[Sequence[int], np.ndarray], None]


class Split(NamedTuple):
    """images: float32 (n, height, width) or (n, height, width, 3) in [0, 1]; labels: uint8 (n,), indices into the class
    names.
    """

    images: np.ndarray
    labels: np.ndarray


def read(path: Path, dtype: type[np.generic], *dimensions: int) -> np.ndarray:
    """Map the array of a .npy file into memory, read-only: only the values that are used are read.

    Raises DataError unless the file holds a whole array of this type and one of these numbers of dimensions, with
    values.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # numpy raises many kinds for a damaged header, SyntaxError among them
        raise records.damaged(path, "not a whole .npy file", "an array", f"{error!s:.200}") from error
    if array.dtype != dtype or array.ndim not in dimensions or not array.size:
        expected = f"{np.dtype(dtype)} of {' or '.join(map(str, dimensions))} dimensions, not empty"
        got = f"{array.dtype} {array.shape}"
        raise records.damaged(path, "not the expected array", expected, got)
    return array


def parse(data: bytes) -> np.ndarray:
    """Return the array that the bytes of a .npy file hold. Raises ValueError if they are damaged."""
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except EOFError as error:
        raise ValueError("an empty file") from error


def blocks(array: np.ndarray, size: int | None = None) -> Iterator[np.ndarray]:
    """Yield an array in blocks of `size` rows, by default of about BLOCK bytes; the last block may be smaller.

    A block of a mapped array leaves memory when the next block is requested.
    """
    size = size or max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), size):
        yield array[start : start + size]
        release(array)


def pick(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copy the rows with these indices, integer (m,), in this order, with little memory beside the copy."""
    picked = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(rows), PICKED):
        some = slice(start, start + PICKED)
        picked[some] = array[rows[some]]
        release(array)
    return picked


def release(array: np.ndarray) -> None:
    """Release the memory of a mapped array; values that are used again are read from the file again."""
    mapped = getattr(array, "_mmap", None)  # numpy has no public access to the map of a slice
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def ends(array: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest value; both are NaN if any value is NaN."""
    found = [(block.min(), block.max()) for block in blocks(array)]
    return float(np.min(found)), float(np.max(found))


@contextmanager
def replacing(path: Path, shape: Sequence[int], dtype: type[np.generic]) -> Iterator[Put]:
    """Yield `put(place, values)`, which writes values in C order into a new array, starting at the index `place`.

    The .npy file appears at `path` when the `with` block ends without an error. Values that were not put are 0. The
    file is written, not mapped: so a full disk raises OSError instead of killing the process.
    """
    kind = np.dtype(dtype)
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind.str, "fortran_order": False, "shape": tuple(shape)})
        start = file.tell()

        def put(place: Sequence[int], values: np.ndarray) -> None:
            first = sum(index * math.prod(shape[axis + 1 :]) for axis, index in enumerate(place))
            file.seek(start + first * kind.itemsize)
            file.write(np.ascontiguousarray(values, kind).data)

        yield put
        file.truncate(start + math.prod(shape) * kind.itemsize)


@contextmanager
def growing(path: Path, row: Sequence[int], dtype: type[np.generic]) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield `append(rows)`, which adds rows, (n, *row), to a new array.

    The .npy file appears at `path` when the `with` block ends without an error.
    """
    header = {"descr": np.dtype(dtype).str, "fortran_order": False}
    count = 0
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        # numpy pads a header so that the first number of a shape may grow.
        np.lib.format.write_array_header_1_0(file, header | {"shape": (0, *row)})

        def append(rows: np.ndarray) -> None:
            nonlocal count
            file.write(np.ascontiguousarray(rows, dtype).data)
            count += len(rows)

        yield append
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, header | {"shape": (count, *row)})


def write(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy. Raises OSError with the path if the file can't be written."""
    with replacing(path, array.shape, array.dtype.type) as put:
        put((0,), array)


def read_split(folder: Path, classes: int = MOST_CLASSES, dtype: type[np.generic] = np.float32) -> Split:
    """Map the images and labels of a folder into memory, and check each value once.

    dtype: float32, or RAW. Raises DataError if images and labels differ in number, a float pixel is not in [0, 1], or a
    label is not below `classes`.
    """
    images_path, labels_path = folder / "images.npy", folder / "labels.npy"
    split = Split(read_images(images_path, dtype), read(labels_path, np.uint8, 1))
    if len(split.images) != len(split.labels):
        expected, got = f"{len(split.images)} labels, one for each image", str(len(split.labels))
        raise records.damaged(folder, "images and labels differ in number", expected, got)
    low, high = ends(split.images) if dtype is np.float32 else (0, 1)
    if not (low >= 0 and high <= 1):
        raise records.damaged(images_path, "not pixels", "0 <= x <= 1", f"{low:g} to {high:g}")
    if (highest := int(split.labels.max())) >= classes:
        raise records.damaged(labels_path, "a label without a class", f"0 to {classes - 1}", str(highest))
    return split


def read_images(path: Path, dtype: type[np.generic] = np.float32) -> np.ndarray:
    """Map images into memory, (n, height, width) or (n, height, width, 3). Raises DataError for another array."""
    images = read(path, dtype, 3, 4)
    if images.ndim == 4 and images.shape[3] != 3:
        raise records.damaged(path, "not grey values or colours", "(n, height, width, 3)", f"{images.shape}")
    return images


def read_validation(train: Path, classes: int = MOST_CLASSES) -> Split | None:
    """Map the validation split that a publisher provides; it lies in the folder of the training images.

    Returns None if there is none. Raises DataError as `read_split`.
    """
    folder = train / VALIDATION
    return read_split(folder, classes) if folder.exists() else None


@contextmanager
def replacing_split(
    folder: Path, row: Sequence[int], images: Iterable[np.ndarray], labels: np.ndarray
) -> Iterator[None]:
    """Write labels.npy, and images.npy from blocks of images, (n, *row).

    Both files appear when the `with` block ends without an error, and neither otherwise.
    """
    with (
        growing(folder / "images.npy", row, np.float32) as append_images,
        growing(folder / "labels.npy", (), np.uint8) as append_labels,
    ):
        append_labels(labels)
        for block in images:
            append_images(block)
        yield
