"""Read the binary version of CIFAR-10 and CIFAR-100 (A. Krizhevsky, "Learning multiple layers of features from tiny
images"), packed or unpacked.

A record is a label byte, or the coarse and the fine label of CIFAR-100; then 1024 bytes of red, 1024 of green and 1024
of blue, each 32 rows of 32 pixels.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.formats import blocks, roles
from core.formats.blocks import Block, Contents
from core.sources import datasets
from core.sources.tree import Tree

SHAPE = (32, 32, 3)
VALUES = 3 * 32 * 32
COARSE_AND_FINE = 2  # label bytes of CIFAR-100
LONGEST_NAMES = 1 << 16  # bytes


def read(tree: Tree, card: datasets.Cifar) -> Contents:
    """Return the images of a card in blocks. Raises DataError."""
    files = roles.matched(tree, card.files)
    labels = {name: _labels(tree, name) for names in files.values() for name in names}
    images = sum(tree.size(name) // (count + VALUES) for name, count in labels.items())
    found = (
        block for split in files for name in files[split] for block in _blocks(tree, split, name, labels[name], card)
    )
    return Contents(found, _classes(tree, files["train"][0], labels[files["train"][0]], card), images)


def found(tree: Tree) -> dict[str, Any] | None:
    """Return the keys of a card for files named as those of CIFAR-10 or CIFAR-100, or None."""
    usual = re.compile("(?:.*/)?(data_batch_[1-5]|test_batch|train|test)[.]bin")
    files = {found[1]: name for name in sorted(tree.names) if (found := usual.fullmatch(name))}
    train, test = ([name for key, name in files.items() if key.startswith("test") == is_test] for is_test in (0, 1))
    return roles.keys(datasets.Splits, {"train": train, "test": test}) if train else None


def _labels(tree: Tree, name: str) -> int:
    """Return how many label bytes a record has. Raises DataError if no number fills the file with records."""
    size = tree.size(name)
    for count in (1, COARSE_AND_FINE):
        if size and size % (count + VALUES) == 0:
            return count
    fix = "get the whole binary version; the python version is pickled, and never read"
    raise tree.error(name, "not CIFAR's binary version", fix, expected="records of 3073 or 3074 bytes", got=f"{size}")


def _blocks(tree: Tree, split: str, name: str, labels: int, card: datasets.Cifar) -> Iterator[Block]:
    width, count, column = labels + VALUES, tree.size(name) // (labels + VALUES), 0
    if labels == COARSE_AND_FINE and card.label == "fine":
        column = 1
    with tree.open(name) as file:
        for start in range(0, count, blocks.rows(SHAPE)):
            wanted = min(blocks.rows(SHAPE), count - start) * width
            payload = file.read(wanted)
            if len(payload) < wanted:
                raise EOFError(f"{count} records expected")
            records = np.frombuffer(payload, np.uint8).reshape(-1, width)
            images = records[:, labels:].reshape(-1, 3, *SHAPE[:2]).transpose(0, 2, 3, 1)
            yield Block(split, images, records[:, column], name, start)


def _classes(tree: Tree, train: str, labels: int, card: datasets.Cifar) -> list[str] | None:
    """Return the class names in the file of names that lies beside the training images, or None."""
    name = f"{card.label}_label_names.txt" if labels == COARSE_AND_FINE else "batches.meta.txt"
    path = f"{train.rpartition('/')[0]}/{name}".lstrip("/")
    if path not in tree.names:
        return None
    with tree.open(path) as file:
        return [line.strip() for line in file.read(LONGEST_NAMES).decode().splitlines() if line.strip()]
