"""Read CSV files with a row for each image: its label, and its pixels row by row, as Kaggle serves MNIST.

A first row of numbers is no header: the label is in the first column then.
"""

import warnings
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy as np

from core.formats import blocks, roles, table_labels
from core.formats.blocks import Block, Contents
from core.formats.pixel_columns import Columns, columns_of
from core.sources import datasets
from core.sources.tree import Tree

LONGEST_ROW = 1 << 20  # bytes: a file without line ends is not read as one row
LEAST_PIXELS = 16  # of a table that `found` takes for images

Row = tuple[int, str]  # the number of a row, from 1, and its text


def read(tree: Tree, card: datasets.Csv) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""
    files = roles.matched(tree, card.files)
    return Contents(block for split in files for name in files[split] for block in _blocks(tree, split, name, card))


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for CSV files, or None if none of them has a second row of many numbers."""
    tables = {name: _has_pixels(tree, name) for name in tree.names if name.lower().endswith(".csv")}
    names = (name for name, has_pixels in tables.items() if has_pixels or roles.split_of(name))
    return roles.found_splits(tree, names) if any(tables.values()) else None


def _has_pixels(tree: Tree, name: str) -> bool:
    with tree.open(name) as file:
        cells = next((_cells(row) for _, row in islice(_rows(file), 1, 2)), [])
    return len(cells) > LEAST_PIXELS and all(map(table_labels.NUMBER.fullmatch, cells[1:]))


def _rows(file: BinaryIO) -> Iterator[Row]:
    rows = enumerate(iter(lambda: file.readline(LONGEST_ROW), b""), start=1)
    # Excel begins a file with a byte order mark.
    return ((number, row.decode(errors="replace").lstrip("\ufeff")) for number, row in rows if row.strip())


def _cells(row: str) -> list[str]:
    return [cell.strip().strip('"') for cell in row.split(",")]


def _blocks(tree: Tree, split: str, name: str, card: datasets.Csv) -> Iterator[Block]:
    with tree.open(name) as file:
        rows, start = _rows(file), 0
        first = next(rows, (1, ""))
        header = _cells(first[1])
        is_header = header == [str(number) for number in range(len(header))]  # as pandas names columns without names
        if is_header:
            header[0] = "label"
        elif all(map(table_labels.NUMBER.fullmatch, header)) or header[0] in (card.classes or ()):
            rows, header = chain([first], rows), ["label", *["pixel"] * (len(header) - 1)]
        columns = columns_of(tree, name, [cell.casefold() for cell in header], card)
        while chunk := list(islice(rows, blocks.rows(columns.shape))):
            values = _values(tree, name, chunk, columns, card)
            images = values[:, columns.pixels].astype(np.uint8).reshape(-1, *columns.shape)
            yield Block(split, images, values[:, columns.label], name, start)
            start += len(images)


def _values(tree: Tree, name: str, rows: Sequence[Row], columns: Columns, card: datasets.Csv) -> np.ndarray:
    """Return int64 (n, columns). Raises DataError with the first row that has other columns, pixels or labels."""
    numbers: dict[int | str, Any] = {columns.label: lambda cell: table_labels.number(cell, card)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of fractions, which old versions of numpy cut off
            texts = [row for _, row in rows]
            values = np.loadtxt(texts, np.int64, None, ",", numbers, ndmin=2, quotechar='"')
        if values.shape != (len(rows), columns.total):
            raise ValueError(f"{values.shape[1]} columns instead of {columns.total}")
        pixels = values[:, columns.pixels]
        if pixels.min() < 0 or pixels.max() > 255:
            raise ValueError(f"values from {pixels.min()} to {pixels.max()}")
    except (ValueError, Warning) as error:
        for row in rows if len(rows) > 1 else ():
            _values(tree, name, [row], columns, card)
        # The cause is the error of a label.
        expected, got = f"a label and {len(columns.pixels)} pixels from 0 to 255", f"{error.__cause__ or error}"
        got, place = got.replace("row 0, ", ""), f"{name}: row {rows[0][0]}"
        raise tree.error(place, "not an image", table_labels.FIX, expected=expected, got=got) from error
    return values
