"""A folder of pictures as a data set: which of its files belong to it, of which class and split, and their digest.

It is laid out as `train/<class>/*` and `test/<class>/*`, or, where the entry has a test_fraction, as `<class>/*`. Which
split a picture belongs to then follows from its grey values alone: a picture that is added moves no other, and two of
equal ones never come to stand on both sides, whatever format they are saved in. Files are pictures by the ends of their
names; hidden ones are not looked at.
"""

import hashlib
import os
import shlex
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from core.cli.errors import DataError, InputError, Problem, printable
from core.config import datasets, schema
from core.formats import pictures

SPLITS = ("train", "test")
MOST_PROBLEMS = 20  # a line each; of more, the others are counted
MOST_SUFFIXES = 8  # named of the files that are left out; of more, the others are counted

# Pictures of other kinds: what Pillow makes PNG files of by itself, and what it needs the package pillow-heif for.
CONVERTIBLE = (".avif", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".ppm", ".tga", ".tif", ".tiff")
HEIF = (".heic", ".heif")
# Opened as a stream: given a path, Pillow 13 maps an uncompressed TIFF into memory, then turns it wrongly by its tag.
_CONVERT = (
    "import sys, pathlib, PIL.Image as I, PIL.ImageOps as O{}; [print(p) or O.exif_transpose(I.open(p.open('rb')))"
    ".save(f'{{p}}.png') for p in pathlib.Path(sys.argv[1]).rglob('*') if p.suffix.lower() in sys.argv[2:]]"
)


class Place(NamedTuple):
    """A picture's file: its path below the folder, its class, and its split, if the folder says it."""

    path: Path
    name: str
    label: int
    split: str


class Listing(NamedTuple):
    """The class names in the order of the labels, the pictures sorted by name, and how many files of which other
    suffixes there are.
    """

    classes: list[str]
    places: list[Place]
    others: Counter[str]


def listing(entry: datasets.Pictured) -> Listing:
    """Return what is in the folder of an entry, without opening a file. Raises DataError with all that is amiss."""
    root = Path(entry.folder)
    if not root.is_dir():
        raise DataError(_no_folder(root))
    tops = {"": root} if entry.test_fraction else _splits(root)
    found = _class_folders(tops, root)
    classes = _classes(entry, {name for _, name in found})
    beside = [path for top in sorted({root, *tops.values()}) for path in _files(top)]
    places, others = [], Counter(suffix(path.name) for path in beside)
    for (split, name), folder in found.items():
        files = _files(folder)
        chosen = [path for path in files if _is_one(path)]
        places += [Place(path, _relative(path, root), classes.index(name), split) for path in chosen]
        others.update(suffix(path.name) for path in files if not _is_one(path))
    filled = {(place.split, classes[place.label]) for place in places}
    refuse(
        [
            *(_problem(path, "a picture in no class", "move it into a class") for path in filter(_is_one, beside)),
            *(problem for split in tops for problem in _amiss(split, tops[split], classes, found, filled)),
        ]
    )
    return Listing(classes, sorted(places, key=lambda place: place.name), others)


def suffix(name: str) -> str:
    """Return the end of a file's name that says its kind, in small letters."""
    return os.path.splitext(name)[1].lower()


def left_out(folder: str, others: Mapping[str, int]) -> list[str]:
    """Return lines to print of the files in a folder that are not read: their suffixes with how many files have each,
    and a command that makes PNG files of the pictures among them.
    """
    if not others:
        return []
    lines = [f"{folder}: left out {counted(others)}: only {', '.join(pictures.SUFFIXES)} files are read"]
    if command := converter(folder, others):
        lines.append(f"to make PNG files of them, run: {command}")
    return list(map(printable, lines))


def counted(others: Mapping[str, int]) -> str:
    """Return how many files have each suffix, the most frequent one first."""
    ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in ordered[:MOST_SUFFIXES]]
    more = sum(count for _, count in ordered[MOST_SUFFIXES:])
    return ", ".join([*named, *([f"{more:,} others"] if more else [])])


def converter(folder: str, others: Iterable[str]) -> str:
    """Return the command that makes PNG files of the pictures with such suffixes in a folder and below; nothing if
    none of the suffixes is one of a picture.
    """
    kinds = sorted({*CONVERTIBLE, *HEIF}.intersection(others))
    if not kinds:
        return ""
    heif = not set(HEIF).isdisjoint(kinds)
    code = _CONVERT.format(", pillow_heif; pillow_heif.register_heif_opener()" if heif else "")
    install = "python -m pip install pillow-heif && " if heif else ""
    return f'{install}python -c "{code}" {shlex.join([folder, *kinds])}'


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
        problems = [*problems[:MOST_PROBLEMS], Problem("the folder", f"{more} more problems", fix=problems[0].fix)]
    if problems:
        raise DataError(*problems)


def _splits(root: Path) -> dict[str, Path]:
    names = sorted(map(_name, _folders(root)))
    if not names:
        place = "train/<class> or test/<class>; or into <class>, and give the entry a test_fraction"
        raise DataError(_no_classes(root, place))
    if names != sorted(SPLITS):
        got = f"{', '.join(names)}"[:100]
        fix = "arrange it so, or give the entry a test_fraction, then dvc repro"
        raise DataError(
            Problem(str(root), "not the folders of a data set", expected="train and test, no more", got=got, fix=fix)
        )
    return {split: root / split for split in SPLITS}


def _class_folders(tops: dict[str, Path], root: Path) -> dict[tuple[str, str], Path]:
    """Return the folder of each split and class name."""
    named = [((split, _name(folder)), folder) for split, top in tops.items() for folder in _folders(top)]
    found = dict(named)
    if len(found) < len(named):
        raise DataError(_problem(root, "two folders differ in how accents are written alone", "rename one"))
    if not found:
        raise DataError(*(_no_classes(top, "a folder named as its class") for top in tops.values()))
    return found


def _amiss(
    split: str, top: Path, classes: list[str], found: dict[tuple[str, str], Path], filled: set[tuple[str, str]]
) -> Iterator[Problem]:
    """Yield what is wrong with the folder of a split, in which those classes that are `filled` have pictures."""
    for name in classes:
        folder = found.get((split, name))
        if (split, name) not in filled:
            others = Counter(suffix(path.name) for path in _files(folder)) if folder else Counter()
            if command := converter(str(folder), others):
                fix = f"make PNG files of them, then dvc repro: {command}"
                yield Problem(
                    str(folder), "no pictures of this class that are read", expected="PNG", got=counted(others), fix=fix
                )
            else:
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


def _no_folder(root: Path) -> Problem:
    """Say what is in the place of a folder."""
    if not root.is_file():
        return _problem(root, "no such folder", "correct folder in datasets.yaml")
    packed = [end for _, ends, _ in shutil.get_unpack_formats() for end in ends if root.name.lower().endswith(end)]
    if packed:
        what = f"{max(packed, key=len)} archive, not a folder"
        return _problem(root, f"a {what}", "unpack it, and name the folder with its pictures in datasets.yaml")
    what = f"a {suffix(root.name)} file, not a folder".replace("  ", " ")
    return _problem(root, what, "name a folder of pictures in datasets.yaml")


def _no_classes(top: Path, place: str) -> Problem:
    count = sum(map(_is_one, _files(top)))
    got = f"{count:,} pictures directly in it" if count else counted(Counter(suffix(path.name) for path in _files(top)))
    fix = f"put each picture into {place}; then dvc repro"
    return Problem(
        str(top), "no class folders here", expected="a folder for each class", got=got or "an empty folder", fix=fix
    )


def _folders(top: Path) -> list[Path]:
    return [path for path in _entries(top) if path.is_dir()]


def _files(top: Path) -> list[Path]:
    return [path for path in _entries(top) if not path.is_dir()]


def _entries(top: Path) -> Iterator[Path]:
    return (path for path in sorted(top.iterdir()) if not path.name.startswith("."))


def _is_one(path: Path) -> bool:
    return suffix(path.name) in pictures.SUFFIXES


def _name(path: Path) -> str:
    """Return the name of a file as one would type it; some systems take letters with accents apart."""
    return unicodedata.normalize("NFC", path.name)


def _relative(path: Path, root: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())


def _problem(path: Path, what: str, fix: str) -> Problem:
    return Problem(str(path), what, fix=f"{fix}, then dvc repro")
