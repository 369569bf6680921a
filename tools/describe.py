"""Describe a data set of datasets.yaml before anything is trained on it.

    python -m tools.describe NAME

Writes the data set to a temporary folder as the stage `download` does, and checks it as the stage `normalize` does: the
exit code is 4 if the data would give wrong results. Otherwise prints the number of images by class, the sizes of the
pictures, duplicates, other oddities and missing pins; draws samples into build/describe.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from core.cli import command  # before any package, so that a python without packages ends in one line

# isort: split
import numpy as np

from core.config import datasets
from core.files import atomic, class_names
from core.formats import archives, image_file, image_folder
from stages.download.__main__ import write
from stages.render import duplicates, style
from stages.render.figures.samples import labelled
from stages.validate import pins

FOLDER = Path("build/describe")
SAMPLES = 30
FEW = 10  # images of a class in a split; a score on fewer says little
MOST_SIZES = 5
DPI = 100


class Part(NamedTuple):
    """A split: images uint8 (n, height, width), labels uint8 (n,)."""

    images: np.ndarray
    labels: np.ndarray


def main(name: str) -> None:
    """Describe the data set NAME of datasets.yaml, and draw samples of it into build/describe."""
    entry = datasets.entry(name, given_as=f"python -m tools.describe {name}")
    # An image folder is described as it is now, whether or not the entry pins it.
    bare = entry.model_copy(update={"sha256": ""}) if isinstance(entry, datasets.ImageFolder) else entry
    whole = pins.pinned(name, bare)
    classes, train, test = _read(name, whole)
    shape = " x ".join(map(str, entry.image_shape))
    print(f"\n{name}: {entry.title}, {len(train.images)} training and {len(test.images)} test images, {shape}")
    print("\n".join(table(train.labels, test.labels, classes)))
    if isinstance(whole, datasets.ImageFolder):
        print(f"sizes of the pictures: {', '.join(sizes(whole))}")
    odd = [*_unpinned(name, entry, whole), *oddities(train, test, classes)]
    print("\n".join(["worth a look:", *(f"  {line}" for line in odd)] if odd else ["nothing looks odd"]))
    print(f"samples, drawn as in the report, 0 white and 255 black: {_draw(name, train, classes)}")


def table(train: np.ndarray, test: np.ndarray, classes: list[str]) -> Iterator[str]:
    """Yield lines with the number of images by class, from the labels of both splits, uint8 (n,)."""
    width = max(map(len, ["class", *classes]))
    counts = zip(*(np.bincount(labels, minlength=len(classes)) for labels in (train, test)), strict=True)
    yield f"{'class':{width}}  {'train':>9}  {'test':>9}"
    for name, (of_train, of_test) in zip(classes, counts, strict=True):
        yield f"{name:{width}}  {of_train:>9,}  {of_test:>9,}"


def sizes(entry: datasets.ImageFolder) -> list[str]:
    """Return the most frequent sizes of the pictures in an image folder, height x width, each with its count."""
    counts: Counter[tuple[int, int]] = Counter()
    for place in image_folder.listing(entry).places:
        width, height = image_file.decode(image_file.read(place.path), place.name).image.size
        counts[height, width] += 1
    listed = [f"{height} x {width}: {count:,}" for (height, width), count in counts.most_common(MOST_SIZES)]
    return [*listed, *([f"{len(counts) - MOST_SIZES} others"] if len(counts) > MOST_SIZES else [])]


def oddities(train: Part, test: Part, classes: list[str]) -> Iterator[str]:
    """Yield a line for each thing that is not wrong by itself, but may be a mistake."""
    of_train, of_test = duplicates.digests(train.images), duplicates.digests(test.images)
    for where, copies in (
        ("training images equal an earlier one", duplicates.within(of_train, train.labels)),
        ("test images equal an earlier one", duplicates.within(of_test, test.labels)),
        ("test images are among the training images", duplicates.shared(of_test, test.labels, of_train, train.labels)),
    ):
        if number := len(copies):
            yield f"{number:,} {where}, {number - sum(copies.values()):,} of them with another label"
    for split, part in (("training", train), ("test", test)):
        flat = part.images.reshape(len(part.images), -1)
        if blank := int((flat.min(axis=1) == flat.max(axis=1)).sum()):
            yield f"{blank:,} {split} images have one value in all pixels"
        counts = np.bincount(part.labels, minlength=len(classes))
        if few := int((counts < FEW).sum()):
            yield f"{few:,} classes have fewer than {FEW} {split} images"


def samples(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the indices of at most SAMPLES images: the first of each class, then the second of each, and so on.

    If there are more than SAMPLES classes, some are chosen, evenly spaced.
    """
    shown = np.unique(np.linspace(0, classes - 1, min(classes, SAMPLES)).round())
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.searchsorted(labels[order], labels[order])
    by_rank = np.lexsort((labels, rank))
    return by_rank[np.isin(labels[by_rank], shown)][:SAMPLES]


def _read(name: str, entry: datasets.Entry) -> tuple[list[str], Part, Part]:
    """Return the class names and both splits, checked. Raises DataError or NetworkError."""
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary)
        write(name, entry, raw)
        classes = class_names.read(raw / datasets.CLASSES)
        read = archives.Archives(name, entry, {role: raw / file for role, file in entry.files().items()}, classes)
        parts = read.parts()
        train, test = (Part(np.concatenate(list(read.images(split))), parts[split].labels) for split in archives.SPLITS)
    return classes, train, test


def _draw(name: str, train: Part, classes: list[str]) -> Path:
    """Draw samples of the training images, and return the path of the figure."""
    path, chosen = FOLDER / f"{name}.png", samples(train.labels, len(classes))
    images, labels, names = train.images[chosen] / 255, train.labels[chosen], style.drawable(classes)
    atomic.write_bytes(path, style.png(lambda: labelled(images, labels, names), DPI))
    return path


def _unpinned(name: str, entry: datasets.Entry, whole: datasets.Entry) -> list[str]:
    """Return a line for each pin that is missing or wrong."""
    lines = [str(problem) for problem in pins.missing(name, entry, whole)]
    if isinstance(whole, datasets.ImageFolder) and isinstance(entry, datasets.ImageFolder) and entry.sha256:
        changed = entry.sha256 != whole.sha256
        lines += [f'the pictures differ from the pinned ones; the new pin is sha256: "{whole.sha256}"'] * changed
    return lines


if __name__ == "__main__":
    command.run(main)
