"""Images and labels in arrays of their own, a pair for each split: what IDX files and NumPy arrays have in common."""

from collections.abc import Callable, Iterator

import numpy as np

from core.config.datasets import SPLITS, Roles
from core.formats.blocks import Block
from core.formats.tree import Tree

Images = Callable[[Tree, str], Iterator[np.ndarray]]  # of a file, in blocks, uint8 (n, height, width[, 3])
Labels = Callable[[Tree, str], np.ndarray]  # of a file, integer (n,)


def read(tree: Tree, files: Roles, images: Images, labels: Labels) -> Iterator[Block]:
    """Yield the blocks of all splits. Raises DataError if the images and labels of a split differ in number."""
    for split in SPLITS:
        paths = [getattr(files, f"{split}_{kind}") for kind in ("images", "labels")]
        if not any(paths):
            continue
        if None in paths:
            raise tree.error("", f"{split} images or labels are missing in the card", f"name {split}_images and labels")
        name, its_labels = (tree.only(path) for path in paths)
        values, start = labels(tree, its_labels), 0
        for part in images(tree, name):
            yield Block(split, part, values[start : start + len(part)], name, start)
            start += len(part)
        if start != len(values):
            what, fix = "images and labels differ in number", "name the labels of these images in the card"
            raise tree.error(its_labels, what, fix, expected=f"{start} labels", got=str(len(values)))
