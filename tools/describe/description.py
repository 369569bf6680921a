"""Read a data set as the stage `download` does, and print what it holds and what looks odd."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from core.files import arrays, atomic, class_names, preparation
from core.files.arrays import Split
from core.formats.blocks import Block, Contents
from core.images import pixels, suffixes
from core.sources import datasets
from core.sources.tree import Tree
from stages.download import __main__ as download
from stages.download import storing
from stages.render import duplicates, style
from stages.render.figures.samples import labelled, white_on_black

FOLDER = Path("build/describe")
SAMPLES = 30
FEW = 10  # images of a class in a split; a score on fewer says little
MOST_SIZES = 5
DPI = 100


def show(name: str, card: datasets.Card, source: Path, shown: str = "", known: Contents | None = None) -> None:
    """Print the description of a data set whose files are in `source`, and draw samples.

    shown: the folder of the files in messages, if it is not `source`. known: what the files hold, if they have been
    read. Raises DataError if the data would give wrong results.
    """
    with atomic.beside(FOLDER / name) as temporary:
        raw, sizes = temporary / "raw", Counter[str]()
        with nullcontext(known) if known else download.reading(card, source, raw) as contents:
            blocks = _counting(contents.blocks, sizes)
            problems = storing.Problems(shown or str(source), datasets.path_of(name))
            storing.store(contents._replace(blocks=blocks), card, raw, problems)
        classes = class_names.read(raw / storing.CLASSES)
        there = [split for split in datasets.SPLITS if (raw / split).is_dir()]
        parts = {split: arrays.read_split(raw / split, dtype=arrays.RAW) for split in there}
        prepared = preparation.read(raw / storing.PREPARATION)
        numbers = ", ".join(f"{len(part.labels):,} {split}" for split, part in parts.items())
        shape = " x ".join(map(str, parts["train"].images.shape[1:]))
        print(f"\n{name}: {card.title}; {numbers} images, {shape}")
        print("\n".join(table({split: part.labels for split, part in parts.items()}, classes)))
        if sizes:
            print(f"sizes of the pictures, height x width: {', '.join(most(sizes))}")
        if prepared.done:
            print(f"of {prepared.images:,} pictures: {'; '.join(prepared.phrases())}")
        if command := _converter(card, source):
            print(f"to make PNG files of the other pictures, run: {command}")
        odd = list(oddities(parts, classes))
        print("\n".join(["worth a look:", *(f"  {line}" for line in odd)] if odd else ["nothing looks odd"]))
        print(f"samples: {_draw(name, parts['train'], classes)}")


def table(labels: dict[str, np.ndarray], classes: list[str]) -> Iterator[str]:
    """Yield lines with the number of images by class, from the labels of each split, uint8 (n,)."""
    width = max(map(len, ["class", *classes]))
    yield f"{'class':{width}}" + "".join(f"  {split:>10}" for split in labels)
    counts = zip(*(np.bincount(each, minlength=len(classes)) for each in labels.values()), strict=True)
    for name, row in zip(classes, counts, strict=True):
        yield f"{name:{width}}" + "".join(f"  {count:>10,}" for count in row)


def most(sizes: Counter[str]) -> list[str]:
    """Return the most frequent sizes, each with its count."""
    listed = [f"{size}: {count:,}" for size, count in sizes.most_common(MOST_SIZES)]
    return [*listed, *([f"{len(sizes) - MOST_SIZES} others"] if len(sizes) > MOST_SIZES else [])]


def oddities(parts: dict[str, Split], classes: list[str]) -> Iterator[str]:
    """Yield a line for each thing that is not wrong by itself, but may be a mistake. Images: uint8."""
    digests = {split: duplicates.digests(part.images) for split, part in parts.items()}
    for split, part in parts.items():
        copies = duplicates.within(digests[split], part.labels)
        yield from _copies(copies, f"{split} images equal to an earlier one")
    for split in list(parts)[1:]:
        copies = duplicates.shared(digests[split], parts[split].labels, digests["train"], parts["train"].labels)
        yield from _copies(copies, f"{split} images that are among the training images")
    coloured = False
    for split, part in parts.items():
        blank = 0
        for block in arrays.blocks(part.images):
            flat = block.reshape(len(block), -1)
            blank += int((flat.min(axis=1) == flat.max(axis=1)).sum())
            coloured = coloured or block.ndim == 3 or pixels.is_coloured(block)
        if blank:
            yield f"{split} images with one value in all pixels: {blank:,}"
        if few := int((np.bincount(part.labels, minlength=len(classes)) < FEW).sum()):
            yield f"classes with fewer than {FEW} {split} images: {few:,}"
    if not coloured:
        height, width = parts["train"].images.shape[1:3]
        yield f"no pixel has a colour, so image_shape: [{height}, {width}] holds everything"


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


def _converter(card: datasets.Card, source: Path) -> str:
    """Return a command that makes PNG files of pictures in a folder that can't be read, or nothing."""
    if not isinstance(card, datasets.Pictures) or not (folder := source / (card.folder or "")).is_dir():
        return ""
    with Tree(folder) as tree:
        return suffixes.converter(str(folder), map(suffixes.suffix, tree.files))


def _counting(blocks: Iterator[Block], sizes: Counter[str]) -> Iterator[Block]:
    """Yield blocks, and count the sizes of the pictures, height x width, by the notes of what was done to them."""
    for block in blocks:
        own = block.images.shape[1:3]
        for notes in block.notes:
            sizes[" x ".join(map(str, size(notes) or own))] += 1
        yield block


def size(notes: Iterable[str]) -> tuple[int, int] | None:
    """Return the height and width of a picture by the notes on it, or None if they are as those of its image."""
    found = (re.fullmatch(r"[a-z]+ \((\d+)x(\d+)\)", note) for note in notes)
    return next(((int(match[2]), int(match[1])) for match in found if match), None)


def _copies(copies: dict[int, bool], what: str) -> Iterator[str]:
    if copies:
        yield f"{what}: {len(copies):,}, of them with another label: {len(copies) - sum(copies.values()):,}"


def _draw(name: str, train: Split, classes: list[str]) -> Path:
    """Draw samples of the training images as the report does, and return the path of the figure."""
    path, chosen = FOLDER / f"{name}.png", samples(train.labels, len(classes))
    images, labels = arrays.pick(train.images, chosen) / 255, train.labels[chosen]
    seen = 1 - images if white_on_black(train.images) else images
    atomic.write_bytes(path, style.png(lambda: labelled(seen, labels, style.drawable(classes)), DPI))
    return path
