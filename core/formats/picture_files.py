"""Picture files before they become images: in batches, and the shape of a data set by its first pictures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from core.cli.errors import DataError, Problem
from core.formats import blocks
from core.images import decoding, pixels


class Encoded(NamedTuple):
    """A picture file: its name in the tree, its split and label, and its bytes, or why it can't be read."""

    name: str
    split: str
    label: int
    data: bytes | Sequence[Problem]


def batches(files: Iterable[Encoded], most: int) -> Iterator[list[Encoded]]:
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


def shape(batch: Iterable[Encoded]) -> tuple[str, list[int]]:
    """Return the name and the size of the first picture that can be read, in colour if any picture of the batch is.

    If none can be read, the shape is of no use.
    """
    first, size = "", [1, 1]
    for file in batch:
        with suppress(DataError):
            image = decoding.decode(file.data if isinstance(file.data, bytes) else b"", file.name).image
            first, size = (first, size) if first else (file.name, [image.height, image.width])
            if image.mode not in pixels.GREY_MODES:
                return first, [*size, 3]
    return first, size


def smaller(shape: Sequence[int], longest: int) -> list[int]:
    """Return the shape of images with `longest` pixels on the longer side, unless they have fewer."""
    scale = min(1, longest / max(shape[:2]))
    return [*(max(1, round(side * scale)) for side in shape[:2]), *shape[2:]]
