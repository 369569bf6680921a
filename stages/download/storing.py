"""Store the images of a data set: check them against the card, and write the arrays of each split.

Images whose order is free are sorted by the hash of their source picture, then by label. The arrays then depend on the
pictures and the card, not on file names, and the first images are a fair sample.
"""

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, Problem, StageError
from core.config import datasets, schema
from core.files import arrays, class_names, preparation
from core.formats import blocks
from core.formats.blocks import Block, Contents
from core.images import pixels

IMAGES, LABELS, CLASSES, PREPARATION = "images.npy", "labels.npy", "classes.json", "preparation.json"
NEEDED = ("train", "test")
# The bytes that each pixel value takes: in data/raw, and as float32 in data/normalized. DVC's cache has both again.
RAW, NORMALIZED, COPIES = 1, 4, 2
WORTH_SAYING = 10**9  # bytes


class _Place(NamedTuple):
    """Where some images of a split are in the files."""

    file: str
    first: int
    count: int


class _Split:
    """A split as it grows."""

    def __init__(self, append: Callable[[np.ndarray], None]):
        self.append = append
        self.labels: list[np.ndarray] = []
        self.keys: list[str] = []
        self.digests: set[bytes] = set()
        self.places: list[_Place] = []


class Problems:
    """Makes the errors of a data set. shown: its folder, as it is named in messages. card: the path of its card."""

    def __init__(self, shown: str, card: Path):
        self.shown, self.card = shown, card

    def __call__(self, place: str, what: str, fix: str, *, expected: str = "", got: str = "") -> DataError:
        subject = f"{self.shown}/{place}" if place else self.shown
        return DataError(
            Problem(subject, what, expected=expected, got=got, fix=f"{fix} in {self.card}, then dvc repro")
        )


def store(contents: Contents, card: datasets.Described, folder: Path, problem: Problems) -> None:
    """Write images.npy and labels.npy of each split, classes.json and preparation.json; print a line for each split.

    Raises DataError, before anything appears, if the images do not fit the card or each other; StageError if the disk
    has no room.
    """
    splits: dict[str, _Split] = {}
    done: Counter[str] = Counter()
    shape: list[int] = list(card.image_shape or ())
    ends = [255, 0]
    with ExitStack() as files:
        for block in contents.blocks:
            if not splits:
                shape = shape or list(block.images.shape[1:])
                _require_room(folder, contents.images, shape)
            images, notes = _fitted(block, shape, problem)
            done.update(note.partition(" (")[0] for each in notes for note in each)
            ends = [min(ends[0], int(images.min())), max(ends[1], int(images.max()))]
            for name, rows in _divided(block, images, card, problem):
                if name not in splits:
                    path = folder / name / IMAGES
                    splits[name] = _Split(files.enter_context(arrays.growing(path, shape, np.uint8)))
                _add(splits[name], block, images, rows)
        labels = {name: np.concatenate(split.labels) - _first_label(card) for name, split in splits.items()}
        names = _classes(contents, card, labels, problem)
        for name in labels:
            _require_labels(name, labels[name], splits[name], names, problem)
        _require_splits(labels, names, card, problem)
        _require_contents(splits, ends, problem)
    for name, split in splits.items():
        order = _order(split, labels[name])
        arrays.write(folder / name / LABELS, labels[name][order].astype(np.uint8))
        if split.keys:
            _sort(folder / name / IMAGES, order)
        print(f"{name}: {len(order)} images, {' x '.join(map(str, shape))}")
    class_names.write(folder / CLASSES, names)
    total = sum(map(len, labels.values()))
    preparation.write(folder / PREPARATION, preparation.Preparation(images=total, done=dict(sorted(done.items()))))


def _fitted(block: Block, shape: Sequence[int], problem: Problems) -> tuple[np.ndarray, Sequence[tuple[str, ...]]]:
    """Return the images of a block with the channels of `shape`, and what was done to each."""
    if list(block.images.shape[1:3]) != list(shape[:2]):
        height, width = block.images.shape[1:3]
        expected, got = f"{shape[0]} x {shape[1]} pixels", f"{height} x {width}"
        fix = f"set image_shape: {[height, width, *shape[2:]]}, or correct files"
        raise problem(block.file, "images of another size", fix, expected=expected, got=got)
    images = pixels.with_channels(block.images, 3 if len(shape) == 3 else 1)
    if images is block.images:
        return images, block.notes
    return images, [("made colour" if len(shape) == 3 else "made grey",)] * len(images)


def _divided(
    block: Block, images: np.ndarray, card: datasets.Described, problem: Problems
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the split of each image, as a name and the indices of the images.

    With a test_fraction, the hash of a picture alone decides: a new picture moves no other one, and copies share a
    split.
    """
    fraction = getattr(card, "test_fraction", None)
    if fraction is None:
        yield block.split, np.arange(len(images))
        return
    if block.split == "test":
        raise problem(block.file, "test images, though the card has a test_fraction", "remove test_fraction")
    keys = block.keys or [blocks.key(image) for image in images]
    is_test = np.array([int(key, 16) < fraction * 2**256 for key in keys])
    for name, chosen in ((block.split, ~is_test), ("test", is_test)):
        if chosen.any():
            yield name, np.flatnonzero(chosen)


def _add(split: _Split, block: Block, images: np.ndarray, rows: np.ndarray) -> None:
    chosen = images[rows]
    split.append(chosen)
    split.labels.append(np.asarray(block.labels, np.int64)[rows])
    split.keys += [block.keys[row] for row in rows] if block.keys else []
    split.digests |= {hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in chosen}
    split.places.append(_Place(block.file, block.first, len(rows)))


def _first_label(card: datasets.Described) -> int:
    return getattr(card, "first_label", 0)


def _classes(
    contents: Contents, card: datasets.Described, labels: dict[str, np.ndarray], problem: Problems
) -> list[str]:
    """Return the class names of the card, or else those of the files."""
    names = card.classes or contents.classes
    if names is None:
        highest = max((int(values.max()) for values in labels.values()), default=0)
        what, fix = "no class names", f"list classes, one for each label from 0 to {highest},"
        raise problem("", what, fix)
    return schema.check(names, datasets.ClassNames, problem.card)


def _require_labels(name: str, labels: np.ndarray, split: _Split, classes: Sequence[str], problem: Problems) -> None:
    """Raise DataError for the first label that names no class."""
    wrong = (labels < 0) | (labels >= len(classes))
    if not wrong.any():
        return
    index = int(np.argmax(wrong))
    file, number = _place(split.places, index)
    what, got = f"label {number} is out of range", str(labels[index])
    fix = f"list {int(labels.max()) + 1} classes, or correct first_label"
    if labels.min() == 1 and labels.max() == len(classes):
        what, fix, got = "labels start at 1", "set first_label: 1", f"1 to {len(classes)}"
    raise problem(file, what, fix, expected=f"0 to {len(classes) - 1}", got=got)


def _place(places: Sequence[_Place], index: int) -> tuple[str, int]:
    """Return the file of an image of a split, and the number of its block's first image if the split was divided."""
    for place in places:
        if index < place.count:
            return place.file, place.first + index
        index -= place.count
    raise IndexError(index)


def _require_splits(
    labels: dict[str, np.ndarray], classes: Sequence[str], card: datasets.Described, problem: Problems
) -> None:
    """Raise DataError unless there are training and test images of each class."""
    for name in NEEDED:
        if name not in labels:
            fix = "set test_fraction, such as 0.2, or name test images" if name == "test" else "name training images"
            raise problem("", f"no {name} images", fix)
        counts = np.bincount(labels[name], minlength=len(classes))
        if not counts.all():
            missing = classes[int(counts.argmin())]
            fix = f"add images of {missing}, or change classes or test_fraction"
            raise problem("", f"no {name} image of class {missing}", fix)


def _require_contents(splits: dict[str, _Split], ends: Sequence[int], problem: Problems) -> None:
    """Raise DataError if nothing can be learned: all pixels are equal, or the test images are training images."""
    if ends[0] == ends[1]:
        what, got = "every pixel of every image has the same value", str(ends[0])
        raise problem("", what, "name other files", expected="different values", got=got)
    if splits["test"].digests <= splits["train"].digests:
        file = splits["test"].places[0].file
        raise problem(file, "every test image is also a training image", "name other test images")


def _order(split: _Split, labels: np.ndarray) -> np.ndarray:
    """Return the order in which images are stored, integer (n,)."""
    if not split.keys:
        return np.arange(len(labels))
    return np.array(sorted(range(len(labels)), key=lambda index: (split.keys[index], labels[index])))


def _sort(path: Path, order: np.ndarray) -> None:
    """Bring the images of a file into an order, with little memory."""
    images = arrays.read_images(path, np.uint8)
    with arrays.replacing(path, images.shape, np.uint8) as put:
        step = blocks.rows(images.shape[1:])
        for start in range(0, len(order), step):
            put((start,), arrays.pick(images, order[start : start + step]))


def _require_room(folder: Path, images: int | None, shape: Sequence[int]) -> None:
    """Say how much disk the arrays will take, if it is much. Raises StageError if there is less."""
    if images is None:
        return
    needed = images * math.prod(shape) * (RAW + NORMALIZED) * COPIES
    if needed > WORTH_SAYING:
        size = f"{images} images of {' x '.join(map(str, shape))}"
        print(f"{size} will take {needed / 1e9:.0f} GB: half in data/, half in DVC's cache")
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < needed:
        expected, got = f"{needed / 1e9:.1f} GB", f"{free / 1e9:.1f} GB free"
        fix = "free some disk (dvc gc --workspace removes old results), or set a smaller image_shape; then dvc repro"
        raise StageError(Problem(str(folder), "no room for the images", expected=expected, got=got, fix=fix))
