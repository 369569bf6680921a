"""The pipeline's data between stages: arrays as .npy files, a split as a folder of two of them, class names as JSON."""

import math
import os
import re
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

import numpy as np
from pydantic import Field

from stages import atomic, records

# The bytes of a .npy file of version 1.0 before its values (NEP 1), exactly as numpy writes them: read by what they
# say, never evaluated as the Python text that they are.
_MAGIC = b"\x93NUMPY\x01\x00"
_MOST_HEADER_BYTES = 1024
_SIZE = rb"(?:0|[1-9][0-9]{0,18})"
_HEADER = re.compile(
    rb"\{'descr': '(?P<type>[<>|][A-Za-z][0-9]{0,4})', 'fortran_order': (?P<by_column>True|False), "
    rb"'shape': \((?P<shape>|%(size)s,|%(size)s(?:, %(size)s){1,31})\), \} *\n" % {b"size": _SIZE}
)

MOST_CLASSES = 256  # as many as a label, a byte, can tell apart


class Split(NamedTuple):
    """images float32 (n, height, width) in [0, 1]; labels uint8 (n,), each an index into the class names."""

    images: np.ndarray
    labels: np.ndarray


def read(path: Path, dtype: type[np.generic], dimensions: int) -> np.ndarray:
    """Return the array of a .npy file, mapped into memory: what is not used is not read, and a header that claims more
    or less than the file holds is refused before anything is allocated.

    Raises DataError unless the file holds an array of that type and number of dimensions, and has at least one value.
    """
    with open(path, "rb") as file:
        header, start = _read_header(file, path)
        shape = tuple(map(int, re.findall(rb"[0-9]+", header["shape"])))
        kind, its_type = np.dtype(dtype), header["type"].decode()
        if its_type != kind.str or len(shape) != dimensions or 0 in shape:
            expected = f"{kind} ({kind.str}) of {dimensions} dimensions, not empty"
            raise records.damaged(path, "another array than this stage works on", expected, f"{its_type} {shape}")
        expected_size, size = start + math.prod(shape) * kind.itemsize, os.fstat(file.fileno()).st_size
        if size != expected_size:
            what = f"not a whole .npy file of shape {shape}"
            raise records.damaged(path, what, f"{expected_size} bytes", f"{size} bytes")
        return np.memmap(file, kind, "r", start, shape, "F" if header["by_column"] == b"True" else "C")


def write(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy.

    Raises ValueError for an array of objects, OSError naming the path where it can't be written whole.
    """
    if array.dtype.hasobject:
        raise ValueError("Object arrays cannot be saved: they would be pickled")
    array = np.ascontiguousarray(array)
    header = np.lib.format.header_data_from_array_1_0(array)
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)  # numpy's own way, by C's streams, is silent when the disk is full at the last bytes


def read_split(folder: Path, classes: int = MOST_CLASSES) -> Split:
    """Return the images and labels of a folder, mapped into memory; to check them takes reading them once.

    Raises DataError where they do not fit together, a pixel is not in [0, 1] or no number, or a label is not one of
    that many classes.
    """
    images_path, labels_path = folder / "images.npy", folder / "labels.npy"
    split = Split(read(images_path, np.float32, 3), read(labels_path, np.uint8, 1))
    if len(split.images) != len(split.labels):
        expected, got = f"{len(split.images)} labels, one for each image", str(len(split.labels))
        raise records.damaged(folder, "images and labels differ in number", expected, got)
    low, high = split.images.min(), split.images.max()  # of numbers and a NaN, both are NaN
    if not (low >= 0 and high <= 1):
        raise records.damaged(images_path, "not pixels", "0 <= x <= 1", f"{low:g} to {high:g}")
    if (highest := int(split.labels.max())) >= classes:
        raise records.damaged(labels_path, "a label without a class", f"0 to {classes - 1}", str(highest))
    return split


def write_split(folder: Path, split: Split) -> None:
    """Write images.npy and labels.npy."""
    write(folder / "images.npy", split.images)
    write(folder / "labels.npy", split.labels)


# The lengths also make pydantic look at the characters: lone surrogates can't be written.
Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=MOST_CLASSES)
]


def read_classes(path: Path) -> list[str]:
    """Return the class names, in the order of the labels. Raises DataError for anything but a list of names."""
    return records.read_json(path, Names)


def _read_header(file: BinaryIO, path: Path) -> tuple[re.Match[bytes], int]:
    """Return what a header says, and where the values start."""
    beginning = file.read(len(_MAGIC) + 2)
    length = int.from_bytes(beginning[len(_MAGIC) :], "little")
    text = file.read(min(length, _MOST_HEADER_BYTES + 1))
    header = _HEADER.fullmatch(text)
    if not beginning.startswith(_MAGIC) or len(text) != length or not header:
        got = f"a beginning of {(beginning + text)[:100]!r}" if beginning else "an empty file"
        raise records.damaged(path, "not a .npy file as numpy writes it", "a header of version 1.0", got)
    return header, len(beginning) + length
