"""Which columns of a table are the label and the pixels of an image, by its header.

The label is in the column that the card names, else in the column label, class or target, else in the first if its
name is unlike that of the second. All other columns that have a name are pixels, as many as an image of the card's
shape has, or else a square.
"""

import math
from typing import NamedTuple

from core.config.schema import one_of
from core.sources import datasets
from core.sources.tree import Tree

LABELS = ["label", "class", "target"]  # the usual names of the column of labels


class Columns(NamedTuple):
    """total: of all columns. label, pixels: the indices of the label and of the pixels. shape: of an image."""

    total: int
    label: int
    pixels: list[int]
    shape: tuple[int, ...]


def columns_of(tree: Tree, name: str, header: list[str], card: datasets.Csv) -> Columns:
    """Return the columns of a header in lower case. Raises DataError if it has no labels, or no image's pixels."""
    usual = [(card.label or "").casefold()] if card.label else LABELS
    wanted = next((column for column in usual if column in header), "")
    got = f"{len(header)} columns, {', '.join(header[:4])[:60] or 'empty'}"
    fix, expected = "correct label or image_shape in the card, or name a file of pixels", f"a column {one_of(usual)}"
    kinds = [each.rstrip("0123456789") for each in header]
    if not wanted and (card.label or kinds[:1] == kinds[1:2] != ["pixel"]):
        raise tree.error(name, "no such column", fix, expected=expected, got=got)
    if not wanted and set(kinds) == {"pixel"}:
        what = "no labels: it is for predict alone"
        fix = "describe the file with labels alone, or take this one out of the card's files and set test_fraction: 0.2"
        raise tree.error(name, what, fix, expected=expected, got=got)
    label = header.index(wanted) if wanted else 0
    pixels = [index for index, each in enumerate(header) if each and index != label]
    height, width = (card.image_shape or [0, 0])[:2]
    grey, colour = math.isqrt(len(pixels)), math.isqrt(len(pixels) // 3)
    for shape in ((height, width), (height, width, 3), (grey, grey), (colour, colour, 3)):
        if 0 < math.prod(shape) == len(pixels):
            return Columns(len(header), label, pixels, shape)
    raise tree.error(name, "the pixels of a row are no square", fix, expected="a label and pixels", got=got)
