"""The files of a data set: those in a folder, and those in the zip and tar files there.

A name is the path below the folder, with /. A member of `data/images.zip` has the name `data/images.zip/<member>`.
Nothing is unpacked to disk. Hidden files, README.md and the .dvc files of `dvc add` do not count.
"""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from core.cli.errors import DataError, Problem

ZIPS = (".zip", ".npz")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# What Python's readers of archives raise for damaged bytes, and for a password.
DAMAGED = (EOFError, ValueError, RuntimeError, NotImplementedError, KeyError, zlib.error, lzma.LZMAError)
DAMAGED += (zipfile.BadZipFile, tarfile.TarError)


class Tree:
    """The files below a folder, or a single file as if it were alone in its folder.

    shown: the folder as it is named in messages.
    """

    def __init__(self, root: Path, shown: str = ""):
        self.folder, self._only = (root, None) if root.is_dir() else (root.parent, root.name)
        self.shown = shown or str(self.folder)
        self._open: dict[str, zipfile.ZipFile | tarfile.TarFile] = {}

    @cached_property
    def files(self) -> list[str]:
        """The files of the folder and its subfolders, sorted; archives are not opened."""
        if self._only:
            return [self._only]
        found = []
        for path, inner, names in os.walk(self.folder):
            inner[:] = [name for name in inner if not name.startswith(".")]
            below = Path(path).relative_to(self.folder)
            found += [(below / name).as_posix() for name in names if _counts(name)]
        return sorted(found)

    def members(self, archive: str) -> list[str]:
        """Return the names of the files in an archive, in their order there. Raises DataError if it is damaged."""
        with self._reading(archive):
            opened = self._opened(archive)
            if isinstance(opened, zipfile.ZipFile):
                names = [info.filename for info in opened.infolist() if not info.is_dir()]
            else:
                names = [info.name for info in opened.getmembers() if info.isfile()]
        return [f"{archive}/{name}" for name in names if all(map(_counts, name.split("/")))]

    def match(self, path: str) -> list[str]:
        """Return the sorted names that a path of a card matches. Raises DataError if there are none."""
        found = []
        for name in self.files:
            if _matches(name, path):
                found.append(name)
            elif is_archive(name) and _matches(name, "/".join(path.split("/")[: name.count("/") + 1])):
                found += [member for member in self.members(name) if _matches(member, path)]
        if not found:
            what, got = "no such file", ", ".join(self.files[:5]) + ", ..." * (len(self.files) > 5)
            raise self.error(
                path, what, "correct the path in the card", expected="a file", got=got or "an empty folder"
            )
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
        with self._reading(name):
            archive, member = self._place(name)
            if not archive:
                with open(self.folder / name, "rb") as file:
                    yield file
                return
            opened = self._opened(archive)
            stream = opened.open(member) if isinstance(opened, zipfile.ZipFile) else opened.extractfile(member)
            with cast(BinaryIO, stream) as file:
                yield file

    def size(self, name: str) -> int:
        """Return the size of a file in bytes, or the size that an archive declares for a member."""
        archive, member = self._place(name)
        if not archive:
            return (self.folder / name).stat().st_size
        opened = self._opened(archive)
        return (
            opened.getinfo(member).file_size if isinstance(opened, zipfile.ZipFile) else opened.getmember(member).size
        )

    def error(self, name: str, what: str, fix: str, *, expected: str = "", got: str = "") -> DataError:
        """Return the error for a file, or for a place in it."""
        subject = f"{self.shown}/{name}" if name else self.shown
        return DataError(Problem(subject, what, expected=expected, got=got, fix=f"{fix}, then dvc repro"))

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            reason = f"{error}"[:100] or type(error).__name__
            raise self.error(name, f"damaged, or cut short: {reason}", "get the whole file again") from error

    def _place(self, name: str) -> tuple[str, str]:
        """Return the archive that a name leads into, if any, and the name of the member in it."""
        parts = name.split("/")
        for depth in range(1, len(parts)):
            archive = "/".join(parts[:depth])
            if is_archive(archive) and (self.folder / archive).is_file():
                return archive, "/".join(parts[depth:])
        return "", name

    def _opened(self, archive: str) -> zipfile.ZipFile | tarfile.TarFile:
        if archive not in self._open:
            path = self.folder / archive
            is_zip = archive.lower().endswith(ZIPS)
            self._open[archive] = zipfile.ZipFile(path) if is_zip else tarfile.open(path)  # noqa: SIM115
        return self._open[archive]


def is_archive(name: str) -> bool:
    """Return whether a name is that of a zip or tar file."""
    return name.lower().endswith((*ZIPS, *TARS))


def _counts(name: str) -> bool:
    return not name.startswith((".", "__MACOSX")) and name != "README.md" and not name.endswith(".dvc")


def _matches(name: str, path: str) -> bool:
    """Return whether a name fits a path, part by part; a wildcard does not reach across a /."""
    names, parts = name.split("/"), path.split("/")
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))
