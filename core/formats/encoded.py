"""Picture files as blocks of images, with little memory."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, Problem
from core.formats import blocks, parallel, picture_files
from core.formats.blocks import Block
from core.formats.class_folders import refuse
from core.formats.picture_files import Encoded
from core.images import decoding, fitting
from core.sources import datasets
from core.sources.tree import Tree

FIRST = 256  # files of which one tells the shape, if the card does not


class _Image(NamedTuple):
    """An image, what was done to the picture, the key of its pixels, and its height and width before."""

    values: np.ndarray
    notes: tuple[str, ...]
    key: str
    size: list[int]


def blocks_of(
    tree: Tree, files: Iterable[Encoded], card: datasets.Described, shown: str, longest: int | None = None
) -> Iterator[Block]:
    """Yield the pictures in blocks of the shape of the card, or else of the first picture.

    shown: where the pictures are, as a name in the tree. longest: pixels on the longer side of that shape, if the first
    picture has more; pictures may have any size then. Raises DataError at the end for pictures that can't be read, and
    at once for a picture of another size if neither the card nor `longest` is given.
    """
    files = iter(files)
    begin = next(picture_files.batches(files, FIRST), [])
    first, shape = ("", card.image_shape) if card.image_shape else picture_files.shape(begin)
    if longest:
        first, shape = "", picture_files.smaller(shape, longest)
    batches = chain([begin], picture_files.batches(files, blocks.rows(shape)))
    prepare = partial(_prepared, tree.shown, shape, card)
    problems: list[Problem] = []
    waiting: dict[str, list[tuple[str, _Image, int]]] = {}
    done: Counter[str] = Counter()  # images of each split
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
            group.append((file.name, image, file.label))
            if len(group) == blocks.rows(shape):
                yield _block(file.split, waiting.pop(file.split), shown, done[file.split])
                done[file.split] += len(group)
    refuse(problems)
    for split, group in waiting.items():
        yield _block(split, group, shown, done[split])


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
        else:
            values, notes, source = fitting.fit(picture, shape, card)
            made.append(_Image(values, notes, blocks.key(source), list(source.shape[:2])))
    return made


def _block(split: str, group: list[tuple[str, _Image, int]], shown: str, first: int) -> Block:
    names, images, labels = zip(*group, strict=True)
    values, notes, keys, _ = zip(*images, strict=True)
    given = np.stack(values), np.array(labels, np.int64), shown, first
    return Block(split, *given, notes=notes, keys=keys, names=names, is_sorted=True)
