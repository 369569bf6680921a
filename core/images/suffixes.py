"""Files beside pictures: which there are, by their suffixes, and a command that makes PNG files of some."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

from core.cli.errors import printable
from core.images import decoding

MOST_SUFFIXES = 8  # named of the files that are left out

# Other pictures: the suffixes that Pillow itself can convert to PNG, and those that need the package pillow-heif.
CONVERTIBLE = (".avif", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".pbm", ".pgm", ".ppm", ".tga", ".tif", ".tiff")
HEIF = (".heic", ".heif")
# Opened as a stream: given a path, Pillow 13 maps an uncompressed TIFF into memory, then turns it wrongly by its tag.
_CONVERT = (
    "import sys, pathlib, PIL.Image as I, PIL.ImageOps as O{}; [print(p) or O.exif_transpose(I.open(p.open('rb')))"
    ".save(f'{{p}}.png') for p in pathlib.Path(sys.argv[1]).rglob('*') if p.suffix.lower() in sys.argv[2:]]"
)


def suffix(name: str) -> str:
    """Return the suffix of a file name, in lower case."""
    return os.path.splitext(name)[1].lower()


def is_picture(name: str) -> bool:
    """Return whether a file is a picture that can be read, by its suffix."""
    return name.lower().endswith(decoding.SUFFIXES)


def is_image(name: str) -> bool:
    """Return whether a file is a picture, by its suffix: one that can be read, or one to convert."""
    return name.lower().endswith((*decoding.SUFFIXES, *CONVERTIBLE, *HEIF))


def others(names: Iterable[str]) -> Counter[str]:
    """Return the number of files that are no pictures that can be read, by suffix. A name with / at its end is none."""
    return Counter(suffix(name) for name in names if not is_picture(name) and name[-1:] != "/")


def left_out(folder: str, others: Mapping[str, int]) -> list[str]:
    """Return lines to print about files that are not read: the number by suffix, and a command that converts them."""
    if not others:
        return []
    lines = [f"{folder}: left out {counted(others)}: only {', '.join(decoding.SUFFIXES)} files are read"]
    if command := converter(folder, others):
        lines.append(f"to make PNG files of them, run: {command}")
    return list(map(printable, lines))


def counted(others: Mapping[str, int]) -> str:
    """Return the number of files by suffix as text, the most frequent suffix first."""
    ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {suffix or 'without a suffix'}" for suffix, count in ordered[:MOST_SUFFIXES]]
    more = sum(count for _, count in ordered[MOST_SUFFIXES:])
    return ", ".join([*named, *([f"{more:,} others"] if more else [])])


def converter(folder: str, others: Iterable[str]) -> str:
    """Return a shell command that converts the pictures with these suffixes, in a folder and below, to PNG.

    It is empty if no suffix is one of a picture.
    """
    kinds = sorted({*CONVERTIBLE, *HEIF}.intersection(others))
    if not kinds:
        return ""
    heif = not set(HEIF).isdisjoint(kinds)
    code = _CONVERT.format(", pillow_heif; pillow_heif.register_heif_opener()" if heif else "")
    install = "python -m pip install pillow-heif && " if heif else ""
    return f'{install}python -c "{code}" {shlex.join([folder, *kinds])}'
