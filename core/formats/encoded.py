"""Picture files as blocks of images, one picture after the other, with little memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, Problem
from core.config import datasets
from core.formats import blocks
from core.formats.blocks import Block
from core.formats.class_folders import refuse
from core.formats.tree import Tree
from core.images import decoding, fitting, pixels


class Encoded(NamedTuple):
    """A picture file: its name in the tree, its split and label, and a function that returns its bytes."""

    name: str
    split: str
    label: int
    data: Callable[[], bytes]


class _Image(NamedTuple):
    """A picture that waits for its block to be full, without its source, which may be large."""

    values: np.ndarray
    label: int
    notes: tuple[str, ...]
    key: str


def blocks_of(tree: Tree, files: Iterable[Encoded], card: datasets.Described, shown: str) -> Iterator[Block]:
    """Yield the pictures in blocks of the shape of the card, or else of the first picture.

    shown: where the pictures are, as a name in the tree. Raises DataError at the end for pictures that can't be read,
    and at once for a picture of another size if the card has no shape.
    """
    shape = card.image_shape
    first = ""
    waiting: dict[str, list[_Image]] = {}
    problems: list[Problem] = []
    for name, split, label, data in files:
        try:
            picture = decoding.decode(data(), f"{tree.shown}/{name}")
        except DataError as error:
            problems += error.problems
            continue
        size = [picture.image.height, picture.image.width]
        if not shape:
            first, shape = name, size + [3] * (picture.image.mode not in pixels.GREY_MODES)
        if first and size != shape[:2]:
            fix, got = f"set image_shape: {shape} in the card", f"{size[0]} x {size[1]}"
            raise tree.error(name, "mixed sizes", fix, expected=f"{shape[0]} x {shape[1]}, as {first}", got=got)
        group = waiting.setdefault(split, [])
        values, notes, source = fitting.fit(picture, shape, card)
        group.append(_Image(values, label, notes, blocks.key(source)))
        if len(group) == blocks.rows(shape):
            yield _block(split, waiting.pop(split), shown)
    refuse(problems)
    for split, group in waiting.items():
        yield _block(split, group, shown)


def _block(split: str, group: list[_Image], shown: str) -> Block:
    values, labels, notes, keys = zip(*group, strict=True)
    return Block(split, np.stack(values), np.array(labels, np.int64), shown, notes=notes, keys=keys)
