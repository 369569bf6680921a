"""Make a data set of a file or a folder: find out what its card must say, write the card, and copy the files."""

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from core.cli.errors import DataError, InputError, Problem
from core.config import schema
from core.files import atomic
from core.formats import formats
from core.sources import datasets
from core.sources.archives import TARS, ZIPS
from core.sources.tree import Tree

FITTED = ("pictures", "parquet")  # the formats whose images get the size of the card
LONGEST = 64  # pixels a side, unless the card is edited: larger pictures are slow to train on
TEST_FRACTION = 0.2
PATHS = ("folder", "table", "files")  # the keys of a card that hold paths


class Draft(NamedTuple):
    """source: the file or folder that is read. below: its name in sources/<name>, empty if it is there already. keys:
    of the card, with paths relative to `source`. comments: on some of the keys.
    """

    name: str
    source: Path
    below: str
    keys: dict[str, Any]
    comments: dict[str, str]

    @property
    def card(self) -> Path:
        return datasets.path_of(self.name)

    @property
    def shown(self) -> str:
        """The folder of the data set, as messages about the card name it."""
        return str(self.source if self.source.is_dir() else self.source.parent)

    def read(self) -> datasets.Files:
        """Return the card for the files where they are."""
        return _card(self.keys, self.card)

    def text(self) -> str:
        """Return the card for the files in sources/<name>."""
        keys = self.keys | _moved(self.keys, self.below if self.source.is_dir() else "")
        lines = ["# Edit the next three lines. docs/your-data.md explains the others."]
        for key, value in keys.items():
            lines.append(_yaml(key, value) + (f"  # {self.comments[key]}" if key in self.comments else ""))
        return "\n".join([*lines, ""])

    def command(self) -> str:
        """Return the command that writes the card."""
        words = ["python", "-m", "tools.describe", str(self.source), "--write-card"]
        named = [] if self.name == _name(self.source) else ["--name", self.name]
        return shlex.join([*words, *named])

    def write(self) -> list[Path]:
        """Copy the files into sources/<name>, unless they are there, and write the card. Return the paths of both."""
        target = datasets.SOURCES / self.name
        written = []
        if self.below:
            _copy(self.source, target, self.below)
            written.append(target / self.below)
        atomic.write_text(self.card, self.text())
        return [*written, self.card]


def name_in_sources(path: Path) -> str:
    """Return the name of the data set to whose files a path leads, or nothing."""
    below = Path(os.path.relpath(path, datasets.SOURCES)).parts
    return below[0] if below and below[0] != ".." and path.exists() else ""


def draft(path: Path, name: str | None) -> Draft:
    """Find out what the card of a file or a folder must say. Raises DataError for files of no known format."""
    there = name_in_sources(path)
    source = datasets.SOURCES / there if there else path
    name = name or there or _name(path)
    _require_free(name, there)
    title, description = name.replace("_", " ").capitalize(), f"images of {path.resolve().name}"
    words = {"title": title, "description": description, "licence": "unknown"}
    with Tree(source) as tree:
        format, keys = formats.guess(tree)
        card = _card({**words, "format": format, **keys}, datasets.path_of(name))
        found: dict[str, Any] = {}
        comments = {"classes": "names for these labels; write better ones"}
        with suppress(DataError):  # an edit of the card may mend that; its description raises this error again
            shape = _first_shape(tree, card)
            smaller = _smaller(shape) if format in FITTED else shape
            found = {"image_shape": smaller, **_trial(tree, card.model_copy(update={"image_shape": smaller}))}
            if smaller != shape:
                comments["image_shape"] = f"of {' x '.join(map(str, shape[:2]))}: larger images train slower"
    said = {**words, **found, "format": format, **_sorted(keys)}
    return Draft(name, source, "" if there else _safe(path.resolve().name), said, comments)


def _card(keys: dict[str, Any], path: Path) -> datasets.Files:
    return schema.check(keys, datasets.Card, path)  # type: ignore[arg-type] # mypy takes a union for no type


def _first_shape(tree: Tree, card: datasets.Files) -> list[int]:
    with closing(formats.read(tree, card).blocks) as blocks:  # type: ignore[type-var] # a generator
        for block in blocks:
            return list(block.images.shape[1:])
    raise tree.error("", "no images", "name other files in the card")


def _trial(tree: Tree, card: datasets.Files) -> dict[str, Any]:
    """Return the keys that only the images and labels tell."""
    contents = formats.read(tree, card)
    splits: set[str] = set()
    low, high = 2**31, -(2**31)
    for block in contents.blocks:
        splits.add(block.split)
        low, high = min(low, int(block.labels.min())), max(high, int(block.labels.max()))
    keys: dict[str, Any] = {}
    if contents.classes is None:
        keys["classes"] = [str(number) for number in range(low == 1, high + 1)]
    if low == 1:
        keys["first_label"] = 1
    if "test" not in splits:
        keys["test_fraction"] = TEST_FRACTION
    return keys


def _smaller(shape: Sequence[int]) -> list[int]:
    """Return the shape of images with LONGEST pixels on the longer side, unless they have fewer."""
    scale = min(1, LONGEST / max(shape[:2]))
    return [*(max(1, round(side * scale)) for side in shape[:2]), *shape[2:]]


def _name(path: Path) -> str:
    """Return the name of a data set after a file or a folder."""
    stem = path.resolve().name.lower()
    while (ending := Path(stem).suffix) and (stem.endswith((*ZIPS, *TARS)) or path.is_file()):
        stem = stem.removesuffix(ending)
    return re.sub("^[^a-z]+", "", re.sub("[^a-z0-9]+", "_", stem).strip("_"))[:64] or "mine"


def _safe(name: str) -> str:
    """Return a file name that a path of a card names alone: without wildcards, and not hidden."""
    return re.sub(r"[*?\[\]\\]", "_", name).lstrip(".") or "files"


def _require_free(name: str, there: str) -> None:
    """Raise InputError unless a new data set may have the name."""
    schema.check(name, schema.Name, Path("--name"))
    if there and name != there:
        raise InputError(Problem("--name", f"the files are in {datasets.SOURCES / there}", fix=f"--name {there}"))
    taken = [file for file in (datasets.path_of(name), datasets.SOURCES / name) if file.exists()]
    if not there and taken:
        raise InputError(Problem(str(taken[0]), "exists already", fix="add --name NAME, with another name"))


def _moved(keys: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return the keys that hold paths, with the paths in a folder."""

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: moved(each) for key, each in value.items()}
        return [moved(each) for each in value] if isinstance(value, list) else f"{folder}/{value}"

    if not folder:
        return {}
    paths = {key: moved(keys[key]) for key in PATHS if key in keys}
    return paths if keys["format"] != "pictures" or "folder" in paths else {"folder": folder, **paths}


def _copy(source: Path, target: Path, name: str) -> None:
    """Copy a file or a folder into a new folder, which appears whole or not at all. Hidden files stay behind."""
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    temporary.mkdir(parents=True)
    try:
        if source.is_dir():
            shutil.copytree(source, temporary / name, ignore=shutil.ignore_patterns(".*"))
        else:
            shutil.copyfile(source, temporary / name)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sorted(keys: dict[str, Any]) -> dict[str, Any]:
    """Return the keys with the files in the order of the splits; a list of one file is that file."""
    if "files" not in keys:
        return dict(sorted(keys.items()))
    files = sorted(keys["files"].items(), key=lambda item: datasets.SPLITS.index(item[0].partition("_")[0]))
    return keys | {"files": {key: value[0] if len(value) == 1 else value for key, value in files}}


def _yaml(key: str, value: Any) -> str:
    """Return lines of YAML, a list in one line."""
    if isinstance(value, list):
        return f"{key}: {yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)}".rstrip("\n")
    return yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=1000).rstrip("\n")
