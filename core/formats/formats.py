"""The formats that a card can name, a module each."""

import re
from typing import Any

from core.cli.errors import DataError
from core.formats import cifar, csv_table, idx, npz, parquet, pictures
from core.formats.blocks import Contents
from core.sources import datasets
from core.sources.tree import Tree

# In the order in which `guess` asks them.
READERS: dict[str, Any] = {
    "parquet": parquet,
    "npz": npz,
    "idx": idx,
    "cifar": cifar,
    "csv": csv_table,
    "pictures": pictures,
}

NPZ = "write an .npz file, see docs/your-data.md#other-formats"
OTHERS = {  # what a file is by its name, and what to do
    r"\.mat$": ("a MATLAB file", NPZ),
    r"\.tfrecords?(-[^/]*)?$": ("a TFRecord file", NPZ),
    r"(^|/)(cifar-100?-python\.tar\.gz|data_batch_[1-5])$": (
        "the python version of CIFAR, which is pickled",
        f"get the binary version, cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, or {NPZ}",
    ),
    r"\.(pkl|pickle|pt|pth)$": ("a pickled file, which could run code", NPZ),
    r"\.(h5|hdf5)$": ("an HDF5 file", NPZ),
}


def read(tree: Tree, card: datasets.Files, longest: int | None = None) -> Contents:
    """Return the images of a card in blocks. Raises DataError if the files are damaged or do not fit the card.

    longest: pixels on the longer side of pictures of a card without a shape, if the first picture has more.
    """
    module = READERS[card.format]
    if not isinstance(card, datasets.Pictures) and card.files is None:
        keys = module.found(tree)
        if keys is None and (refused := _refused(tree)):
            raise refused
        card = type(card).model_validate((keys or {}) | card.model_dump(exclude_unset=True))
    return module.read(tree, card, longest) if isinstance(card, datasets.FITTED) else module.read(tree, card)


def guess(tree: Tree) -> tuple[str, dict[str, Any]]:
    """Return the format of the files, and the keys of a card for them. Raises DataError if they have no known one."""
    for name, module in READERS.items():
        if (keys := module.found(tree)) is not None:
            return name, keys
    raise _refused(tree) or _unknown(tree)


def _unknown(tree: Tree) -> DataError:
    """Return the error for files of which no format is found."""
    if not tree.files:
        return tree.error("", "an empty folder", "put pictures, an archive or a table there")
    name = tree.files[0] if len(tree.files) == 1 else ""
    if arrays := [each.removesuffix(npz.SUFFIX) for each in tree.names if each.endswith(npz.SUFFIX)]:
        what, expected = "the names of the arrays do not tell what they are for", "x_train and y_train"
        fix = f"save them with these names, or name them in a card, as train_images: {arrays[0]}"
        fix += " (docs/your-data.md#numpy-arrays)"
        return tree.error(name, what, fix, expected=expected, got=", ".join(arrays)[:300])
    what = "no known format, or several data sets"
    return tree.error(name, what, "write a card that names files, as docs/your-data.md shows")


def _refused(tree: Tree) -> DataError | None:
    """Return the error for the first file of a format that is not read, if there is one."""
    for name in tree.names:
        for pattern, (what, fix) in OTHERS.items():
            if re.search(pattern, name.lower()):
                return tree.error(name, f"{what}: not read", fix)
    return None
