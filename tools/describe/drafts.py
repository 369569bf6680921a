"""Make a data set of a file or a folder: find out what its card must say, write the card, and copy the files."""

import os
import re
import shlex
import shutil
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from core.cli.errors import DataError, InputError, Problem
from core.config import schema
from core.files import atomic
from core.formats import formats
from core.formats.blocks import Contents
from core.sources import datasets
from core.sources.archives import TARS, ZIPS
from core.sources.tree import Tree
from tools.describe import trial

PATHS = ("folder", "table", "files")  # the keys of a card that hold paths


class Draft(NamedTuple):
    """source: the file or folder that is read. below: its name in sources/<name>, empty if it is there already. keys:
    of the card, with paths relative to `source`. comments: on some of the keys. contents: what the files hold, or None
    if only an edit of the card tells.
    """

    name: str
    source: Path
    below: str
    keys: dict[str, Any]
    comments: dict[str, str]
    contents: Contents | None

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
    is_inside = below and below[0] != ".." and (datasets.SOURCES / below[0]).is_dir()
    return below[0] if is_inside and path.exists() else ""


def name_for(path: Path, given: str | None) -> str:
    """Return the name of the data set that is made of a file or a folder: as given, or after it."""
    return given or name_in_sources(path) or _name(path)


def draft(path: Path, name: str | None, folder: Path) -> Draft:
    """Find out what the card of a file or a folder must say, and keep the images in an empty folder.

    Raises DataError for files of no known format.
    """
    there = name_in_sources(path)
    source = datasets.SOURCES / there if there else path
    given, name = name or there, name_for(path, name)
    _require_free(name, there)
    title = given.replace("_", " ").capitalize() or _title(path)
    words = {"title": title, "description": f"images of {path.resolve().name}", "licence": "unknown"}
    found = trial.Found(None, {}, {})
    with Tree(source, scratch=folder) as tree:
        format, keys = formats.guess(tree)
        card = _card({**words, "format": format, **keys}, datasets.path_of(name))
        with suppress(DataError):  # an edit of the card may mend that; its description raises this error again
            found = trial.read(tree, card, folder / "images")
    said = {**words, **found.keys, "format": format, **_sorted(keys)}
    return Draft(name, source, "" if there else _safe(path.resolve().name), said, found.comments, found.contents)


def _card(keys: dict[str, Any], path: Path) -> datasets.Files:
    return schema.check(keys, datasets.Card, path)  # type: ignore[arg-type] # mypy takes a union for no type


def _name(path: Path) -> str:
    """Return the name of a data set after a file or a folder."""
    return _as_name(_stem(path))


def _as_name(text: str) -> str:
    """Return the name of a data set that is most like a text. Letters lose their accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub("^[^a-z]+", "", re.sub("[^a-z0-9]+", "_", plain))[:64].strip("_") or "mine"


def _title(path: Path) -> str:
    """Return the title of a data set after a file or a folder."""
    words = " ".join(re.split(r"[\s_-]+", unicodedata.normalize("NFC", _stem(path)))).strip()
    return words[:1].upper() + words[1:] or "Mine"


def _stem(path: Path) -> str:
    stem = path.resolve().name
    while (ending := Path(stem).suffix) and (stem.lower().endswith((*ZIPS, *TARS)) or path.is_file()):
        stem = stem.removesuffix(ending)
    return stem


def _safe(name: str) -> str:
    """Return a file name that a path of a card names alone: without wildcards, and not hidden."""
    return re.sub(r"[*?\\]", "_", name).lstrip(".") or "files"


def _require_free(name: str, there: str) -> None:
    """Raise InputError unless a new data set may have the name."""
    if not re.fullmatch(schema.NAME, name):
        expected = "a to z, 0 to 9 and _, a letter first, at most 64"
        raise InputError(
            Problem("--name", "cannot name a data set", expected=expected, got=name, fix=f"--name {_as_name(name)}")
        )
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
    with atomic.beside(target) as temporary:
        whole = temporary / target.name
        whole.mkdir()
        if source.is_dir():
            shutil.copytree(source, whole / name, ignore=shutil.ignore_patterns(".*"))
        else:
            shutil.copyfile(source, whole / name)
        whole.rename(target)


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
