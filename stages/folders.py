"""A folder of pictures as a data set: which of its files belong to it, of which class and split, and their digest.

It is laid out as `train/<class>/*` and `test/<class>/*`, or, where the entry has a test_fraction, as `<class>/*`. Which
split a picture belongs to then follows from its grey values alone: a picture that is added moves no other, and two of
equal ones never come to stand on both sides, whatever format they are saved in. Files are pictures by the ends of their
names; hidden ones are not looked at.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stages import datasets, pictures, schema
from stages.command import DataError, InputError, Problem

SPLITS = ("train", "test")
MOST_PROBLEMS = 20  # a line each; of more, the others are counted


class Place(NamedTuple):
    """A picture's file: its path below the folder, its class, and its split, if the folder says it."""

    path: Path
    name: str
    label: int
    split: str


class Listing(NamedTuple):
    """The class names in the order of the labels, the pictures sorted by name, and how many files are none."""

    classes: list[str]
    places: list[Place]
    other_files: int


def listing(entry: datasets.Pictured) -> Listing:
    """Return what is in the folder of an entry, without opening a file. Raises DataError with all that is amiss."""
    root = Path(entry.folder)
    if not root.is_dir():
        raise DataError(_problem(root, "no such folder", "correct folder in datasets.yaml"))
    tops = {"": root} if entry.test_fraction else _splits(root)
    found = _class_folders(tops, root)
    classes = _classes(entry, {name for _, name in found})
    places, other_files = [], sum(len(_files(top)) for top in tops.values())
    for (split, name), folder in found.items():
        files = _files(folder)
        chosen = [path for path in files if _is_one(path)]
        places += [Place(path, _relative(path, root), classes.index(name), split) for path in chosen]
        other_files += len(files) - len(chosen)
    filled = {(place.split, classes[place.label]) for place in places}
    refuse([problem for split in tops for problem in _amiss(split, tops[split], classes, found, filled)])
    return Listing(classes, sorted(places, key=lambda place: place.name), other_files)


def pin(entry: datasets.Pictured) -> str:
    """Return the digest of the pictures that are in the folder of an entry. Raises DataError as `listing` does, and for
    what is no regular file or too large.
    """
    places = listing(entry).places
    return digest((place.name, hashlib.sha256(pictures.read(place.path)).hexdigest()) for place in places)


def digest(names_and_hashes: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the lines `<name> <SHA-256 of the file>`, sorted: it pins every name and every byte."""
    lines = sorted(f"{name} {sha256}\n" for name, sha256 in names_and_hashes)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def split_of(place: Place, sha256: str, test_fraction: float) -> str:
    """Return the split of a picture: that of its folder, or by the SHA-256 of what it shows, evenly in [0, 2**256)."""
    return place.split or SPLITS[int(sha256, 16) < test_fraction * 2**256]


def refuse(problems: list[Problem]) -> None:
    """Raise DataError if there are problems; of very many it shows the first and counts the others."""
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems = [*problems[:MOST_PROBLEMS], Problem("the folder", f"{more} more problems", problems[0].fix)]
    if problems:
        raise DataError(*problems)


def _splits(root: Path) -> dict[str, Path]:
    names = sorted(map(_name, _folders(root)))
    if names != sorted(SPLITS):
        got = f"{', '.join(names)}"[:100] or "none"
        fix = "arrange it so, or give the entry a test_fraction, then dvc repro"
        raise DataError(Problem(str(root), "not the folders of a data set", fix, "train and test, no more", got))
    return {split: root / split for split in SPLITS}


def _class_folders(tops: dict[str, Path], root: Path) -> dict[tuple[str, str], Path]:
    """Return the folder of each split and class name."""
    named = [((split, _name(folder)), folder) for split, top in tops.items() for folder in _folders(top)]
    found = dict(named)
    if len(found) < len(named):
        raise DataError(_problem(root, "two folders differ in how accents are written alone", "rename one"))
    return found


def _amiss(
    split: str, top: Path, classes: list[str], found: dict[tuple[str, str], Path], filled: set[tuple[str, str]]
) -> Iterator[Problem]:
    """Yield what is wrong with the folder of a split, in which those classes that are `filled` have pictures."""
    for path in filter(_is_one, _files(top)):
        yield _problem(path, "a picture in no class", "move it into a class")
    for name in classes:
        folder = found.get((split, name))
        if (split, name) not in filled:
            yield _problem(folder or top / name, "no pictures of this class", "bring some, or remove it")
        for inner in _folders(folder) if folder else []:
            yield _problem(inner, "a folder within a class", "move its pictures into the class")


def _classes(entry: datasets.Pictured, names: set[str]) -> list[str]:
    """Return the class names: the folders', sorted, or the entry's, which must be the same."""
    if entry.test_fraction and names == set(SPLITS):
        raise DataError(_problem(Path(entry.folder), "is split into train and test", "leave test_fraction out"))
    if entry.classes and set(entry.classes) != names:
        odd = schema.one_of(sorted(names ^ set(entry.classes)))
        what = f"its folders are not the classes of datasets.yaml: {odd}"[:300]
        raise DataError(_problem(Path(entry.folder), what, "rename folders, or correct classes in datasets.yaml"))
    try:
        return schema.check(entry.classes or sorted(names), datasets.ClassNames, Path(entry.folder))
    except InputError as error:
        fix = "rename or remove folders, then dvc repro"
        raise DataError(*(replace(problem, fix=fix) for problem in error.problems)) from error


def _folders(top: Path) -> list[Path]:
    return [path for path in _entries(top) if path.is_dir()]


def _files(top: Path) -> list[Path]:
    return [path for path in _entries(top) if not path.is_dir()]


def _entries(top: Path) -> Iterator[Path]:
    return (path for path in sorted(top.iterdir()) if not path.name.startswith("."))


def _is_one(path: Path) -> bool:
    return path.suffix.lower() in pictures.SUFFIXES


def _name(path: Path) -> str:
    """Return the name of a file as one would type it; some systems take letters with accents apart."""
    return unicodedata.normalize("NFC", path.name)


def _relative(path: Path, root: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())


def _problem(path: Path, what: str, fix: str) -> Problem:
    return Problem(str(path), what, f"{fix}, then dvc repro")
