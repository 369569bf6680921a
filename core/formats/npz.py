"""Read arrays that NumPy saved: members of .npz files, or .npy files.

Pickled objects, which NumPy can save too and which may run code, are refused by the header.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from core.formats import paired, roles
from core.formats.blocks import Contents
from core.formats.paired import Array
from core.sources import datasets
from core.sources.tree import Tree

SUFFIX = ".npy"  # of a file, and of a member of an .npz file


def read(tree: Tree, card: datasets.Npz) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""
    return paired.read(tree, card.files, _opened)


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for arrays named as those of Keras, MedMNIST or KMNIST, or None."""
    return roles.found(name.removesuffix(SUFFIX) for name in tree.names if name.endswith(SUFFIX))


@contextmanager
def _opened(tree: Tree, name: str) -> Iterator[Array]:
    with tree.open(name) as file:
        try:
            if (version := np.lib.format.read_magic(file)) != (1, 0):  # newer ones may have headers of gigabytes
                raise ValueError(f"version {version} of the format, which arrays of numbers do not need")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers that Python 2 wrote
                shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except Exception as error:  # numpy raises many kinds for a damaged header, SyntaxError among them
            expected, got = "an array as np.savez or np.save writes it", f"{error!s:.200}" or type(error).__name__
            raise tree.error(name, "not a whole array", "save it again", expected=expected, got=got) from error
        if dtype.hasobject:
            fix = 'save numbers, as np.array(x.tolist()).astype("uint8")'
            raise tree.error(name, "pickled objects, which are never read", fix, expected="numbers", got="objects")
        if is_fortran:
            expected, got = "C order", "Fortran order"
            raise tree.error(name, "columns before rows", "save np.ascontiguousarray(x)", expected=expected, got=got)
        yield Array(file, dtype, shape)
