"""What a data set of datasets.yaml holds, before anything is trained on it.

    python -m tools.describe NAME

Brings the data set as the stage `download` does, into a folder that is removed again, and holds it against what the
stage `normalize` requires: it ends with an error only for what would make results wrong. Otherwise it prints the images
of each class, the sizes they came in, those that are there twice, whatever else looks odd, and the pins that the entry
lacks; and draws a grid of samples.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli import command
from core.config import datasets
from core.files import atomic, class_names
from core.formats import archives, folders, pictures
from stages.download.__main__ import bring
from stages.render import duplicates, style
from stages.render.figures.samples import labelled
from stages.validate import pins

FOLDER = Path("build/describe")
SAMPLES = 30
FEW = 10  # images of a class in a split, of which a score says next to nothing
MOST_SIZES = 5
DPI = 100


class Part(NamedTuple):
    """A split: images uint8 (n, height, width), labels uint8 (n,)."""

    images: np.ndarray
    labels: np.ndarray


def main(name: Path) -> None:
    """Describe the data set of that name, and draw samples of it into build/describe."""
    key = str(name)  # the command line gives paths
    entry = datasets.entry(key, given_as=f"python -m tools.describe {key}")
    # Of a folder the pictures that are there, be they those that are pinned or not.
    whole = pins.pinned(key, entry.model_copy(update={"sha256": ""}) if isinstance(entry, datasets.Pictured) else entry)
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary)
        bring(key, whole, raw)
        classes = class_names.read(raw / datasets.CLASSES)
        paths = {role: raw / file for role, file in whole.files().items()}
        read = archives.Archives(key, whole, paths, classes)
        parts = read.parts()
        train, test = (Part(np.concatenate(list(read.images(split))), parts[split].labels) for split in archives.SPLITS)
    print(f"\n{key}: {entry.title}, {len(train.images)} training and {len(test.images)} test images, ", end="")
    print(" x ".join(map(str, entry.image_shape)))
    print("\n".join(table(train.labels, test.labels, classes)))
    if isinstance(whole, datasets.Pictured):
        print(f"sizes they came in: {', '.join(sizes(whole))}")
    odd = [*_unpinned(key, entry, whole), *oddities(train, test, classes)]
    print("\n".join(["worth a look:", *(f"  {line}" for line in odd)] if odd else ["nothing looks odd"]))
    target = FOLDER / f"{key}.png"
    chosen = samples(train.labels, len(classes))
    drawn = style.png(lambda: labelled(train.images[chosen] / 255, train.labels[chosen], style.drawable(classes)), DPI)
    atomic.write_bytes(target, drawn)
    print(f"samples, drawn as in the report, 0 white and 255 black: {target}")


def table(train: np.ndarray, test: np.ndarray, classes: list[str]) -> Iterator[str]:
    """Yield lines with the number of images of each class: labels uint8 (n,) of both splits."""
    width = max(map(len, ["class", *classes]))
    counts = zip(*(np.bincount(labels, minlength=len(classes)) for labels in (train, test)), strict=True)
    yield f"{'class':{width}}  {'train':>9}  {'test':>9}"
    for name, (of_train, of_test) in zip(classes, counts, strict=True):
        yield f"{name:{width}}  {of_train:>9,}  {of_test:>9,}"


def sizes(entry: datasets.Pictured) -> list[str]:
    """Return the most frequent sizes of the pictures in a folder, height by width, and how many have each."""
    counts: Counter[tuple[int, int]] = Counter()
    for place in folders.listing(entry).places:
        width, height = pictures.decode(pictures.read(place.path), place.name).image.size
        counts[height, width] += 1
    listed = [f"{height} x {width}: {count:,}" for (height, width), count in counts.most_common(MOST_SIZES)]
    return [*listed, *([f"{len(counts) - MOST_SIZES} others"] if len(counts) > MOST_SIZES else [])]


def oddities(train: Part, test: Part, classes: list[str]) -> Iterator[str]:
    """Yield a line for each thing that is not wrong by itself, but may not be meant."""
    of_train, of_test = duplicates.digests(train.images), duplicates.digests(test.images)
    for split, copies in (
        ("training images equal an earlier one", duplicates.within(of_train, train.labels)),
        ("test images equal an earlier one", duplicates.within(of_test, test.labels)),
        ("test images are among the training images", duplicates.shared(of_test, test.labels, of_train, train.labels)),
    ):
        if number := len(copies.indices):
            others = number - int(copies.same_label.sum())
            yield f"{number:,} {split}, {others:,} of them with another label"
    for split, part in (("training", train), ("test", test)):
        flat = part.images.reshape(len(part.images), -1)
        if blank := int((flat.min(axis=1) == flat.max(axis=1)).sum()):
            yield f"{blank:,} {split} images are of one value all over"
        counts = np.bincount(part.labels, minlength=len(classes))
        if few := int((counts < FEW).sum()):
            yield f"{few:,} classes have fewer than {FEW} {split} images"


def samples(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the indices of at most SAMPLES images: the first of each class, then the second of each, and so on.

    Of more classes than that, it takes some, evenly spread.
    """
    shown = np.unique(np.linspace(0, classes - 1, min(classes, SAMPLES)).round())
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - starts
    by_rank = np.lexsort((labels, rank))
    return by_rank[np.isin(labels[by_rank], shown)][:SAMPLES]


def _unpinned(name: str, entry: datasets.Entry, whole: datasets.Entry) -> list[str]:
    """Return a line for each pin that is missing, or is one of other pictures."""
    lines = [str(problem) for problem in pins.missing(name, entry, whole)]
    if isinstance(entry, datasets.Pictured) and isinstance(whole, datasets.Pictured):
        others = entry.sha256 not in ("", whole.sha256)
        lines += [f'these are not the pictures that are pinned; theirs is sha256: "{whole.sha256}"'] * others
    return lines


if __name__ == "__main__":
    command.run(main)
