"""The files of a data set: those in a folder, and those in the zip and tar files there.

A name is the path below the folder, with /. A member of `data/images.zip` has the name `data/images.zip/<member>`.
Hidden files, README.md and the .dvc files of `dvc add` do not count. No member gets a name on disk.
"""

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from core.cli.errors import DataError, Problem
from core.config import schema
from core.sources.archives import DAMAGED, Archive, is_archive, open_archive
from core.sources.datasets import is_data

MOST_COMPARED = 100  # names, in search of the one that a card means


class Tree:
    """The files below a folder, or a single file as if it were alone in its folder.

    shown: the folder as it is named in messages. scratch: a folder for temporary files, if it is another.
    """

    def __init__(self, root: Path, shown: str = "", scratch: Path | None = None):
        self.folder, self._only = (root, "") if root.is_dir() else (root.parent, root.name)
        self.shown = shown or str(self.folder)
        self._scratch = scratch or self.folder
        self._archives: dict[str, Archive] = {}
        self._closing = ExitStack()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def files(self) -> list[str]:
        """The files of the folder and its subfolders, sorted; archives are not opened."""
        return self._listed[0]

    @property
    def empty(self) -> list[str]:
        """The subfolders without files and folders, sorted."""
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[list[str], list[str]]:
        if self._only:
            return [self._only], []
        found, empty = [], []
        for path, inner, names in os.walk(self.folder, onerror=_fail):
            inner[:] = [name for name in inner if not name.startswith(".")]
            below = Path(path).relative_to(self.folder)
            for link in (name for name in inner if os.path.islink(os.path.join(path, name))):
                what, fix = "a link to a folder, which DVC does not follow", "copy the folder to this place instead"
                raise self.error((below / link).as_posix(), what, fix)
            own = [(below / name).as_posix() for name in names if is_data(name)]
            found += own
            if not own and not inner:
                empty.append(below.as_posix())
        return sorted(found), sorted(empty)

    @cached_property
    def names(self) -> list[str]:
        """The files, each archive followed by its members."""
        return [each for name in self.files for each in (name, *(self.members(name) if is_archive(name) else []))]

    def members(self, archive: str) -> list[str]:
        """Return the names of the files in an archive, in their order there. Raises DataError if it is damaged."""
        _, entries, lost = self._opened(archive)
        for name in filter(_is_data, lost):
            what, fix = "a link that leads to no file of the archive", "pack the archive again with tar --dereference"
            raise self.error(f"{archive}/{name}", what, fix, expected="a member", got=lost[name])
        return [f"{archive}/{name}" for name in filter(_is_data, entries)]

    def match(self, path: str) -> list[str]:
        """Return the sorted names that a path of a card matches. Raises DataError if there are none."""
        inside = []
        for archive in filter(is_archive, self.files):
            if _matches(archive, "/".join(path.split("/")[: archive.count("/") + 1])):
                inside += self.members(archive)
        found = [name for name in (*self.files, *inside) if _matches(name, path) or _matches(_array(name), path)]
        if not found:
            names = list(map(_array, inside or self.files))
            meant = schema.nearest(path, names[:MOST_COMPARED])
            shown = names[: MOST_COMPARED if meant else 5]
            got = ", ".join(shown)[:300] + ", ..." * (len(names) > len(shown)) or "an empty folder"
            raise self.error(path, f"no such file{meant}", "correct the path in the card", expected="a file", got=got)
        return sorted(found)

    def only(self, path: str) -> str:
        """Return the one name that a path of a card matches. Raises DataError unless there is exactly one."""
        names = self.match(path)
        if len(names) > 1:
            raise self.error(path, "several files", "name one of them", expected="one", got=", ".join(names)[:200])
        return names[0]

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file or a member of an archive. Raises DataError if it is damaged, also from within the block."""
        archive, member = self._place(name)
        with self.reading(name):
            if not archive:
                with open(self.folder / name, "rb") as file:
                    yield file
                return
            opened, entries, _ = self._opened(archive)
            open_member: Any = opened.open if isinstance(opened, zipfile.ZipFile) else opened.extractfile
            with open_member(entries[member]) as file:
                yield file

    def size(self, name: str) -> int:
        """Return the size of a file in bytes, or the size that an archive declares for a member."""
        archive, member = self._place(name)
        if not archive:
            return (self.folder / name).stat().st_size
        entry = self._opened(archive).entries[member]
        return entry.file_size if isinstance(entry, zipfile.ZipInfo) else entry.size

    def error(self, name: str, what: str, fix: str, *, expected: str = "", got: str = "") -> DataError:
        """Return the error for a file, or for a place in it."""
        subject = f"{self.shown}/{name}" if name else self.shown
        return DataError(Problem(subject, what, expected=expected, got=got, fix=f"{fix}, then dvc repro"))

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Raise DataError for what Python's readers raise within the block."""
        try:
            yield
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            what, fix = f"damaged or cut short: {f'{error}'[:100] or type(error).__name__}", "get the whole file again"
            if "password" in what:
                what, fix = "protected by a password", "pack it again without a password"
            raise self.error(name, what, fix) from error

    def _place(self, name: str) -> tuple[str, str]:
        """Return the archive that a name leads into, if any, and the name of the member in it."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            archive = "/".join(parts[:depth])
            if is_archive(archive) and (self.folder / archive).is_file():
                return archive, "/".join(parts[depth:])
        return "", name

    def _opened(self, archive: str) -> Archive:
        if archive not in self._archives:
            with self.reading(archive):
                self._archives[archive] = open_archive(self.folder / archive, self._closing, self._scratch)
        return self._archives[archive]


def _array(name: str) -> str:
    """Return the name of an array in an .npz file as NumPy shows it, and any other name as it is."""
    return name.removesuffix(".npy") if ".npz/" in name else name


def _is_data(member: str) -> bool:
    return all(map(is_data, member.split("/")))


def _fail(error: OSError) -> None:
    raise error


def _matches(name: str, path: str) -> bool:
    """Return whether a name fits a path, part by part; a wildcard does not reach across a /."""
    names, parts = name.split("/"), path.replace("[", "[[]").split("/")
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))
