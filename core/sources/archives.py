"""Open zip and tar files, so that their members can be read in any order and with little memory."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

ZIPS = (".zip", ".npz")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DECOMPRESSORS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
# What Python's readers of archives raise for damaged bytes, and for a password. OSError has no errno then.
DAMAGED = (
    *(EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError, MemoryError, OSError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError),
)


class Archive(NamedTuple):
    """An open archive, and the entry of each file in it, in the order of the archive."""

    file: zipfile.ZipFile | tarfile.TarFile
    entries: dict[str, zipfile.ZipInfo | tarfile.TarInfo]


def is_archive(name: str) -> bool:
    """Return whether a name is that of a zip or tar file."""
    return name.lower().endswith((*ZIPS, *TARS))


class _File(io.BufferedReader):
    """A file that is read into no more memory than it has bytes: tarfile asks for as many as a header claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(-1 if size is None else size, os.fstat(self.fileno()).st_size - self.tell()))


def open_archive(path: Path, closing: ExitStack) -> Archive:
    """Return the archive in a file, which `closing` will close. Raises one of DAMAGED."""
    file = closing.enter_context(_File(io.FileIO(path)))
    if path.name.lower().endswith(ZIPS):
        zipped = zipfile.ZipFile(file)
        return Archive(zipped, {_clean(info.filename): info for info in zipped.infolist() if info.filename[-1:] != "/"})
    if decompress := DECOMPRESSORS.get(file.read(2)):  # once, as members are read in any order
        whole = closing.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        with decompress(path) as compressed:
            shutil.copyfileobj(compressed, whole, 1 << 20)
        file = closing.enter_context(_File(whole))
    file.seek(-min(tarfile.BLOCKSIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    if any(file.read()):  # tarfile takes a header that is cut for the end
        raise EOFError("the end is missing")
    file.seek(0)
    tar = tarfile.TarFile(fileobj=file)
    return Archive(tar, {_clean(info.name): info for info in tar if info.isfile()})


def _clean(name: str) -> str:
    """Return the name of a member without the beginning ./ of some tar files, and the backslashes of some zip files."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
