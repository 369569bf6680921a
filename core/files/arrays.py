"""The pipeline's data between stages: arrays as .npy files, a split as a folder of two of them.

Images may be more than memory holds: they are read and written block by block, and what is done with leaves memory.
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

BLOCK = 1 << 22  # bytes of an array that are worked on at once; more of them would not be done any sooner
PICKED = 50  # rows from anywhere in a mapped array that may be in memory at once: up to 2 MiB come with each

Put = Callable[[Sequence[int], np.ndarray], None]


class Split(NamedTuple):
    """images float32 (n, height, width) in [0, 1]; labels uint8 (n,), each an index into the class names."""

    images: np.ndarray
    labels: np.ndarray


def read(path: Path, dtype: type[np.generic], dimensions: int) -> np.ndarray:
    """Return the array of a .npy file, mapped into memory: only the values that are used are read.

    Raises DataError unless the file holds a whole array of that type and number of dimensions, with at least one value.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise records.damaged(path, "not a whole .npy file", "an array", f"{error!s:.200}") from error
    if array.dtype != dtype or array.ndim != dimensions:
        expected, got = f"{np.dtype(dtype)} of {dimensions} dimensions", f"{array.dtype} {array.shape}"
        raise records.damaged(path, "not the array that this stage reads", expected, got)
    return array


def parse(data: bytes) -> np.ndarray:
    """Return the array that the bytes of a .npy file hold. Raises ValueError if they are damaged."""
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except EOFError as error:
        raise ValueError("an empty file") from error


def blocks(array: np.ndarray, size: int | None = None) -> Iterator[np.ndarray]:
    """Yield an array in pieces of `size` rows, the last perhaps of fewer; without a size, of about BLOCK bytes.

    Each piece leaves memory when the next is asked for, where the array is mapped.
    """
    size = size or max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), size):
        yield array[start : start + size]
        release(array)


def pick(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows of an array that have these indices, integer (m,), in their order.

    Where the array is mapped, it takes next to no memory even meanwhile: with a row come others that lie around it.
    """
    picked = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(rows), PICKED):
        some = slice(start, start + PICKED)
        picked[some] = array[rows[some]]
        release(array)
    return picked


def release(array: np.ndarray) -> None:
    """Give back the memory that a mapped array takes by now; its values are read from the file again where needed."""
    mapped = getattr(array, "_mmap", None)  # numpy has no other way to it, least of all from a slice
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def ends(array: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest value; both are NaN where there is a NaN."""
    found = [(block.min(), block.max()) for block in blocks(array)]
    return float(np.min(found)), float(np.max(found))


@contextmanager
def replacing(path: Path, shape: Sequence[int], dtype: type[np.generic]) -> Iterator[Put]:
    """Yield `put(place, values)`, which writes values one after the other from that place of a new array on.

    The array appears at `path` as .npy when the `with` block has ended well, and until then nothing does; what was not
    put is 0. Written and not mapped, so that a full disk is an OSError and not the end of the process.
    """
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise ValueError("Object arrays cannot be saved: what they hold is elsewhere in memory")
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind.str, "fortran_order": False, "shape": tuple(shape)})
        start = file.tell()

        def put(place: Sequence[int], values: np.ndarray) -> None:
            first = sum(index * math.prod(shape[axis + 1 :]) for axis, index in enumerate(place))
            file.seek(start + first * kind.itemsize)
            file.write(np.ascontiguousarray(values, kind).data)

        yield put
        file.truncate(start + math.prod(shape) * kind.itemsize)


def write(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy.

    Raises ValueError for an array of objects, OSError naming the path where it can't be written whole.
    """
    with replacing(path, array.shape, array.dtype.type) as put:
        put((0,), array)


def read_split(folder: Path, classes: int = MOST_CLASSES) -> Split:
    """Return the images and labels of a folder, mapped into memory; to check them takes reading them once, in blocks.

    Raises DataError where they do not fit together, a pixel is not in [0, 1] or no number, or a label is not one of
    that many classes.
    """
    images_path, labels_path = folder / "images.npy", folder / "labels.npy"
    split = Split(read(images_path, np.float32, 3), read(labels_path, np.uint8, 1))
    if len(split.images) != len(split.labels):
        expected, got = f"{len(split.images)} labels, one for each image", str(len(split.labels))
        raise records.damaged(folder, "images and labels differ in number", expected, got)
    low, high = ends(split.images)
    if not (low >= 0 and high <= 1):
        raise records.damaged(images_path, "not pixels", "0 <= x <= 1", f"{low:g} to {high:g}")
    if (highest := int(split.labels.max())) >= classes:
        raise records.damaged(labels_path, "a label without a class", f"0 to {classes - 1}", str(highest))
    return split


@contextmanager
def replacing_split(
    folder: Path, shape: Sequence[int], images: Iterable[np.ndarray], labels: np.ndarray
) -> Iterator[None]:
    """Write images.npy, of that shape, from blocks of it, and labels.npy; neither appears unless the `with` block ends
    well.
    """
    with (
        replacing(folder / "images.npy", shape, np.float32) as put_images,
        replacing(folder / "labels.npy", labels.shape, np.uint8) as put_labels,
    ):
        put_labels((0,), labels)
        start = 0
        for block in images:
            put_images((start,), block)
            start += len(block)
        yield


def write_split(folder: Path, split: Split) -> None:
    """Write images.npy and labels.npy."""
    with replacing_split(folder, split.images.shape, [split.images], split.labels):
        pass
