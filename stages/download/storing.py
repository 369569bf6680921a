"""Store the images of a data set: check them against the card, and write the arrays of each split.

Images whose order is free are sorted by the hash of their source picture, then by label. The arrays then depend on the
pictures and the card, not on file names, and the first images are a fair sample.
"""

import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from core.cli.errors import DataError, InputError, Problem, StageError
from core.config import schema
from core.files import arrays, class_names, preparation
from core.formats import blocks
from core.formats.blocks import Block, Contents
from core.images import pixels
from core.sources import datasets

IMAGES, LABELS, CLASSES, PREPARATION = "images.npy", "labels.npy", "classes.json", "preparation.json"
NEEDED = ("train", "test")
UNFINISHED = "unfinished"  # a folder in data/raw; a killed run leaves it behind
# The bytes that each pixel value takes: in data/raw, and as float32 in data/normalized. DVC's cache has both again.
RAW, NORMALIZED, COPIES = 1, 4, 2
WORTH_SAYING = 10**9  # bytes


class _Split:
    """A split as it grows: its images in a file, and in memory its labels as the files have them, the key of each
    image, where the images are: files, with the numbers of the images there; and the name of each picture.
    """

    def __init__(self, append: Callable[[np.ndarray], None]):
        self.append = append
        self.labels: list[np.ndarray] = []
        self.keys: list[str] = []
        self.places: list[tuple[str, np.ndarray]] = []
        self.names: list[str] = []


class Problems:
    """Makes the errors of a data set. shown: its folder, as it is named in messages. card: the path of its card."""

    def __init__(self, shown: str, card: Path):
        self.shown, self.card = shown, card

    def __call__(self, place: str, what: str, fix: str, *, expected: str = "", got: str = "") -> DataError:
        subject = f"{self.shown}/{place}" if place else self.shown
        fix = f"{fix} in {self.card}, then dvc repro"
        return DataError(Problem(subject, what, expected=expected, got=got, fix=fix))


def store(contents: Contents, card: datasets.Described, folder: Path, problem: Problems) -> dict[str, list[str]]:
    """Write images.npy and labels.npy of each split, classes.json and preparation.json; print a line for each split.

    Return the file of each image of each split; no files for a split whose files are not pictures.
    Raises DataError, before anything appears, if the images do not fit the card or each other; StageError if the disk
    has no room.
    """
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        names = _write(contents, card, unfinished, problem)
        for name in datasets.SPLITS:
            shutil.rmtree(folder / name, ignore_errors=True)
        for path in unfinished.iterdir():
            path.replace(folder / path.name)
        return names
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(contents: Contents, card: datasets.Described, folder: Path, problem: Problems) -> dict[str, list[str]]:
    splits: dict[str, _Split] = {}
    done: Counter[str] = Counter()
    shape = list(card.image_shape or ())
    ends = [255, 0]
    count, free = 0, 0  # images so far, and bytes on the disk before them
    is_free = False  # whether the files leave the order of the images free
    classes = _classes(contents, card, problem)
    with ExitStack() as files:
        for block in contents.blocks:
            if not splits:
                shape = shape or list(block.images.shape[1:])
                folder.mkdir(parents=True)
                free = shutil.disk_usage(folder).free
                _say_room(contents.images or 0, shape)
            count += len(block.images)
            _require_room(folder, max(count, contents.images or 0), shape, free)
            images, notes = _fitted(block, shape, problem)
            is_free = block.is_sorted
            keys = block.keys or [blocks.key(image) for image in images]
            done.update(note.partition(" (")[0] for each in notes for note in each)
            ends = [min(ends[0], int(images.min())), max(ends[1], int(images.max()))]
            for name, rows in _divided(block, keys, card, problem):
                if name not in splits:
                    splits[name] = _Split(files.enter_context(arrays.growing(folder / name / IMAGES, shape, np.uint8)))
                splits[name].append(images[rows])
                splits[name].labels.append(np.asarray(block.labels, np.int64)[rows])
                splits[name].keys += [keys[row] for row in rows]
                splits[name].places.append((block.file, block.first + rows))
                splits[name].names += [block.names[row] for row in rows if block.names]
    labels = {name: np.concatenate(split.labels) - getattr(card, "first_label", 0) for name, split in splits.items()}
    for name, split in splits.items():
        _require_labels(labels[name], split, classes, is_free, problem)
    _require_splits(labels, classes, problem)
    _require_contents(splits, ends, problem)
    for name, split in splits.items():
        order = np.arange(len(split.keys))
        if is_free:
            order = np.lexsort((labels[name], np.array(split.keys, "S64")))
            _sort(folder / name / IMAGES, order)
            split.names = [split.names[row] for row in order if split.names]
        arrays.write(folder / name / LABELS, labels[name][order].astype(np.uint8))
        print(f"{name}: {len(order)} images, {' x '.join(map(str, shape))}")
    class_names.write(folder / CLASSES, classes)
    total = sum(map(len, labels.values()))
    preparation.write(folder / PREPARATION, preparation.Preparation(images=total, done=dict(sorted(done.items()))))
    return {name: split.names for name, split in splits.items()}


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
    block: Block, keys: Sequence[str], card: datasets.Described, problem: Problems
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the splits of the images of a block: a name, and the indices of its images.

    With a test_fraction, the hash of a training image alone decides: a new one moves no other, and copies share a
    split.
    """
    fraction = getattr(card, "test_fraction", None)
    if fraction and block.split == "test":
        raise problem(block.file, "test images, though the card has a test_fraction", "remove test_fraction")
    if not fraction or block.split != "train":
        yield block.split, np.arange(len(keys))
        return
    is_test = np.array([int(key, 16) < fraction * 2**256 for key in keys])
    for name, chosen in (("train", ~is_test), ("test", is_test)):
        if chosen.any():
            yield name, np.flatnonzero(chosen)


def _classes(contents: Contents, card: datasets.Described, problem: Problems) -> list[str]:
    """Return the class names of the card, or else those of the files. Raises DataError if only their order differs."""
    own, theirs = card.classes or [], contents.classes or []
    if own != theirs and sorted(own) == sorted(map(str, theirs)):
        what, fix = "classes in another order than in the files", "give classes that order"
        raise problem("", what, fix, expected=f"{theirs!s:.300}", got=f"{own!s:.300}")
    if own or not theirs:
        return own
    try:
        return schema.check(theirs, datasets.ClassNames, Path(problem.shown))
    except InputError as error:
        fix = f"rename classes in the files, or list them as classes in {problem.card}, then dvc repro"
        raise DataError(*(replace(each, fix=fix) for each in error.problems)) from error


def _require_labels(
    labels: np.ndarray, split: _Split, classes: Sequence[str], is_free: bool, problem: Problems
) -> None:
    """Raise DataError for the first label that names no class."""
    highest = int(labels.max())
    if not classes:
        raise problem("", "no class names", f"list classes, one for each label from 0 to {highest},")
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if not len(wrong):
        return
    file, number = _place(split, wrong[0])
    what = "a label is out of range" if is_free else f"the label of image {number} is out of range"
    fix, got = f"list {highest + 1} classes, or correct first_label", str(labels[wrong[0]])
    if labels.min() == 1 and highest == len(classes):
        what, fix, got = "labels start at 1", "set first_label: 1", f"1 to {highest}"
    raise problem(file, what, fix, expected=f"0 to {len(classes) - 1}", got=got)


def _place(split: _Split, index: int) -> tuple[str, int]:
    """Return the file of an image of a split, and its number there."""
    numbers = np.concatenate([numbers for _, numbers in split.places])
    ends = np.cumsum([len(numbers) for _, numbers in split.places])
    return split.places[int(np.searchsorted(ends, index, side="right"))][0], int(numbers[index])


def _require_splits(labels: dict[str, np.ndarray], classes: Sequence[str], problem: Problems) -> None:
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
    """Raise DataError if nothing can be learned or measured: all pixels are equal, or a split is part of another."""
    if ends[0] == ends[1]:
        what, got = "every pixel of every image has the same value", str(ends[0])
        raise problem("", what, "name other files", expected="different values", got=got)
    keys = {name: set(splits[name].keys) for name in datasets.SPLITS if name in splits}
    for pair in combinations(keys, 2):
        small, large = sorted(reversed(pair), key=lambda name: len(keys[name]))
        if keys[small] <= keys[large]:
            what = f"every {small} image is also a {large} image"
            raise problem(splits[small].places[0][0], what, f"name other {small} images")


def _sort(path: Path, order: np.ndarray) -> None:
    """Bring the images of a file into an order, with little memory."""
    images = arrays.read_images(path, np.uint8)
    with arrays.growing(path, images.shape[1:], np.uint8) as append:
        for rows in arrays.blocks(order, blocks.rows(images.shape[1:])):
            append(arrays.pick(images, rows))


def _needed(images: int, shape: Sequence[int]) -> int:
    """Return how many bytes of disk the arrays will take."""
    return images * math.prod(shape) * (RAW + NORMALIZED) * COPIES


def _say_room(images: int, shape: Sequence[int]) -> None:
    """Say how much disk the arrays will take, if it is much. Without a number of images, nothing is known."""
    if (needed := _needed(images, shape)) > WORTH_SAYING:
        size = f"{images} images of {' x '.join(map(str, shape))}"
        print(f"{size} will take {needed / 1e9:.0f} GB: half in data/, half in DVC's cache")


def _require_room(folder: Path, images: int, shape: Sequence[int], free: int) -> None:
    """Raise StageError if this many images take more bytes of disk than were free."""
    if (needed := _needed(images, shape)) > free:
        expected, got = f"{needed / 1e9:.1f} GB for {images} images", f"{free / 1e9:.1f} GB free"
        fix = "free some disk (dvc gc --workspace removes old results), or set a smaller image_shape; then dvc repro"
        raise StageError(Problem(str(folder.parent), "no room for the images", expected=expected, got=got, fix=fix))
