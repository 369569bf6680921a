"""Read CSV files with a row for each image: its label, and its pixels row by row, as Kaggle serves MNIST.

The label is in the column that the card names, else in the column `label`, else in the first. All other columns that
have a name are pixels. A first row of numbers alone is no header.
"""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from core.config import datasets
from core.formats import blocks, roles
from core.formats.blocks import Block, Contents
from core.formats.tree import Tree

NUMBER = re.compile("-?[0-9]+")
LONGEST_ROW = 1 << 22  # characters: a file without line ends is not read as one row
LEAST_PIXELS = 16  # of a table that `found` takes for images


class _Columns(NamedTuple):
    """total: of all columns. label, pixels: the indices of the label and of the pixels. shape: of an image."""

    total: int
    label: int
    pixels: list[int]
    shape: tuple[int, ...]


def read(tree: Tree, card: datasets.Csv) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""
    files = roles.matched(tree, card.files)
    return Contents(block for split in files for name in files[split] for block in _blocks(tree, split, name, card))


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for CSV files whose second row is numbers, many of them, or None."""
    names = [name for name in tree.names if name.lower().endswith(".csv")]
    return roles.found_splits(name for name in names if len(_second_row(tree, name)) > LEAST_PIXELS)


def _second_row(tree: Tree, name: str) -> list[str]:
    with tree.open(name) as file:
        cells = next((_cells(row) for _, row in islice(_rows(file), 1, 2)), [])
    return cells if all(map(NUMBER.fullmatch, cells[1:])) else []


def _rows(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield the number of each row, from 1, and its text; blank rows are left out."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig")
    for number, row in enumerate(iter(lambda: text.readline(LONGEST_ROW), ""), start=1):
        if len(row) == LONGEST_ROW:
            raise ValueError(f"row {number} does not end")
        if row.strip():
            yield number, row


def _cells(row: str) -> list[str]:
    return [cell.strip().strip('"') for cell in row.split(",")]


def _blocks(tree: Tree, split: str, name: str, card: datasets.Csv) -> Iterator[Block]:
    with tree.open(name) as file:
        rows, start = _rows(file), 0
        first = next(rows, (1, ""))
        header = _cells(first[1])
        if all(map(NUMBER.fullmatch, header)) or header[0] in (card.classes or ()):
            rows, header = chain([first], rows), ["label", *["pixel"] * (len(header) - 1)]
        columns = _columns(tree, name, [cell.casefold() for cell in header], card)
        while chunk := list(islice(rows, blocks.rows(columns.shape))):
            values = _values([row for _, row in chunk], columns, card)
            if values is None:
                number, row = next((each for each in chunk if _values([each[1]], columns, card) is None), chunk[0])
                expected, got = f"a label and {len(columns.pixels)} pixels from 0 to 255", _shown(row, columns)
                fix = "correct it, or classes or label in the card"
                raise tree.error(f"{name}: row {number}", "not an image", fix, expected=expected, got=got)
            images = values[:, columns.pixels].astype(np.uint8).reshape(-1, *columns.shape)
            yield Block(split, images, values[:, columns.label], name, start)
            start += len(images)


def _columns(tree: Tree, name: str, header: list[str], card: datasets.Csv) -> _Columns:
    wanted, got = (card.label or "label").casefold(), f"{len(header)} columns: {', '.join(header[:4])[:200]}"
    if wanted not in header and card.label:
        raise tree.error(name, "no such column", "correct label in the card", expected=card.label, got=got)
    if wanted not in header and {each.rstrip("0123456789") for each in header} == {"pixel"}:
        what, fix = "no labels: it is for predict alone", "take it out of the card's files, and set test_fraction: 0.2"
        raise tree.error(name, what, fix, expected="a column label", got=got)
    label = header.index(wanted) if wanted in header else 0
    pixels = [index for index, each in enumerate(header) if each and index != label]
    height, width = (card.image_shape or [0, 0])[:2]
    grey, colour = math.isqrt(len(pixels)), math.isqrt(len(pixels) // 3)
    for shape in ((height, width), (height, width, 3), (grey, grey), (colour, colour, 3)):
        if 0 < math.prod(shape) == len(pixels):
            return _Columns(len(header), label, pixels, shape)
    fix = "set image_shape in the card, or name a file of pixels"
    raise tree.error(name, "no square of pixels in a row", fix, expected="a label and pixels", got=got)


def _values(rows: Sequence[str], columns: _Columns, card: datasets.Csv) -> np.ndarray | None:
    """Return int64 (n, columns), or None if any row has other columns, a cell that is no pixel, or another label."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of fractions, which old versions of numpy cut off
            numbers = {columns.label: lambda cell: roles.number(cell, card)}
            values = np.loadtxt(
                rows, np.int64, delimiter=",", quotechar='"', comments=None, converters=numbers, ndmin=2
            )
    except (ValueError, OverflowError, Warning):
        return None
    if values.shape != (len(rows), columns.total):
        return None
    pixels = values[:, columns.pixels]
    return values if 0 <= pixels.min() <= pixels.max() <= 255 else None


def _shown(row: str, columns: _Columns) -> str:
    """Return the first thing that is wrong with a row."""
    cells = _cells(row)
    if len(cells) != columns.total:
        return f"{len(cells)} columns"
    wrong = (i for i in columns.pixels if not NUMBER.fullmatch(cells[i]) or not 0 <= int(cells[i]) <= 255)
    index = next(wrong, columns.label)
    return f"{cells[index][:40]!r} in column {index + 1}"
