"""The layout of pictures in folders named as their classes: <split>/<class>/*, or <class>/* with a test_fraction.

A folder around all of them does not count; many zip files have one.
"""

import posixpath
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.cli.errors import DataError, Problem
from core.config import schema
from core.formats.roles import SPLIT_OF
from core.images import decoding, suffixes
from core.sources import datasets
from core.sources.tree import Tree

MOST_PROBLEMS = 20  # shown, a line each


class Place(NamedTuple):
    """The split and the label of a picture."""

    split: str
    label: int


def places(tree: Tree, files: Sequence[str], card: datasets.Pictures) -> tuple[list[str], dict[str, Place]]:
    """Return the class names, and the place of each picture among some files. Raises DataError with every problem."""
    folders = {posixpath.dirname(file) for file in files if suffixes.is_image(file)}
    beside = set(map(posixpath.dirname, folders))  # an empty folder there was a class
    folders |= {file[:-1] for file in files if file[-1:] == "/" and posixpath.dirname(file[:-1]) in beside}
    root = posixpath.commonpath(folders)
    if folders == {root}:
        fix = "put each picture into a folder named as its class, or name a table of labels in the card"
        raise tree.error(root, "all pictures in one folder", fix, expected="a folder for each class", got="none")
    above_all = f"{root}/" if root else ""
    depth = _depth(tree, root, [folder[len(above_all) :].split("/") for folder in folders - {root}])
    members: dict[tuple[str, str], list[str]] = {}  # the files of each split and class
    errors: dict[str, DataError] = {}
    for file in (file for file in files if file.startswith(above_all)):
        *above, _ = file[len(above_all) :].split("/")
        if len(above) == depth and (depth == 1 or above[0].lower() in SPLIT_OF):
            split = SPLIT_OF[above[0].lower()] if depth == 2 else "train"
            members.setdefault((split, unicodedata.normalize("NFC", above[-1])), []).append(file)
        elif suffixes.is_picture(file) and len(above) < depth:
            errors[file] = tree.error(file, "a picture outside the class folders", "move it into a class folder")
        elif suffixes.is_picture(file):
            folder, fix = posixpath.dirname(file), "move its pictures into the class folder"
            errors[folder] = tree.error(folder, "a folder in a class folder", fix)
    classes = _classes(tree, root, card, {name for _, name in members})
    for split, name in [(split, name) for split in {split: 0 for split, _ in members} for name in classes]:
        own = members.get((split, name), [])
        if not any(map(suffixes.is_picture, own)) and (own or split != "validation"):
            what, fix = f"no {split} picture of class {name} that can be read", "add some, or remove the class"
            folder = posixpath.dirname(own[0]) if own else root
            errors[f"{split}: {name}"] = unreadable(tree, folder, own, what, fix)
    refuse(problem for error in errors.values() for problem in error.problems)
    labels = {name: label for label, name in enumerate(classes, card.first_label)}
    placed = {file: Place(split, labels[name]) for (split, name), own in members.items() for file in own}
    return classes, {file: place for file, place in placed.items() if suffixes.is_picture(file)}


def refuse(problems: Iterable[Problem]) -> None:
    """Raise DataError with the first MOST_PROBLEMS problems, if there are any."""
    shown = list(problems)
    if (more := len(shown) - MOST_PROBLEMS) > 0:
        shown[MOST_PROBLEMS:] = [Problem("the files", f"{more} more problems", fix=shown[0].fix)]
    if shown:
        raise DataError(*shown)


def _depth(tree: Tree, root: str, folders: Sequence[Sequence[str]]) -> int:
    """Return how many folders lie between the root and a picture: 2 if the outer ones are splits, else 1."""
    tops = sorted({parts[0] for parts in folders})
    splits = [SPLIT_OF.get(top.lower()) for top in tops]
    odd = None in splits
    if "train" not in splits or (odd and all(len(parts) == 1 for parts in folders)):
        return 1
    if odd:
        expected, got = "train and test, maybe validation", ", ".join(tops)[:100]
        raise tree.error(root, "folders beside the splits", "move them elsewhere", expected=expected, got=got)
    return 2


def _classes(tree: Tree, root: str, card: datasets.Pictures, names: set[str]) -> list[str]:
    """Return the classes of the card, or else the sorted names of the folders. Both must be equal."""
    if not card.classes or set(card.classes) == names:
        return card.classes or sorted(names)
    what = f"its folders are not the classes of the card: {schema.one_of(sorted(names ^ set(card.classes)))}"[:300]
    raise tree.error(root, what, "rename folders, or correct classes in the card")


def unreadable(tree: Tree, folder: str, files: Sequence[str], what: str, fix: str) -> DataError:
    """Return the error of a folder without pictures that can be read. It has a command that converts other pictures."""
    others = suffixes.others(files)
    if (tree.folder / folder).is_dir() and (command := suffixes.converter(f"{tree.shown}/{folder}", others)):
        fix = f"make PNG files of them: {command}"
    expected, got = ", ".join(decoding.SUFFIXES), suffixes.counted(others) or "no files"
    return tree.error(folder, what, fix, expected=expected, got=got)
