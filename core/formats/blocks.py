"""What the reader of a format returns: blocks of images with their labels, and class names if the files have some."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ROWS = 1024  # images in a block, or fewer if they are large
BYTES = 1 << 22  # of the images in a block


@dataclass(frozen=True)
class Block:
    """Some images of a split, in their order.

    split: train, validation or test. images: uint8 (n, height, width) or (n, height, width, 3). labels: integer (n,),
    as the files have them. file, first: where the images are, for messages: a name of the tree, and the number of the
    first image there. notes: what was done to each image, empty if nothing. keys: the SHA-256 of each source picture,
    in hexadecimal; empty if the images are the source. names: of the file of each picture, in the tree; empty if the
    files are not pictures. is_sorted: whether the keys decide on the order of the images, and not the files.
    """

    split: str
    images: np.ndarray
    labels: np.ndarray
    file: str
    first: int = 0
    notes: Sequence[tuple[str, ...]] = ()
    keys: Sequence[str] = ()
    names: Sequence[str] = ()
    is_sorted: bool = False


class Contents(NamedTuple):
    """blocks: to be read once. classes: the names that the files give, in the order of the labels, or None. images: how
    many there are in all splits, or None if only reading tells.
    """

    blocks: Iterator[Block]
    classes: list[str] | None = None
    images: int | None = None


def key(image: np.ndarray) -> str:
    """Return the SHA-256 of a line with the shape of an image, followed by its values, uint8."""
    sha256 = hashlib.sha256(" ".join(map(str, image.shape)).encode() + b"\n")
    sha256.update(np.ascontiguousarray(image).data)
    return sha256.hexdigest()


def rows(shape: Sequence[int]) -> int:
    """Return how many images of this shape a block has."""
    return max(1, min(ROWS, BYTES // max(1, math.prod(shape))))
