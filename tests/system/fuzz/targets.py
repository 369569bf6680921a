"""The fuzz targets: for each kind of file from outside, a function that reads given bytes as the stages do.

A target returns nothing for any bytes; an exception is a bug. To read another kind of file, add a target to TARGETS and
a folder of its name to cases/.
"""

import atexit
import gzip
import shutil
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import numpy as np

from core.cli.errors import StageError
from core.formats import idx, image_file

LONGEST_LINE = 1500  # a message does not repeat a file

FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

Target = Callable[[bytes], None]


def _file(read: Callable[[Path], object]) -> Target:
    """Return the target that writes bytes to a file and reads it; our own errors pass if each is one short line."""

    @wraps(read)
    def target(data: bytes) -> None:
        path = FOLDER / read.__name__
        path.write_bytes(data)
        try:
            read(path)
        except StageError as error:
            lines = [f"error: {problem}" for problem in error.problems]
            assert lines, "an error without a line"
            for line in lines:
                assert line.isprintable() and len(line) < LONGEST_LINE and "; fix: " in line, line[:200]

    return target


@_file
def idx_images(path: Path) -> None:
    """Read archives as they are downloaded."""
    images = idx.read(path, 3)
    assert images.dtype == np.uint8 and images.ndim == 3


@_file
def idx_labels(path: Path) -> None:
    """Read the contents of an archive: a mutation of compressed bytes never keeps their checksum."""
    path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
    labels = idx.read(path, 1)
    assert labels.dtype == np.uint8 and labels.ndim == 1


@_file
def picture(path: Path) -> None:
    """Read image files, and convert them to images of a data set."""
    image = image_file.decode(image_file.read(path), "picture").image
    values = image_file.grey(image, 255)
    assert values.dtype == np.uint8 and values.shape == (image.height, image.width)
    assert image_file.fitted(image_file.inverted(values, "auto")[0], (28, 28)).shape == (28, 28)


TARGETS: dict[str, Target] = {target.__name__: target for target in (idx_images, idx_labels, picture)}
