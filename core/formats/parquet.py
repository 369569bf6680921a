"""Read Parquet tables with a row for each image, as Hugging Face serves them: its label, and the bytes of a picture.

The column of the pictures is binary, or a struct with the field `bytes`. The schema's metadata may name the classes.
"""

import json
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from core.cli import extras
from core.formats import encoded, roles, table_labels
from core.formats.blocks import Contents
from core.formats.picture_files import Encoded
from core.sources import datasets
from core.sources.tree import Tree

COLUMNS = {"image": ["image", "img"], "label": ["label", "fine_label"]}  # the usual names
ROWS, BUFFER = 4, 1 << 20  # rows, of which each may be a photograph, and bytes of a column, to be read at once


def read(tree: Tree, card: datasets.Parquet, longest: int | None = None) -> Contents:
    """Return the images of a card in blocks. Raises DataError, or InputError if pyarrow is not installed."""
    files = roles.matched(tree, card.files)
    classes, images, names = None, 0, [name for names in files.values() for name in names]
    for name in names:
        with _opened(tree, name) as table:
            _, label = _columns(tree, name, table.schema_arrow, card)
            own = _classes(table.schema_arrow.metadata, label) or classes
            images += table.metadata.num_rows
        if own != (classes := classes or own):
            what = f"has the classes {own!s:.99}, an earlier file has {classes!s:.99}"
            raise tree.error(name, what, "save all files with the same classes in the same order")
    card = card.model_copy(update={"classes": None}) if classes else card  # labels are indices into those of the files
    pictures = (each for split in files for name in files[split] for each in _pictures(tree, split, name, card))
    found = encoded.blocks_of(tree, pictures, card, posixpath.commonpath(names), longest)
    return Contents((replace(block, is_sorted=False) for block in found), classes, images)  # rows keep their order


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for Parquet files, or None."""
    return roles.found_splits(tree, (name for name in tree.names if name.lower().endswith(".parquet")))


@contextmanager
def _opened(tree: Tree, name: str) -> Iterator[Any]:
    extras.require("pyarrow", "Parquet files need it")
    from pyarrow import parquet

    with tree.open(name) as file, parquet.ParquetFile(file, buffer_size=BUFFER) as table:
        yield table


def _columns(tree: Tree, name: str, schema: Any, card: datasets.Parquet) -> tuple[str, str]:
    """Return the names of the columns of pictures and of labels. Raises DataError if there are no such columns."""
    from pyarrow import types

    chosen: list[str] = []
    for key, usual in COLUMNS.items():
        wanted = [getattr(card, key)] if getattr(card, key) else usual
        chosen += [column for column in wanted if column in schema.names][:1]
        if not set(wanted) & set(chosen):
            expected, got = " or ".join(wanted), ", ".join(schema.names)[:200]
            raise tree.error(name, f"no column of {key}s", f"set {key} in the card", expected=expected, got=got)
    image, label = (schema.field(column).type for column in chosen)
    has_bytes = types.is_struct(image) and image.get_field_index("bytes") >= 0
    if not has_bytes and str(image) not in ("binary", "large_binary"):
        expected, got = "binary, or a struct with the field bytes", f"{image!s:.100}"
        raise tree.error(name, "no pictures", "set image in the card", expected=expected, got=got)
    if not types.is_integer(label) and str(label) not in ("string", "large_string"):
        raise tree.error(name, "no labels", "set label in the card", expected="numbers or names", got=f"{label!s:.99}")
    return chosen[0], chosen[1]


def _pictures(tree: Tree, split: str, name: str, card: datasets.Parquet) -> Iterator[Encoded]:
    with _opened(tree, name) as table:
        image, label = _columns(tree, name, table.schema_arrow, card)
        batches = table.iter_batches(ROWS, columns=[image, label], use_threads=False)
        cells = (pair for batch in batches for pair in zip(batch[image], batch[label], strict=True))
        for row, (cell, given) in enumerate(cells):
            place, data = f"{name}: row {row}", cell.as_py()
            data = data["bytes"] if isinstance(data, dict) else data
            if data is None:
                raise tree.error(place, "no bytes of a picture", "save it with the pictures embedded")
            try:
                yield Encoded(place, split, table_labels.number(given.as_py(), card), data)
            except ValueError as error:
                raise tree.error(place, str(error), table_labels.FIX) from error


def _classes(metadata: dict[bytes, bytes] | None, label: str) -> list[str] | None:
    """Return the class names that the library `datasets` has left in the metadata, or None."""
    try:
        return list(json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return None
