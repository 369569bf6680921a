"""Read IDX files, the format of the MNIST family, plain or gzip-compressed.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats). Images
are uint8 of 3 dimensions, labels uint8 or int32 of 1 dimension, or of 2 of which the first column counts (QMNIST).
"""

import gzip
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import numpy as np

from core.cli.errors import DataError
from core.config import datasets
from core.config.datasets import Roles
from core.formats import blocks, roles
from core.formats.blocks import Contents
from core.formats.tree import Tree

TYPES = {8: ">u1", 12: ">i4"}
GZIP = b"\x1f\x8b"


def read(tree: Tree, card: datasets.Idx) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""

    def images(tree: Tree, name: str) -> Iterator[np.ndarray]:
        for part in _images(tree, name):
            yield part.swapaxes(1, 2) if card.transpose else part

    return Contents(roles.read(tree, card.files or found(tree), images, _labels))


def found(tree: Tree) -> Roles:
    """Return the files that have the names of MNIST. Raises DataError if some are missing."""
    names = {"train": "train", "test": "t10k"}
    return Roles(
        **{
            f"{split}_{kind}": tree.only(f"{name}-{kind}-idx{dimensions}-ubyte*")
            for split, name in names.items()
            for kind, dimensions in (("images", 3), ("labels", 1))
        }
    )


def _images(tree: Tree, name: str) -> Iterator[np.ndarray]:
    with _opened(tree, name) as (stream, dtype, shape):
        if (dtype, len(shape)) != (">u1", 3) or not 0 < min(shape[1:]) <= max(shape[1:]) <= datasets.LONGEST:
            raise _other(tree, name, "images: uint8 of 3 dimensions", dtype, shape)
        yield from _values(tree, name, stream, dtype, shape)


def _labels(tree: Tree, name: str) -> np.ndarray:
    with _opened(tree, name) as (stream, dtype, shape):
        if len(shape) not in (1, 2):
            raise _other(tree, name, "labels: uint8 or int32 of 1 or 2 dimensions", dtype, shape)
        parts = [np.empty((0, *shape[1:]), dtype), *_values(tree, name, stream, dtype, shape)]
    values = np.concatenate(parts).astype(np.int64)
    return values if values.ndim == 1 else values[:, 0]


@contextmanager
def _opened(tree: Tree, name: str) -> Iterator[tuple[BinaryIO, str, tuple[int, ...]]]:
    """Yield a file behind its header, and its type and shape. Raises DataError if it has another header."""
    with tree.open(name) as file:
        is_gzip = file.read(len(GZIP)) == GZIP
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_gzip else file
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != bytes(2) or magic[2] not in TYPES or not magic[3]:
            expected, got = "a beginning of 00 00 08 or 00 00 0c", magic.hex(" ") or "nothing"
            raise tree.error(name, "no IDX file", "name an IDX file in the card", expected=expected, got=got)
        sizes = stream.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            raise _cut(tree, name, f"a header of {4 + 4 * magic[3]} bytes", str(4 + len(sizes)))
        yield stream, TYPES[magic[2]], struct.unpack(f">{magic[3]}I", sizes)


def _values(tree: Tree, name: str, stream: BinaryIO, dtype: str, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield blocks of whole rows. Never allocates more than a block. Raises DataError unless they fill the shape."""
    count, *row = shape
    width = math.prod(row) * np.dtype(dtype).itemsize
    for start in range(0, count, blocks.rows(row)):
        wanted = min(blocks.rows(row), count - start) * width
        payload = stream.read(wanted)
        if len(payload) < wanted:
            raise _cut(tree, name, f"{count * width} bytes of values", str(start * width + len(payload)))
        yield np.frombuffer(payload, dtype).reshape(-1, *row)
    if stream.read(1):  # gzip checks the checksum only when a read reaches the end of the file
        what = f"longer than an array of the shape {shape}"
        raise tree.error(name, what, "get the file as it was published", expected=f"{count * width} bytes", got="more")


def _cut(tree: Tree, name: str, expected: str, got: str) -> DataError:
    return tree.error(name, "cut short", "get the whole file", expected=expected, got=got)


def _other(tree: Tree, name: str, wanted: str, dtype: str, shape: tuple[int, ...]) -> DataError:
    got = f"{np.dtype(dtype).name} {shape!s:.80}"
    return tree.error(name, "another array", "correct files in the card", expected=wanted, got=got)
