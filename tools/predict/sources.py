"""Where pictures come from: files, folders, standard input, the test images of the pipeline.

Each has a name, by which it is known from here to the last line printed: the path of a file, STDIN, or `test:<number>`.
A file of such a name can be given as ./test:12.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from core.cli.errors import Problem, StageError
from core.formats import image_file, image_folder

STDIN = "-"
_TEST = re.compile(r"test:([0-9]{1,9})")


class Listing(NamedTuple):
    """The names of pictures, in the order in which they are asked for; what of it is not there; and lines to print of
    the files in folders that are left out.
    """

    names: list[str]
    problems: list[Problem]
    left_out: list[str]


def listed(given: Sequence[str]) -> Listing:
    """Return what is asked for, folders replaced by the files in them and below, sorted, whose names end as those of
    pictures do. Hidden files and folders are left out, as are folders that are links: they might lead in a circle.
    """
    listing = Listing([], [], [])
    for name in given:
        if name == STDIN or test_image(name) is not None or not os.path.isdir(name):
            listing.names.append(name)
            continue
        files = sorted(_below(name, listing.problems))
        suffixes = Counter(map(image_folder.suffix, files))
        found = [file for file in files if image_folder.suffix(file) in image_file.SUFFIXES]
        listing.names.extend(found)
        others = {suffix: count for suffix, count in suffixes.items() if suffix not in image_file.SUFFIXES}
        if found:
            listing.left_out.extend(image_folder.left_out(name, others))
        else:
            listing.problems.append(_without_pictures(name, others))
    return listing


def test_image(name: str) -> int | None:
    """Return which test image a name stands for, or None if it is that of a file."""
    match = _TEST.fullmatch(name)
    return int(match[1]) if match else None


def read(name: str) -> image_file.Picture:
    """Return the picture of a file or of standard input. Raises StageError, which names it, where there is none."""
    return image_file.decode(_standard_input() if name == STDIN else image_file.read(Path(name)), name)


def _without_pictures(folder: str, others: Mapping[str, int]) -> Problem:
    expected = f"files named {', '.join(image_file.SUFFIXES)}"
    command = image_folder.converter(folder, others)
    fix = f"make PNG files of them: {command}" if command else image_file.CHECK
    return Problem(
        folder,
        "no pictures in this folder that are read",
        expected=expected,
        got=image_folder.counted(others) or "none",
        fix=fix,
    )


def _below(folder: str, problems: list[Problem]) -> Iterator[str]:
    """Yield the files of a folder; add to `problems` what of it can't be read."""

    def note(error: OSError) -> None:
        problems.append(image_file.unread(error.filename, error))

    for path, inner, files in os.walk(folder, onerror=note):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (os.path.join(path, name) for name in files if not name.startswith("."))


def _standard_input() -> bytes:
    """Return what comes in, and no more of it than tells that it is too much; nothing, where it is closed."""
    try:
        return sys.stdin.buffer.read(image_file.MOST_FILE_BYTES + 1) if sys.stdin else b""
    except OSError as error:
        raise StageError(image_file.unread(STDIN, error)) from error
