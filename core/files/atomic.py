"""Files that appear complete or not at all: written to a temporary file, flushed to the disk, then renamed."""

import csv
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path


@contextmanager
def replacing(path: Path, flush: bool = True) -> Iterator[Path]:
    """Yield the path of a temporary file; on success it replaces `path`, on any failure it is removed.

    Without `flush`, a loss of power may leave an empty file: for a file that is soon replaced again.
    Makes the folder of `path`: DVC deletes the outputs of a stage, folders included, before it runs the stage. Raises
    OSError with `path` if the file can't be written, or if `path` is a device or a pipe.
    """
    if path.exists() and not path.is_file() and not path.is_dir():  # the rename itself refuses a folder
        raise OSError(errno.EEXIST, "a device or a pipe, which is never replaced by a file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        if flush:
            with open(temporary, "r+b") as file:  # Windows flushes only files that are open for writing
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a full disk names no file, a failed rename the temporary file
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sweep(paths: Iterable[Path]) -> None:
    """Remove the temporary files and folders that killed processes left for these paths, or in these folders.

    Call it only while no other process writes there.
    """
    for path in paths:
        for left in (*path.parent.glob(f".{path.name}.[0-9]*.tmp"), *path.glob(".*.[0-9]*.tmp")):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, on the same disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.", suffix=".tmp") as folder:
        yield Path(folder)


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 and keep the newlines of `text`, on every platform and in every locale."""
    write_bytes(path, text.encode("utf-8"))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], flush: bool = True) -> None:
    """Write a table as CSV with a header, row by row. flush: as for `replacing`."""
    with replacing(path, flush) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(chain([columns], rows))


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, so that a diff shows only what changed. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")
