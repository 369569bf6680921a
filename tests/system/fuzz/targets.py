"""What is fuzzed: for each kind of file a function that reads given bytes as the stages read such a file.

A target returns nothing, whatever it is given; what it raises is a bug. To read another kind of file, add a target to
TARGETS and a folder of its name to cases/.
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
from core.config import datasets, params
from core.files import arrays
from core.formats import idx, image_file
from stages.render import results

# Longer than any line of ours: a message does not repeat a file.
LONGEST_LINE = 1500

FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

Target = Callable[[bytes], None]


def _file(read: Callable[[Path], object]) -> Target:
    """Return the target that writes bytes to a file, has it read, and lets our own errors pass if they say it well."""

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
    """The archives as they are downloaded."""
    images = idx.read(path, 3)
    assert images.dtype == np.uint8 and images.ndim == 3


@_file
def idx_labels(path: Path) -> None:
    """What is inside an archive: no mutation of compressed bytes would keep their checksum."""
    path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
    labels = idx.read(path, 1)
    assert labels.dtype == np.uint8 and labels.ndim == 1


@_file
def picture(path: Path) -> None:
    """Anybody's pictures, and what is made of them."""
    image = image_file.decode(image_file.read(path), "picture").image
    values = image_file.grey(image, 255)
    assert values.dtype == np.uint8 and values.shape == (image.height, image.width)
    assert image_file.fitted(image_file.inverted(values, "auto")[0], (28, 28)).shape == (28, 28)


@_file
def npy(path: Path) -> None:
    """The arrays between stages."""
    array = arrays.read(path, np.float32, 2)
    assert array.dtype == np.float32 and array.ndim == 2 and array.size
    float(array.max())


@_file
def params_yaml(path: Path) -> None:
    """All of it as `validate` reads it."""
    params.load(path)


@_file
def datasets_yaml(path: Path) -> None:
    """All of it as `validate` reads it; what is accepted can be printed and written."""
    for name, entry in datasets.load(path).items():
        assert repr(entry.model_dump()).isprintable()
        assert datasets.entry(name, path) == entry


@_file
def classes_json(path: Path) -> None:
    """The class names."""
    for name in arrays.read_classes(path):
        name.encode()


@_file
def metrics_json(path: Path) -> None:
    """The scores."""
    results.read_train_scores(path)


@_file
def training_json(path: Path) -> None:
    """What is known of the training."""
    results.read_training(path)


@_file
def history_csv(path: Path) -> None:
    """The course of the training."""
    history = results.read_history(path)
    assert all(np.isfinite(history[name]).all() for name in history.dtype.names)


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        *(idx_images, idx_labels, picture, npy, params_yaml, datasets_yaml),
        *(classes_json, metrics_json, training_json, history_csv),
    )
}
