"""Read an image folder as a data set: the class and the split of each picture, and a digest of all of them.

The layout is train/<class>/* and test/<class>/*, or <class>/* if the entry has a test_fraction. The grey values of a
picture alone then decide on its split: a new picture moves no other one, and equal pictures share a split, whatever
their file format. Files are pictures by their suffix. Hidden files are ignored.
"""

import hashlib
import os
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from core.cli.errors import DataError, InputError, Problem, printable
from core.config import datasets, schema
from core.formats import image_file
from core.formats.archives import SPLITS

MOST_PROBLEMS = 20  # shown, a line each
MOST_SUFFIXES = 8  # named of the files that are left out

# Other pictures: the suffixes that Pillow itself can convert to PNG, and those that need the package pillow-heif.
CONVERTIBLE = (".avif", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".ppm", ".tga", ".tif", ".tiff")
HEIF = (".heic", ".heif")
# Opened as a stream: given a path, Pillow 13 maps an uncompressed TIFF into memory, then turns it wrongly by its tag.
_CONVERT = (
    "import sys, pathlib, PIL.Image as I, PIL.ImageOps as O{}; [print(p) or O.exif_transpose(I.open(p.open('rb')))"
    ".save(f'{{p}}.png') for p in pathlib.Path(sys.argv[1]).rglob('*') if p.suffix.lower() in sys.argv[2:]]"
)


class Place(NamedTuple):
    """A picture's file: its path, its name below the folder, its label, and its split if the folder tells it."""

    path: Path
    name: str
    label: int
    split: str


class Listing(NamedTuple):
    """Class names by label, pictures sorted by name, and the number of other files by suffix."""

    classes: list[str]
    places: list[Place]
    others: Counter[str]


def listing(entry: datasets.ImageFolder) -> Listing:
    """Return what the folder of an entry holds, without opening a file. Raises DataError with every problem."""
    root = Path(entry.folder)
    if not root.is_dir():
        raise DataError(_no_folder(root))
    tops = {"": root} if entry.test_fraction else _split_folders(root)
    files: dict[tuple[str, str], list[Path]] = {}  # of each split and class
    nested = []
    for split, top in tops.items():
        for folder in _folders(top):
            files.setdefault((split, _nfc(folder.name)), []).extend(_files(folder))
            nested += _folders(folder)
    if not files:
        raise DataError(*(_no_classes(top, "a folder named as its class") for top in tops.values()))
    classes = _classes(entry, {name for _, name in files})
    stray = [path for top in sorted({root, *tops.values()}) for path in _files(top)]
    problems = [
        _problem(path, "a picture in no class", "move it into a class folder") for path in stray if _is_picture(path)
    ]
    problems += [
        _problem(path, "a folder in a class folder", "move its pictures into the class folder") for path in nested
    ]
    for split, top in tops.items():
        for name in classes:
            own = files.get((split, name), [])
            if not any(map(_is_picture, own)):
                problems.append(_no_pictures(top / name, own))
    refuse(problems)
    places = [
        Place(path, _nfc(path.relative_to(root).as_posix()), classes.index(name), split)
        for (split, name), paths in files.items()
        for path in filter(_is_picture, paths)
    ]
    others = Counter(suffix(path.name) for path in chain(stray, *files.values()) if not _is_picture(path))
    return Listing(classes, sorted(places, key=lambda place: place.name), others)


def suffix(name: str) -> str:
    """Return the suffix of a file name, in lower case."""
    return os.path.splitext(name)[1].lower()


def left_out(folder: str, others: Mapping[str, int]) -> list[str]:
    """Return lines to print about files that are not read: the number by suffix, and a command that converts them."""
    if not others:
        return []
    lines = [f"{folder}: left out {counted(others)}: only {', '.join(image_file.SUFFIXES)} files are read"]
    if command := converter(folder, others):
        lines.append(f"to make PNG files of them, run: {command}")
    return list(map(printable, lines))


def counted(others: Mapping[str, int]) -> str:
    """Return the number of files by suffix as text, the most frequent suffix first."""
    ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in ordered[:MOST_SUFFIXES]]
    more = sum(count for _, count in ordered[MOST_SUFFIXES:])
    return ", ".join([*named, *([f"{more:,} others"] if more else [])])


def converter(folder: str, others: Iterable[str]) -> str:
    """Return a shell command that converts the pictures with these suffixes, in a folder and below, to PNG.

    It is empty if no suffix is one of a picture.
    """
    kinds = sorted({*CONVERTIBLE, *HEIF}.intersection(others))
    if not kinds:
        return ""
    heif = not set(HEIF).isdisjoint(kinds)
    code = _CONVERT.format(", pillow_heif; pillow_heif.register_heif_opener()" if heif else "")
    install = "python -m pip install pillow-heif && " if heif else ""
    return f'{install}python -c "{code}" {shlex.join([folder, *kinds])}'


def pin(entry: datasets.ImageFolder) -> str:
    """Return the digest of the pictures in the folder of an entry. Raises DataError as `listing`, and for each file
    that can't be read.
    """
    places = listing(entry).places
    return digest((place.name, hashlib.sha256(image_file.read(place.path)).hexdigest()) for place in places)


def digest(names_and_hashes: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the sorted lines `<name> <SHA-256 of the file>`."""
    lines = sorted(f"{name} {sha256}\n" for name, sha256 in names_and_hashes)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def split_of(place: Place, sha256: str, test_fraction: float) -> str:
    """Return the split of a picture: of its folder, or by the SHA-256 of its pixels, uniform in [0, 2**256)."""
    return place.split or SPLITS[int(sha256, 16) < test_fraction * 2**256]


def refuse(problems: list[Problem]) -> None:
    """Raise DataError with the first MOST_PROBLEMS problems, if there are any."""
    if (more := len(problems) - MOST_PROBLEMS) > 0:
        problems = [*problems[:MOST_PROBLEMS], Problem("the folder", f"{more} more problems", fix=problems[0].fix)]
    if problems:
        raise DataError(*problems)


def _split_folders(root: Path) -> dict[str, Path]:
    names = sorted(_nfc(path.name) for path in _folders(root))
    if not names:
        place = "train/<class> or test/<class>; or into <class>, and give the entry a test_fraction"
        raise DataError(_no_classes(root, place))
    if names != sorted(SPLITS):
        what, got = "not the folders of a data set", f"{', '.join(names)}"[:100]
        fix = "make these two folders, or give the entry a test_fraction, then dvc repro"
        raise DataError(Problem(str(root), what, expected="train and test alone", got=got, fix=fix))
    return {split: root / split for split in SPLITS}


def _classes(entry: datasets.ImageFolder, names: set[str]) -> list[str]:
    """Return the class names: those of the entry, or else the sorted names of the folders. Both must be equal."""
    root = Path(entry.folder)
    if entry.test_fraction and names == set(SPLITS):
        raise DataError(_problem(root, "already split into train and test", "remove test_fraction"))
    if entry.classes and set(entry.classes) != names:
        odd = schema.one_of(sorted(names ^ set(entry.classes)))
        what = f"its folders are not the classes of datasets.yaml: {odd}"[:300]
        raise DataError(_problem(root, what, "rename folders, or correct classes in datasets.yaml"))
    try:
        return schema.check(entry.classes or sorted(names), datasets.ClassNames, root)
    except InputError as error:
        fix = "rename or remove folders, then dvc repro"
        raise DataError(*(replace(problem, fix=fix) for problem in error.problems)) from error


def _no_folder(root: Path) -> Problem:
    if not root.is_file():
        return _problem(root, "no such folder", "correct folder in datasets.yaml")
    fix = "unpack it if it is an archive, and name the folder of the pictures in datasets.yaml"
    return _problem(root, "a file, not a folder", fix)


def _no_classes(top: Path, place: str) -> Problem:
    files = _files(top)
    count = sum(map(_is_picture, files))
    got = f"{count:,} pictures directly in it" if count else counted(Counter(suffix(path.name) for path in files))
    what, fix = "no class folders here", f"put each picture into {place}; then dvc repro"
    return Problem(str(top), what, expected="a folder for each class", got=got or "an empty folder", fix=fix)


def _no_pictures(folder: Path, files: list[Path]) -> Problem:
    others = Counter(suffix(path.name) for path in files)
    what = "no pictures of this class that can be read"
    if command := converter(str(folder), others):
        fix = f"make PNG files of them, then dvc repro: {command}"
        return Problem(str(folder), what, expected=", ".join(image_file.SUFFIXES), got=counted(others), fix=fix)
    return _problem(folder, what, "add some, or remove the class")


def _folders(top: Path) -> list[Path]:
    return [path for path in _entries(top) if path.is_dir()]


def _files(top: Path) -> list[Path]:
    return [path for path in _entries(top) if not path.is_dir()]


def _entries(top: Path) -> list[Path]:
    return [path for path in sorted(top.iterdir()) if not path.name.startswith(".")]


def _is_picture(path: Path) -> bool:
    return suffix(path.name) in image_file.SUFFIXES


def _nfc(text: str) -> str:
    """Return a name as people type it; some systems store accents apart from their letters."""
    return unicodedata.normalize("NFC", text)


def _problem(path: Path, what: str, fix: str) -> Problem:
    return Problem(str(path), what, fix=f"{fix}, then dvc repro")
