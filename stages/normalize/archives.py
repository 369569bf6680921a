"""The archives, held once more against what datasets.yaml says of them, before a byte of them is parsed.

The stage download has checked them, but that may be long ago: a file that was changed since and given its old times
back, or one that DVC restores from a damaged cache, is hashed by nobody else.
"""

import hashlib
from pathlib import Path

from stages.command import DataError, Problem
from stages.datasets import Archive, Downloaded, Generated

BLOCK = 1 << 20


def check(raw: Path, entry: Downloaded | Generated) -> None:
    """Raise DataError, with a line for each, if archives have not the size and the SHA-256 that the entry gives.

    Of a data set that is drawn, the entry gives neither.
    """
    if isinstance(entry, Generated):
        return
    problems = [problem for _, archive in entry.archives if (problem := _problem(raw / archive.file, archive))]
    if problems:
        raise DataError(*problems)


def _problem(path: Path, archive: Archive) -> Problem | None:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    expected, got = (archive.size, archive.sha256), (size, digest.hexdigest())
    if got == expected:
        return None
    fix = "delete it, then dvc repro --single-item --force download"
    return Problem(str(path), "not the archive of datasets.yaml", fix, _shown(*expected), _shown(*got))


def _shown(size: int, sha256: str) -> str:
    return f"{size} bytes with SHA-256 {sha256}"
