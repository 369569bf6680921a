"""Read the images of the chosen data set, from any format, as uint8 arrays of one shape.

Reads the card, the files in sources/<name>, and the locked version of Pillow, which decodes and draws pictures. Writes
images.npy and labels.npy of each split, classes.json, and preparation.json. A card with mirrors has its archives
fetched first. The environment variable DATASET_MIRROR may name a folder or a URL that holds <data set>/<archive>; it is
tried before the mirrors and changes no bytes: SHA-256 pins them.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.cli import command
from core.files import atomic
from core.formats import formats
from core.formats.blocks import Contents
from core.sources import datasets, kept
from core.sources.tree import Tree
from stages.download import garments, pillow, storing


def main(card: Path, source: Path, pillow_lock: Path, raw: Path) -> None:
    """Write the arrays of a data set into a folder."""
    kept.require(card.stem)
    described = datasets.read(card)
    if isinstance(described, (datasets.Garments, *datasets.FITTED)):
        pillow.require_locked(pillow_lock)
    write(described, card, source, raw)


def write(described: datasets.Card, card: Path, source: Path, raw: Path) -> None:
    """Write the arrays of a data set into a folder. Raises DataError, NetworkError or StageError."""
    with reading(described, source, raw) as contents:
        storing.store(contents, described, raw, storing.Problems(str(source), card))


@contextmanager
def reading(card: datasets.Card, source: Path, raw: Path) -> Iterator[Contents]:
    """Yield the images of a data set in blocks. Archives are fetched first, into a folder beside `raw`.

    Raises DataError or NetworkError.
    """
    if isinstance(card, datasets.Garments):
        yield garments.read(card)
        return
    from stages.download import fetch  # requests takes a tenth of a second, and few data sets need it

    with atomic.beside(raw) as temporary:
        for file, pin in card.archives.items():
            address = fetch.fetch(file, pin, addresses(source.name, card, file), temporary / file)
            print(f"{file}: {pin.size} bytes from {address}")
        with Tree(temporary, str(source)) if card.archives else Tree(source, scratch=temporary) as tree:
            contents = formats.read(tree, card)
            with closing(contents.blocks):  # type: ignore[type-var] # a generator, which may be in the middle of a file
                yield contents


def addresses(name: str, card: datasets.FromFiles, file: str) -> list[str]:
    """Return where an archive of a data set may be, the first choice first."""
    own_mirror = os.environ.get("DATASET_MIRROR")
    mirrors = [f"{own_mirror.rstrip('/')}/{name}"] if own_mirror else []
    return [f"{mirror.rstrip('/')}/{file}" for mirror in [*mirrors, *card.mirrors]]


if __name__ == "__main__":
    command.run(main)
