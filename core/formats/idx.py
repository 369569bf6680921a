"""Read IDX files, the format of the MNIST family, plain or gzip-compressed.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats). Labels
may also be int32, and have the 8 columns of QMNIST, of which the first is the digit.
"""

import gzip
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, cast

import numpy as np

from core.formats import paired, roles
from core.formats.blocks import Contents
from core.formats.paired import Array
from core.sources import datasets
from core.sources.tree import Tree

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
GZIP = b"\x1f\x8b"
QMNIST_COLUMNS = 8


def read(tree: Tree, card: datasets.Idx) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""
    contents = paired.read(tree, card.files, _opened, columns=(1, QMNIST_COLUMNS))
    if not card.transpose:
        return contents
    return contents._replace(blocks=(replace(block, images=block.images.swapaxes(1, 2)) for block in contents.blocks))


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for files named as those of MNIST, or None."""
    return roles.found(name for name in tree.names if re.search("[-.]idx[0-9]", name))


@contextmanager
def _opened(tree: Tree, name: str) -> Iterator[Array]:
    with tree.open(name) as file:
        is_gzip = file.read(len(GZIP)) == GZIP
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_gzip else file
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != bytes(2) or magic[2] not in TYPES or not magic[3]:
            expected, got = "a beginning of 00 00 08", magic.hex(" ") or "nothing"
            raise tree.error(name, "no IDX file", "name an IDX file in the card", expected=expected, got=got)
        sizes = stream.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            expected, got = f"a header of {4 + 4 * magic[3]} bytes", str(4 + len(sizes))
            raise tree.error(name, "cut short", "get the whole file", expected=expected, got=got)
        yield Array(stream, np.dtype(TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes))
