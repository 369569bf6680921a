"""Read files that have no card yet: find out what their images and labels tell, and keep the images."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.config.schema import MOST_CLASSES
from core.formats import formats, table_labels
from core.formats.blocks import Block, Contents
from core.sources import datasets
from core.sources.tree import Tree
from tools.describe import description

LONGEST = 64  # pixels a side of pictures, unless the card is edited: larger ones are slow to train on
TEST_FRACTION = 0.2


class Found(NamedTuple):
    """contents: what the files hold, or None if they can't be read. keys: of the card. comments: on some of them."""

    contents: Contents | None
    keys: dict[str, Any]
    comments: dict[str, str]


def read(tree: Tree, card: datasets.Files, path: Path) -> Found:
    """Read all images into a file, and find out what they tell. Raises DataError."""
    seen = table_labels.Seen()
    if isinstance(card, datasets.Csv | datasets.Parquet):
        card = card.model_copy(update={"classes": seen})
    contents = formats.read(tree, card, LONGEST)
    first, blocks = None, list[tuple[Block, tuple[int, ...]]]()  # without their images, but with the shape of these
    with open(path, "wb") as file:
        for block in contents.blocks:
            first = first or block
            file.write(np.ascontiguousarray(block.images).data)
            blocks.append((replace(block, images=np.empty(0, np.uint8)), block.images.shape))
    if first is None:
        raise tree.error("", "no images", "name other files in the card")

    is_named = not all(map(table_labels.NUMBER.fullmatch, seen))
    if seen:
        meant = np.array([sorted(seen).index(label) if is_named else int(label) for label in seen])
        blocks = [(replace(block, labels=meant[block.labels]), shape) for block, shape in blocks]

    def again() -> Iterator[Block]:
        with open(path, "rb") as file:
            for block, shape in blocks:
                yield replace(block, images=np.frombuffer(file.read(math.prod(shape)), np.uint8).reshape(shape))

    low, high = (int(end([end(block.labels) for block, _ in blocks])) for end in (np.min, np.max))
    keys: dict[str, Any] = {"image_shape": list(first.images.shape[1:])}
    comments = {} if is_named else {"classes": "replace these numbers with names"}
    if first.notes and (size := description.size(first.notes[0])) and max(size) > LONGEST:
        comments["image_shape"] = f"of {' x '.join(map(str, size))}: larger images train slower"
    if contents.classes is None:
        numbers = range(low == 1, min(high, MOST_CLASSES) + 1)
        keys["classes"] = sorted(seen) if is_named else list(map(str, numbers))
    if low == 1 and not is_named:
        keys["first_label"] = 1
    if all(block.split != "test" for block, _ in blocks):
        keys["test_fraction"] = TEST_FRACTION
    return Found(contents._replace(blocks=again()), keys, comments)
