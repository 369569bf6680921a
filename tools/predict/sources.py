"""Find and read pictures: files, folders, standard input, test images of the pipeline.

The name of a picture is the path of its file, `-` for standard input, or `test:<number>`. A file that has such a name
can be given as ./test:12.
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from core.cli.errors import Problem, StageError
from core.images import decoding, suffixes

STDIN = "-"


class Listing(NamedTuple):
    """The names of the pictures, in the order of the arguments; the folders that can't be read or have no pictures; and
    lines to print about files in folders that are left out.
    """

    names: list[str]
    problems: list[Problem]
    left_out: list[str]


def listed(given: Sequence[str]) -> Listing:
    """Replace each folder by the pictures in it and in its subfolders, sorted by path.

    Hidden files and folders are left out. Links to folders are not followed, because they may lead in a circle.
    """
    listing = Listing([], [], [])
    for name in given:
        if name == STDIN or test_image(name) is not None or not os.path.isdir(name):
            listing.names.append(name)
            continue
        files = _files(name, listing.problems)
        found, others = list(filter(suffixes.is_picture, files)), suffixes.others(files)
        listing.names.extend(found)
        if found:
            listing.left_out.extend(suffixes.left_out(name, others))
        else:
            expected, got = f"files named {', '.join(decoding.SUFFIXES)}", suffixes.counted(others) or "none"
            command = suffixes.converter(name, others)
            fix = f"make PNG files of them: {command}" if command else decoding.CHECK
            listing.problems.append(Problem(name, "no pictures in this folder", expected=expected, got=got, fix=fix))
    return listing


def test_image(name: str) -> int | None:
    """Return the number of a test image, or None if the name is that of a file."""
    match = re.fullmatch(r"test:([0-9]{1,9})", name)
    return int(match[1]) if match else None


def read(name: str) -> decoding.Picture:
    """Return the picture of a file or of standard input. Raises StageError if it can't be read."""
    return decoding.decode(_standard_input() if name == STDIN else decoding.read(Path(name)), name)


def _files(folder: str, problems: list[Problem]) -> list[str]:
    """Return the files of a folder. Adds subfolders that can't be read to `problems`."""

    def note(error: OSError) -> None:
        problems.append(decoding.unread(error.filename, error))

    found: list[str] = []
    for path, inner, files in os.walk(folder, onerror=note):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += (os.path.join(path, name) for name in files if not name.startswith("."))
    return sorted(found)


def _standard_input() -> bytes:
    """Return the bytes of standard input, up to one more than a picture may have; none if it is closed."""
    try:
        return sys.stdin.buffer.read(decoding.MOST_FILE_BYTES + 1) if sys.stdin else b""
    except OSError as error:
        raise StageError(decoding.unread(STDIN, error)) from error
