"""Decode untrusted image files safely, and convert them to grey values of one size.

PNG, JPEG, WebP and BMP files are read, by Pillow's decoders of these four formats alone, whatever a file's name is.
File size and pixel count are checked before anything is decoded. A PNG whose pixels end too early but whose checksums
are right looks like one whose last rows are black; JPEG decoders guess damaged pixels.

A grey value is the luminance of ITU-R 601. Grey values of 16 bits are divided by 257, which maps the whole range to the
whole range; of 16-bit colours the upper 8 bits count.
"""

import io
import stat
import warnings
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from core.cli.errors import DataError, Problem

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")  # of the files that are looked for in a folder
MOST_FILE_BYTES = 20 << 20
MOST_PIXELS = 50_000_000  # as many as a phone's camera takes
STANDS_OUT = 32  # grey values; a smaller difference from the background is noise of a camera or of JPEG

CHECK = "check the name and the permissions"
_REPLACE = "replace it with a PNG, JPEG, WebP or BMP file that other programs show, or remove it"
_SHRINK = "make it smaller, or remove it"
_SAVE = "save it with 8-bit RGB or grey values, or remove it"

_MODES = {"1", "L", "LA", "I;16", "P", "PA", "RGB", "RGBA"}
_BIT_DEPTH = 24  # offset of the bit depth in a PNG
_SCALES = {2: 85, 4: 17}  # Pillow scales 2-bit and 4-bit grey values to 0 to 255, but not the transparent one

Invert = Literal["auto", "yes", "no"]


class Picture(NamedTuple):
    """A picture, upright and whole in memory, and phrases to print about what was done to it."""

    image: Image.Image
    notes: tuple[str, ...]


def read(path: Path) -> bytes:
    """Return the bytes of a regular file; a pipe, which would block, is not opened.

    Raises DataError if there is no such file, or if it is too large or can't be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(Problem(str(path), "not a regular file", fix=_REPLACE))
        _require_small(status.st_size, str(path))
        with open(path, "rb") as file:
            return file.read(status.st_size)
    except OSError as error:
        raise DataError(unread(str(path), error)) from error


def unread(name: str, error: OSError) -> Problem:
    """Return the problem of a file or folder that the system does not let us read."""
    return Problem(name, error.strerror or str(error), fix=CHECK)


def decode(data: bytes, name: str) -> Picture:
    """Return the picture in the bytes of a file: the first of several frames, turned by its orientation tag.

    `name` is the name in messages. Raises DataError unless the bytes are a whole PNG, JPEG, WebP or BMP of at most
    MOST_FILE_BYTES and MOST_PIXELS, with grey values, RGB colours or a palette.
    """
    _require_small(len(data), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged tags, which do not count, and of sizes, which are checked here
        return _decoded(data, name)


def grey(image: Image.Image, background: int) -> np.ndarray:
    """Return a decoded image as uint8 (height, width), on a background in [0, 255] where it is transparent."""
    transparency = image.info.get("transparency")
    if image.mode == "I;16":
        values = np.asarray(image).astype(np.uint32)
        scaled = ((values + 128) // 257).astype(np.uint8)
        return scaled if transparency is None else np.where(values == transparency, np.uint8(background), scaled)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    image = image.convert("RGBA")
    under = Image.new("L", image.size, background)
    return np.asarray(Image.composite(image.convert("L"), under, image.getchannel("A")))


def border(values: np.ndarray) -> int:
    """Return the median of the outermost pixels of uint8 (height, width): the value of the background."""
    return int(borders(values[None])[0])


def borders(images: np.ndarray) -> np.ndarray:
    """Return the border of each image, uint8 (n,), of uint8 (n, height, width)."""
    outermost = edges(images)
    return np.sort(outermost, axis=1)[:, outermost.shape[1] // 2]


def edges(images: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (..., height, width), one side after the other, as (..., n)."""
    return np.concatenate([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], axis=-1)


def boxes(images: np.ndarray) -> np.ndarray:
    """Return the bounding box of the subject in each of uint8 (n, height, width), as integers (n, 4).

    A box is the first row and column, and the row and column after the last. The subject is what differs from the
    background by more than STANDS_OUT; if nothing does, it is the whole image.
    """
    ground = borders(images)[:, None, None]
    differs = np.where(images > ground, images - ground, ground - images) > STANDS_OUT
    rows, columns = differs.any(axis=2), differs.any(axis=1)
    first = [side.argmax(axis=1) for side in (rows, columns)]
    after = [side.shape[1] - side[:, ::-1].argmax(axis=1) for side in (rows, columns)]
    return np.stack([*first, *after], axis=1)


def inverted(values: np.ndarray, choice: Invert, background: int = 0) -> tuple[np.ndarray, str]:
    """Return uint8 (height, width), with light and dark exchanged if chosen, and a phrase that says so and why.

    "auto" exchanges them if the border is light and `background` is dark, or the reverse.
    """
    value = border(values)
    done = (value > 127) != (background > 127) if choice == "auto" else choice == "yes"
    side = "light" if value > 127 else "dark"
    why = f"as its border is {side} ({value} of 255)" if choice == "auto" else f"as invert is {choice}"
    return 255 - values if done else values, f"{'inverted' if done else 'not inverted'}, {why}"


def fitted(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return uint8 (height, width) fitted into `shape`: never stretched, centred, padded with the value of its border.

    An image that has this shape keeps its bytes.
    """
    return placed(values, shape, shape, border(values))


def placed(values: np.ndarray, shape: tuple[int, int], room: tuple[int, int], background: int) -> np.ndarray:
    """Return uint8 (height, width) as large as it fits into `room`, unstretched, centred on a background of `shape`."""
    height, width = shape
    scale = min(room[0] / values.shape[0], room[1] / values.shape[1])
    inner_height, inner_width = (max(1, round(side * scale)) for side in values.shape)
    inner = values
    if values.shape != (inner_height, inner_width):  # before padding: a thin picture would become a huge square
        # When it shrinks an image, this filter averages over all pixels, and it never overshoots.
        resized = Image.fromarray(values).resize((inner_width, inner_height), Image.Resampling.BILINEAR)
        inner = np.asarray(resized)
    canvas = np.full(shape, background, np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas


def _decoded(data: bytes, name: str) -> Picture:
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
    notes = [f"the first of {frames} frames"] if frames > 1 else []
    return Picture(upright, (*notes, *(["turned by its orientation tag"] if turned else [])))


def _loaded(data: bytes) -> tuple[Image.Image, int]:
    """Return the first frame, decoded, and the number of frames."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as unread:
        if unread.width * unread.height > MOST_PIXELS:
            raise Image.DecompressionBombError
        unread.verify()  # the checksums of a PNG, which load() ignores
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    frames = getattr(image, "n_frames", 1)
    image.load()
    return image, frames


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return the image turned by its orientation tag, and whether it was turned."""
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
