"""Open zip and tar files, so that their members can be read in any order and with little memory."""

import bz2
import gzip
import io
import lzma
import os
import posixpath
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from core.cli.errors import Problem, StageError

ZIPS = (".zip", ".npz")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DECOMPRESSORS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
BLOCK = 1 << 20  # bytes that are unpacked at once
RESERVE = 1 << 28  # bytes of the disk that stay free
MOST_LINKS = 8  # from one to the next
# What Python's readers of archives raise for damaged bytes, and for a password. OSError has no errno then.
DAMAGED = (
    *(EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError, MemoryError, OSError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
)


class Archive(NamedTuple):
    """An open archive, and the entry of each file in it, in the order of the archive. A link has the entry of the file
    to which it leads. lost: where each link leads that leads to no file of the archive.
    """

    file: zipfile.ZipFile | tarfile.TarFile
    entries: dict[str, zipfile.ZipInfo | tarfile.TarInfo]
    lost: dict[str, str]


def is_archive(name: str) -> bool:
    """Return whether a name is that of a zip or tar file."""
    return name.lower().endswith((*ZIPS, *TARS))


class _File(io.BufferedReader):
    """A file that is read into no more memory than it has bytes: tarfile asks for as many as a header claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(-1 if size is None else size, os.fstat(self.fileno()).st_size - self.tell()))


def open_archive(path: Path, closing: ExitStack, scratch: Path) -> Archive:
    """Return the archive in a file, which `closing` will close.

    A compressed tar file is unpacked into a file without a name in the folder `scratch`. Raises one of DAMAGED, or
    StageError if the disk has no room.
    """
    file = closing.enter_context(_File(io.FileIO(path)))
    if path.name.lower().endswith(ZIPS):
        zipped = zipfile.ZipFile(file)
        infos = (info for info in zipped.infolist() if info.filename[-1:] != "/")
        return Archive(zipped, {_clean(info.filename): info for info in infos}, {})
    if decompress := DECOMPRESSORS.get(file.read(2)):  # once, as members are read in any order
        whole = closing.enter_context(tempfile.TemporaryFile(buffering=0, dir=scratch))  # noqa: SIM115
        with decompress(path) as compressed:
            for block in iter(partial(compressed.read, BLOCK), b""):
                _require_room(scratch, path)
                whole.write(block)
        file = closing.enter_context(_File(whole))
    file.seek(-min(tarfile.BLOCKSIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    if any(file.read()):  # tarfile takes a header that is cut for the end
        raise EOFError("the end is missing")
    file.seek(0)
    tar = tarfile.TarFile(fileobj=file)
    members = {_clean(info.name): info for info in tar}
    files = {name: _followed(name, members) for name, info in members.items() if info.isfile() or info.linkname}
    lost = {name: members[name].linkname for name, info in files.items() if info is None}
    return Archive(tar, {name: info for name, info in files.items() if info}, lost)


def _followed(name: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """Return the entry of the file that a name leads to, or None if it leads to none of the archive."""
    for _ in range(MOST_LINKS):
        info = members.get(name)
        if info is None or info.isfile():
            return info
        target = info.linkname if info.islnk() else posixpath.join(posixpath.dirname(name), info.linkname)
        name = posixpath.normpath(target)
    return None


def _require_room(scratch: Path, path: Path) -> None:
    """Raise StageError if the disk of a folder is nearly full."""
    if (free := shutil.disk_usage(scratch).free) < RESERVE:
        what, expected = f"no room to unpack {path.name}", f"{RESERVE / 1e9:.1f} GB that stay free"
        fix = "free some disk, or pack the files as zip, then dvc repro"
        raise StageError(Problem(str(scratch), what, expected=expected, got=f"{free / 1e9:.1f} GB", fix=fix))


def _clean(name: str) -> str:
    """Return the name of a member without the beginning ./ of some tar files, and the backslashes of some zip files."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
