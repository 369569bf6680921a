"""Which file has what: by the card or by its name; and arrays of images and of labels, as IDX and NumPy files hold
them, a pair for each split.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from core.cli.errors import DataError
from core.config.datasets import LONGEST, SPLITS, FromFiles, Roles, Splits
from core.formats import blocks
from core.formats.blocks import Block, Contents
from core.formats.tree import Tree

SPLIT_OF = {"train": "train", "training": "train", "test": "test", "testing": "test", "t10k": "test"}
SPLIT_OF |= dict.fromkeys(("validation", "valid", "val"), "validation")
KIND_OF = dict.fromkeys(("images", "image", "imgs", "img", "x"), "images")
KIND_OF |= dict.fromkeys(("labels", "label", "y"), "labels")


class Array(NamedTuple):
    """An array behind its header. stream: its values in row-major order."""

    stream: BinaryIO
    dtype: np.dtype
    shape: tuple[int, ...]


Opened = Callable[[Tree, str], AbstractContextManager[Array]]


def read(tree: Tree, files: Roles | None, opened: Opened, columns: Sequence[int] = (1,)) -> Contents:
    """Return the images of all splits. Labels are (n,), or (n, columns) of which the first counts. Raises DataError."""
    if files is None:
        raise unnamed(tree)
    pairs = {}
    for split in SPLITS:
        paths = [getattr(files, f"{split}_{kind}") for kind in ("images", "labels")]
        if any(paths):
            if None in paths:
                fix = f"name {split}_images and {split}_labels"
                raise tree.error("", f"{split} images or labels are missing in the card", fix)
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
        expected = "uint8 (n, height, width) or (n, height, width, 3)"
        raise tree.error(images, "not images", fix, expected=expected, got=_shown(pixels))
    if min(shape) < 0 or not 0 < min(shape[1:3]) <= max(shape[1:3]) <= LONGEST:
        raise tree.error(images, "images of no size", fix, expected=f"1 to {LONGEST} pixels a side", got=_shown(pixels))
    if classes.dtype.kind not in "iu" or not classes.shape or math.prod(classes.shape[1:]) not in columns:
        fix = "correct files in the card"
        if len(classes.shape) == 2:
            fix = "save one class for each image, as labels.argmax(axis=1) if one value in a row is set"
        raise tree.error(labels, "not one label for each image", fix, expected="integers (n,)", got=_shown(classes))
    if shape[0] != classes.shape[0]:
        fix = "name the labels of these images in the card"
        expected, got = f"{shape[0]} labels", str(classes.shape[0])
        raise tree.error(labels, "images and labels differ in number", fix, expected=expected, got=got)


def _values(tree: Tree, name: str, array: Array, rows: int) -> Iterator[np.ndarray]:
    """Yield blocks of rows. Never allocates more than a block. Raises DataError unless the values fill the shape."""
    count, *row = array.shape
    width = math.prod(row) * array.dtype.itemsize
    for start in range(0, count, rows):
        wanted = min(rows, count - start) * width
        payload = array.stream.read(wanted)
        if len(payload) < wanted:
            expected, got = f"{count * width} bytes of values", str(start * width + len(payload))
            raise tree.error(name, "cut short", "get the whole file", expected=expected, got=got)
        yield np.frombuffer(payload, array.dtype).reshape(-1, *row)
    if array.stream.read(1):  # gzip and zip check the checksum only when a read reaches the end of the file
        what = f"longer than an array of the shape {array.shape}"
        raise tree.error(name, what, "get the file as it was published", expected=f"{count * width} bytes", got="more")


def _shown(array: Array) -> str:
    return f"{array.dtype.name} {array.shape!s:.80}"


def found(paths: Iterable[str]) -> dict[str, Any] | None:
    """Return the keys of a card for files of arrays, as their names tell; None if they do not, or tell two things."""
    files: dict[str, str] = {}
    for path in paths:
        kind = next((KIND_OF[word] for word in reversed(_words(path)) if word in KIND_OF), None)
        if kind:
            role = f"{split_of(path) or 'train'}_{kind}"
            if role in files:
                return None
            files[role] = path
    return {"files": files} if {"train_images", "train_labels"} <= files.keys() else None


def found_splits(paths: Iterable[str]) -> dict[str, Any] | None:
    """Return the keys of a card for files of whole splits. If no name tells a split, all are training files."""
    files: dict[str, list[str]] = {}
    for path in paths:
        files.setdefault(split_of(path) or "", []).append(path)
    files = {"train": files.pop("", []), **files} if files.keys() == {""} else files
    named = {split: files[split] for split in SPLITS if split in files}
    return {"files": named} if named.get("train") else None


def matched(tree: Tree, files: Splits | None) -> dict[str, list[str]]:
    """Return the names of the files of each split that has some. Raises DataError if a path matches none."""
    if files is None:
        raise unnamed(tree)
    paths = {split: getattr(files, split) for split in SPLITS}
    return {split: [name for path in paths[split] for name in tree.match(path)] for split in SPLITS if paths[split]}


def unnamed(tree: Tree) -> DataError:
    """Return the error for a card without files, if their names do not tell what they are for."""
    got = ", ".join(tree.names[:5])[:300] + ", ..." * (len(tree.names) > 5) or "an empty folder"
    what = "no files, or several, of this format with the usual names"
    return tree.error("", what, "name the files in the card", expected="names with train and test", got=got)


def split_of(path: str) -> str | None:
    """Return the split that a path names, as in train/1.png, fashion-mnist_test.csv or t10k-images-idx3-ubyte.gz."""
    return next((SPLIT_OF[word] for word in reversed(_words(path)) if word in SPLIT_OF), None)


def _words(path: str) -> list[str]:
    return re.split("[^a-z0-9]+", path.lower())


def number(label: object, card: FromFiles) -> int:
    """Return the label of a table as a number, as the files would have it. Raises ValueError if it names no class."""
    text = str(label).strip()
    if re.fullmatch("-?[0-9]{1,18}", text):
        return int(text)
    if text in (card.classes or ()):
        return (card.classes or []).index(text) + card.first_label
    raise ValueError(f"{text[:40]!r} is neither a number nor one of the classes")
