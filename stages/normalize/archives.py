"""The archives, held once more against what datasets.yaml says of them, before a byte of them is parsed.

The stage download has checked them, but that may be long ago: a file that was changed since and given its old times
back, or one that DVC restores from a damaged cache, is hashed by nobody else.
"""

from pathlib import Path

from stages import hashes
from stages.command import MEND, DataError, Problem
from stages.datasets import Archive, Downloaded, Entry


def check(raw: Path, entry: Entry) -> None:
    """Raise DataError, with a line for each, if archives have not the size and the SHA-256 that the entry gives.

    Of archives that are made here, the entry gives neither.
    """
    if not isinstance(entry, Downloaded):
        return
    problems = [problem for _, archive in entry.archives if (problem := _problem(raw / archive.file, archive))]
    if problems:
        raise DataError(*problems)


def _problem(path: Path, archive: Archive) -> Problem | None:
    expected, got = (archive.size, archive.sha256), hashes.of_file(path)
    if got == expected:
        return None
    return Problem(str(path), "not the archive of datasets.yaml", MEND, _shown(*expected), _shown(*got))


def _shown(size: int, sha256: str) -> str:
    return f"{size} bytes with SHA-256 {sha256}"
