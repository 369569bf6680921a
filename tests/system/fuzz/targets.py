"""The fuzz targets: for each kind of file from outside, a function that reads given bytes as the stages do.

A target returns nothing for any bytes; an exception is a bug. To read another kind of file, add a target to TARGETS and
a folder of its name to cases/.
"""

import atexit
import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from core.cli.errors import StageError
from core.formats import formats
from core.images import decoding, fitting
from core.sources import datasets
from core.sources.tree import Tree

LONGEST_LINE = 1500  # a message does not repeat a file
MOST_LABELS = 1 << 16
COMMON = {"title": "Mine", "description": "fuzzed", "licence": "none", "classes": ["hat", "cap"]}

# A PNG file of a grey pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600700000900"
    "082023c38c0000000049454e44ae426082"
)

FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

Target = Callable[[bytes], None]


def _target(name: str, read: Callable[[Path], object]) -> Target:
    """Return the target that writes bytes to a file of this name, alone in its folder, and lets `read` read it.

    Our own errors pass if each is one short line.
    """
    folder = Path(tempfile.mkdtemp(dir=FOLDER))

    def target(data: bytes) -> None:
        (folder / name).write_bytes(data)
        try:
            read(folder / name)
        except StageError as error:
            lines = [f"error: {problem}" for problem in error.problems]
            assert lines, "an error without a line"
            for line in lines:
                assert line.isprintable() and len(line) < LONGEST_LINE and "; fix: " in line, line[:200]

    return target


def _card(format: str, **keys: Any) -> Any:
    return TypeAdapter(datasets.Card).validate_python(COMMON | {"format": format} | keys)


def _blocks(folder: Path, card: Any) -> None:
    """Read every image of the files in a folder."""
    with Tree(folder) as tree:
        for block in formats.read(tree, card).blocks:
            assert block.images.dtype == np.uint8 and block.images.ndim in (3, 4) and block.images.size
            assert block.labels.shape == block.images.shape[:1] and block.labels.dtype.kind in "iu"


def _alone(format: str) -> Callable[[Path], None]:
    card = _card(format)
    return lambda path: _blocks(path.parent, card)


IDX = _card("idx", files={"train_images": "x", "train_labels": "y"})


def _idx_images(path: Path) -> None:
    """Read images beside as many labels as their header says, if these are few."""
    count = 2
    with suppress(OSError, EOFError, zlib.error), gzip.open(path) as file:
        count = int.from_bytes(file.read(8)[4:], "big")
    if count < MOST_LABELS:
        path.with_name("y").write_bytes(bytes([0, 0, 8, 1]) + count.to_bytes(4, "big") + bytes(count))
        _blocks(path.parent, IDX)


def _idx_labels(path: Path) -> None:
    """Read labels beside as many images of a pixel as their header says, if these are few."""
    count = int.from_bytes(path.read_bytes()[4:8], "big")
    if count < MOST_LABELS:
        header = bytes([0, 0, 8, 3]) + count.to_bytes(4, "big") + bytes([0, 0, 0, 1, 0, 0, 0, 1])
        path.with_name("x").write_bytes(header + bytes(count))
        _blocks(path.parent, IDX)


def _members(path: Path) -> None:
    """Read every member of an archive."""
    with Tree(path) as tree:
        for name in tree.members(path.name):
            with tree.open(name) as file:
                while file.read(1 << 16):
                    pass


def _picture(path: Path) -> None:
    """Read image files, and convert them to images of a data set."""
    card = _card("pictures")
    for shape in ([28, 28], [28, 28, 3]):
        picture = decoding.decode(decoding.read(path), "picture")
        assert fitting.fit(picture, shape, card).values.shape == tuple(shape)


def _labels(path: Path) -> None:
    """Read a table of labels beside two pictures."""
    for name in ("1.png", "2.png"):
        path.with_name(name).write_bytes(PICTURE)
    with redirect_stdout(io.StringIO()):  # it says which pictures are left out
        _blocks(path.parent, _card("pictures", classes=None))


TARGETS: dict[str, Target] = {
    "idx_images": _target("x", _idx_images),
    "idx_labels": _target("y", _idx_labels),
    "npz": _target("mine.npz", _alone("npz")),
    "csv": _target("train.csv", _alone("csv")),
    "parquet": _target("train.parquet", _alone("parquet")),
    "cifar": _target("train.bin", _alone("cifar")),
    "zip": _target("mine.zip", _members),
    "tar": _target("mine.tar", _members),
    "picture": _target("picture", _picture),
    "labels": _target("labels.csv", _labels),
}
