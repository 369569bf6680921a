"""Images and labels in arrays of their own, a pair for each split: what IDX files and NumPy arrays have in common."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple

import numpy as np

from core.formats import blocks, roles
from core.formats.blocks import Block, Contents
from core.sources.datasets import LONGEST, SPLITS, Roles
from core.sources.tree import Tree


class Array(NamedTuple):
    """An array behind its header. stream: its values in row-major order."""

    stream: BinaryIO
    dtype: np.dtype
    shape: tuple[int, ...]


Opened = Callable[[Tree, str], AbstractContextManager[Array]]


def read(tree: Tree, files: Roles | None, opened: Opened, columns: Sequence[int] = (1,)) -> Contents:
    """Return the images of all splits. Labels are (n,), or (n, columns) of which the first counts. Raises DataError."""
    if files is None:
        raise roles.unnamed(tree)
    pairs = {}
    for split in SPLITS:
        paths = [getattr(files, f"{split}_{kind}") for kind in ("images", "labels")]
        if any(paths):
            if None in paths:
                raise tree.error("", f"{split} images or labels are missing in the card", "name both there")
            pairs[split] = tree.only(paths[0]), tree.only(paths[1])
    total = 0
    for images, labels in pairs.values():
        with opened(tree, images) as pixels, opened(tree, labels) as classes:
            _require(tree, images, pixels, labels, classes, columns)
            total += pixels.shape[0]
    found = (block for split, names in pairs.items() for block in _blocks(tree, split, *names, opened))
    return Contents(found, images=total)


def _blocks(tree: Tree, split: str, images: str, labels: str, opened: Opened) -> Iterator[Block]:
    with opened(tree, images) as pixels, opened(tree, labels) as classes:
        rows, start = blocks.rows(pixels.shape[1:]), 0
        parts = _values(tree, images, pixels, rows), _values(tree, labels, classes, rows)
        for part, numbers in zip(*parts, strict=True):
            part = part[..., 0] if part.shape[3:] == (1,) else part
            yield Block(split, part, numbers.reshape(len(numbers), -1)[:, 0], images, start)
            start += len(part)


def _require(tree: Tree, images: str, pixels: Array, labels: str, classes: Array, columns: Sequence[int]) -> None:
    """Raise DataError unless an array has images, and another one a label for each."""
    (_, dtype, shape), fix = pixels, "correct files in the card"
    if len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,)) or dtype != np.uint8:
        if dtype != np.uint8 and len(shape) > 2:
            fix = 'save them as np.rint(x * 255).astype("uint8") if they end at 1, as x.astype("uint8") if at 255'
        elif len(shape) == 4 and shape[1] in (1, 3):
            fix = "save x.transpose(0, 2, 3, 1), with the channels last"
        expected = "uint8 (n, height, width) or (n, height, width, 3)"
        raise tree.error(images, "not images", fix, expected=expected, got=_shown(pixels))
    if min(shape) < 0 or not 0 < min(shape[1:3]) <= max(shape[1:3]) <= LONGEST:
        raise tree.error(images, "images of no size", fix, expected=f"1 to {LONGEST} pixels a side", got=_shown(pixels))
    if classes.dtype.kind not in "iu" or not classes.shape or math.prod(classes.shape[1:]) not in columns:
        if classes.dtype.kind in "SU":
            fix = "save np.unique(y, return_inverse=True)[1], and list np.unique(y) as classes in the card"
        elif len(classes.shape) == 2:
            fix = "save labels.argmax(axis=1) if each row has one 1; else see Other formats in docs/your-data.md"
        raise tree.error(labels, "not one label for each image", fix, expected="integers (n,)", got=_shown(classes))
    if shape[0] != classes.shape[0]:
        what, fix = "images and labels differ in number", "name the labels of these images in the card"
        raise tree.error(labels, what, fix, expected=f"{shape[0]} labels", got=str(classes.shape[0]))


def _values(tree: Tree, name: str, array: Array, rows: int) -> Iterator[np.ndarray]:
    """Yield blocks of rows. Never allocates more than a block. Raises DataError unless the values fill the shape."""
    count, *row = array.shape
    width = math.prod(row) * array.dtype.itemsize
    for start in range(0, count, rows):
        wanted = min(rows, count - start) * width
        with tree.reading(name):  # the files of images and of labels are both open
            payload = array.stream.read(wanted)
        if len(payload) < wanted:
            expected, got = f"{count * width} bytes of values", str(start * width + len(payload))
            raise tree.error(name, "cut short", "get the whole file", expected=expected, got=got)
        yield np.frombuffer(payload, array.dtype).reshape(-1, *row)
    with tree.reading(name):
        rest = array.stream.read(1)  # gzip and zip check the checksum only when a read reaches the end of the file
    if rest:
        what = f"longer than an array of the shape {array.shape}"
        raise tree.error(name, what, "get the file as it was published", expected=f"{count * width} bytes", got="more")


def _shown(array: Array) -> str:
    return f"{array.dtype.name} {array.shape!s:.80}"
