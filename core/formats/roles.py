"""Which file is for what: by the card, or else by its name."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from core.cli.errors import DataError
from core.sources.datasets import SPLITS, Roles, Splits
from core.sources.tree import Tree

# The words for the splits, in names of files and as names of folders.
SPLIT_OF = {"train": "train", "training": "train", "test": "test", "testing": "test", "t10k": "test"}
SPLIT_OF |= dict.fromkeys(("validation", "valid", "val"), "validation")
KIND_OF = dict.fromkeys(("images", "image", "imgs", "img", "x"), "images")
KIND_OF |= dict.fromkeys(("labels", "label", "y"), "labels")


def found(paths: Iterable[str]) -> dict[str, Any] | None:
    """Return the keys of a card for files of arrays, as their names tell; None if they do not, or tell two things."""
    files: dict[str, str] = {}
    for path in paths:
        kind = next((KIND_OF[word] for word in reversed(_words(path)) if word in KIND_OF), None)
        if kind:
            role = f"{split_of(path) or 'train'}_{kind}"
            if role in files:
                return None
            files[role] = path
    return keys(Roles, files)


def found_splits(tree: Tree, paths: Iterable[str]) -> dict[str, Any] | None:
    """Return the keys of a card for files of whole splits. If no name tells a split, all are training files.

    Raises DataError if only some names tell one, or none tells training files.
    """
    files: dict[str, list[str]] = {}
    for path in paths:
        files.setdefault(split_of(path) or "", []).append(path)
    if "" in files and len(files) > 1:
        fix = "put train or test into its name, or write a card"
        raise tree.error(files[""][0], "its name has no split, but other names have one", fix)
    files = {"train": files[""]} if "" in files else files
    if files and "train" not in files:
        first, (split, *_) = next(iter(files.values()))[0], files
        fix = "add the file of the training images, or put train into the name of this one"
        raise tree.error(first, f"only {split} images by its name", fix)
    named = {split: files[split] for split in SPLITS if split in files}
    return keys(Splits, named)


def keys(kind: type[Roles] | type[Splits], files: dict[str, Any]) -> dict[str, Any] | None:
    """Return the keys of a card for files, or None if a card can't have them: without training files, or by a name."""
    try:
        kind.model_validate(files)
    except ValidationError:
        return None
    return {"files": files}


def matched(tree: Tree, files: Splits | None) -> dict[str, list[str]]:
    """Return the names of the files of each split that has some. Raises DataError if a path matches none."""
    if files is None or not files.train:
        raise unnamed(tree)
    paths = {split: getattr(files, split) for split in SPLITS}
    return {split: [name for path in paths[split] for name in tree.match(path)] for split in SPLITS if paths[split]}


def unnamed(tree: Tree) -> DataError:
    """Return the error for a card without files, if their names do not tell what they are for."""
    got = ", ".join(tree.names[:5])[:300] + ", ..." * (len(tree.names) > 5) or "an empty folder"
    what = "the file names do not tell which files to read"
    return tree.error("", what, "name the files in the card", expected="names with train and test", got=got)


def split_of(path: str) -> str | None:
    """Return the split that a path names, as in train/1.png, fashion-mnist_test2.csv or t10k-images-idx3-ubyte.gz."""
    words = (word.rstrip("0123456789") for word in reversed(_words(path)))
    return next((SPLIT_OF[word] for word in words if word in SPLIT_OF), None)


def _words(path: str) -> list[str]:
    return re.split("[^a-z0-9]+", path.lower())
