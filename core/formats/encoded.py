"""Picture files as blocks of images, with little memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, Problem
from core.formats import blocks, parallel
from core.formats.blocks import Block
from core.formats.class_folders import refuse
from core.images import decoding, fitting, pixels
from core.sources import datasets
from core.sources.tree import Tree

FIRST = 256  # files of which one tells the shape, if the card does not


class Encoded(NamedTuple):
    """A picture file: its name in the tree, its split and label, and its bytes, or why it can't be read."""

    name: str
    split: str
    label: int
    data: bytes | Sequence[Problem]


class _Image(NamedTuple):
    """An image, what was done to the picture, the key of its pixels, and its height and width before."""

    values: np.ndarray
    notes: tuple[str, ...]
    key: str
    size: list[int]


def blocks_of(tree: Tree, files: Iterable[Encoded], card: datasets.Described, shown: str) -> Iterator[Block]:
    """Yield the pictures in blocks of the shape of the card, or else of the first picture.

    shown: where the pictures are, as a name in the tree. Raises DataError at the end for pictures that can't be read,
    and at once for a picture of another size if the card has no shape.
    """
    files = iter(files)
    begin = next(_batches(files, FIRST), [])
    first, shape = ("", card.image_shape) if card.image_shape else _shape(begin)
    batches = chain([begin], _batches(files, blocks.rows(shape)))
    prepare = partial(_prepared, tree.shown, shape, card)
    problems: list[Problem] = []
    waiting: dict[str, list[tuple[_Image, int]]] = {}
    for batch, images in parallel.ordered(prepare, batches):
        for file, image in zip(batch, images, strict=True):
            if not isinstance(image, _Image):
                problems += image
                continue
            if first and image.size != shape[:2]:
                fix, got = f"set image_shape: {shape} in the card", f"{image.size[0]} x {image.size[1]}"
                expected = f"{shape[0]} x {shape[1]}, as {first}"
                raise tree.error(file.name, "mixed sizes", fix, expected=expected, got=got)
            group = waiting.setdefault(file.split, [])
            group.append((image, file.label))
            if len(group) == blocks.rows(shape):
                yield _block(file.split, waiting.pop(file.split), shown)
    refuse(problems)
    for split, group in waiting.items():
        yield _block(split, group, shown)


def _batches(files: Iterable[Encoded], most: int) -> Iterator[list[Encoded]]:
    """Yield the files in batches of `most` files, or fewer if they are large."""
    batch: list[Encoded] = []
    size = 0
    for file in files:
        batch.append(file)
        size += len(file.data)
        if len(batch) == most or size >= blocks.BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _shape(batch: Iterable[Encoded]) -> tuple[str, list[int]]:
    """Return the name and the size of the first picture that can be read, in colour if any picture of the batch is. If
    none can be read, the shape is of no use.
    """
    first, shape = "", [1, 1]
    for file in batch:
        with suppress(DataError):
            image = decoding.decode(file.data if isinstance(file.data, bytes) else b"", file.name).image
            first, shape = (first, shape) if first else (file.name, [image.height, image.width])
            if image.mode not in pixels.GREY_MODES:
                return first, [*shape, 3]
    return first, shape


def _prepared(
    folder: str, shape: Sequence[int], card: datasets.Described, batch: Sequence[Encoded]
) -> list[_Image | Sequence[Problem]]:
    """Return an image of this shape for each file, or why the file is no picture."""
    made: list[_Image | Sequence[Problem]] = []
    for file in batch:
        if not isinstance(file.data, bytes):
            made.append(file.data)
            continue
        try:
            picture = decoding.decode(file.data, f"{folder}/{file.name}")
        except DataError as error:
            made.append(error.problems)
            continue
        values, notes, source = fitting.fit(picture, shape, card)
        made.append(_Image(values, notes, blocks.key(source), [picture.image.height, picture.image.width]))
    return made


def _block(split: str, group: list[tuple[_Image, int]], shown: str) -> Block:
    images, labels = zip(*group, strict=True)
    values, notes, keys, _ = zip(*images, strict=True)
    return Block(split, np.stack(values), np.array(labels, np.int64), shown, notes=notes, keys=keys)
