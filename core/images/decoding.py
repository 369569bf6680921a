"""Decode untrusted image files safely.

PNG, JPEG, WebP and BMP files are read, by Pillow's decoders of these four formats alone, whatever a file's name is.
File size and pixel count are checked before anything is decoded. A PNG whose pixels end too early but whose checksums
are right looks like one whose last rows are black; JPEG decoders guess damaged pixels.
"""

import io
import os
import stat
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image, ImageOps

from core.cli.errors import DataError, Problem

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")  # of the files that are looked for in a folder
MOST_FILE_BYTES = 20 << 20
MOST_PIXELS = 50_000_000  # as many as a phone's camera takes

CHECK = "check the name and the permissions"
_REPLACE = "replace it with a PNG, JPEG, WebP or BMP file that other programs show, or remove it"
_SHRINK = "make it smaller, or remove it"
_SAVE = "save it with 8-bit RGB or grey values, or remove it"

_MODES = {"1", "L", "LA", "I;16", "P", "PA", "RGB", "RGBA"}
_BIT_DEPTH = 24  # offset of the bit depth in a PNG
_TAGGED = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}  # the keys under which Pillow has tags
_SCALES = {2: 85, 4: 17}  # Pillow scales 2-bit and 4-bit grey values to 0 to 255, but not the transparent one


class Picture(NamedTuple):
    """A picture, upright and whole in memory, and phrases to print about what was done to it."""

    image: Image.Image
    notes: tuple[str, ...]


def read(path: str | Path, name: str = "") -> bytes:
    """Return the bytes of a regular file; a pipe, which would block, is not opened.

    `name` is the name in messages; by default, it is the path. Raises DataError if there is no such file, or if it is
    too large or can't be read.
    """
    name = name or str(path)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(Problem(name, "not a regular file", fix=_REPLACE))
        _require_small(status.st_size, name)
        with open(path, "rb", buffering=0) as file:
            return file.read(status.st_size)
    except OSError as error:
        raise DataError(unread(name, error)) from error


def unread(name: str, error: OSError) -> Problem:
    """Return the problem of a file or folder that the system does not let us read."""
    return Problem(name, error.strerror or str(error), fix=CHECK)


def decode(data: bytes, name: str) -> Picture:
    """Return the picture in the bytes of a file: the first of several frames, turned by its orientation tag.

    `name` is the name in messages. Raises DataError unless the bytes are a whole PNG, JPEG, WebP or BMP of at most
    MOST_FILE_BYTES and MOST_PIXELS, with grey values, RGB colours or a palette.
    """
    _require_small(len(data), name)
    # Of damaged tags, which do not count, and of sizes, which are checked here. The same filter is added only once.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        image, frames = _loaded(data)
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        expected = f"at most {MOST_PIXELS} pixels"
        raise DataError(Problem(name, "too large a picture", expected=expected, got="more", fix=_SHRINK)) from error
    except Image.UnidentifiedImageError as error:  # its text has an address in memory
        what = "not a supported picture" if data else "not a picture"
        expected, got = "a PNG, JPEG, WebP or BMP file", f"a beginning of {data[:16]!r}" if data else "an empty file"
        raise DataError(Problem(name, what, expected=expected, got=got, fix=_REPLACE)) from error
    except Exception as error:  # Pillow raises more than it documents for damaged bytes
        got = f"{error}"[:200] or type(error).__name__
        raise DataError(Problem(name, "a damaged picture", expected="a whole one", got=got, fix=_REPLACE)) from error
    _require_readable(image, data, name)
    if image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= _SCALES.get(data[_BIT_DEPTH], 1)
    upright, turned = _upright(image)
    notes = [f"cut to the first frame (of {frames})"] if frames > 1 else []
    return Picture(upright, (*notes, *(["turned upright by an orientation tag"] if turned else [])))


def _loaded(data: bytes) -> tuple[Image.Image, int]:
    """Return the first frame, decoded, and the number of frames."""
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise Image.DecompressionBombError
    if image.format == "PNG":
        image.verify()  # the checksums, which load() ignores; it closes the file
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    frames = getattr(image, "n_frames", 1)
    image.load()
    return image, frames


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return the image turned by its orientation tag, and whether it was turned."""
    if _TAGGED.isdisjoint(image.info):
        return image, False
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
        return (ImageOps.exif_transpose(image) if turned else image), turned
    except Exception:  # for damaged tags Pillow raises more than it documents; the pixels are whole
        return image, False


def _require_small(size: int, name: str) -> None:
    if size > MOST_FILE_BYTES:
        expected = f"at most {MOST_FILE_BYTES} bytes"
        raise DataError(Problem(name, "too large a file", expected=expected, got="more", fix=_SHRINK))


def _require_readable(image: Image.Image, data: bytes, name: str) -> None:
    """Raise DataError for kinds of pixels that would come out wrong."""
    if image.mode not in _MODES:
        what = "colours for print" if image.mode == "CMYK" else "an unsupported kind of pixels"
        raise DataError(Problem(name, what, expected="grey values or RGB", got=image.mode, fix=_SAVE))
    if image.mode == "P" and image.palette is None:
        raise DataError(Problem(name, "a damaged picture", expected="a palette", got="none", fix=_REPLACE))
    if image.format == "PNG" and image.mode == "RGB" and data[_BIT_DEPTH] == 16 and "transparency" in image.info:
        what = "a transparent colour of 16 bits"
        raise DataError(Problem(name, what, expected="8 bits, or an alpha channel", got="16 bits", fix=_SAVE))
