"""Files that appear whole or not at all: written beside their place, flushed to the disk, then moved into it."""

import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file; on success it becomes `path`, on any failure it is removed.

    The folder of `path` is made if need be: DVC deletes a stage's outputs, folders included, before it runs it. Raises
    OSError naming `path` where that can't be, and where something is there that no file may take the place of.
    """
    if path.exists() and not path.is_file() and not path.is_dir():  # of a folder, the move itself says so
        raise OSError(errno.EEXIST, "a device or a pipe, which is not to become a file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        with open(temporary, "r+b") as file:  # Windows flushes only what may be written to
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a full disk names no file, a failed move the temporary one
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def sweep(paths: Iterable[Path]) -> None:
    """Remove what killed processes left of files that were to be at these paths, or in these folders.

    To be called where no other process writes there.
    """
    for path in paths:
        for left in (*path.parent.glob(f".{path.name}.[0-9]*.tmp"), *path.glob(".*.[0-9]*.tmp")):
            left.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with newlines as they are in `text`, whatever the platform and the locale."""
    write_bytes(path, text.encode("utf-8"))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV, a header first; rows go to the file as they come."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(chain([columns], rows))


def write_json(path: Path, value: object) -> None:
    """Write JSON in the one form used here: sorted keys, so that a diff shows what changed and no more; no NaN."""
    text = json.dumps(value, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")
