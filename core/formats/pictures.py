"""Anybody's pictures, decoded safely and brought to grey values of one size.

PNG, JPEG, WebP and BMP files are read, by the decoders of these names alone, whatever a file is called. Sizes are held
against caps before anything is decoded. Nothing of a file is believed that can be checked; a PNG whose pixels end too
early, but with right checksums, can't be told from one whose last rows are black, and decoders of JPEG guess on over
damaged bytes.

A grey value is the luminance of ITU-R 601. Of 16 bits to a pixel, grey ones are divided by 257, which maps the whole
range to the whole range; of colours the upper 8 bits count.
"""

import io
import stat
import warnings
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from core.cli.errors import DataError, Problem

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")  # what is looked for in a folder; bytes alone decide what it is
MOST_FILE_BYTES = 20 << 20
MOST_PIXELS = 50_000_000  # as many as a telephone's camera takes
CHECK = "check the name, and that it may be read"  # what to do where nothing is to be had
STANDS_OUT = 32  # grey values; what differs less from the background is noise, of a camera or of JPEG

Invert = Literal["auto", "yes", "no"]

# Pillow warns of up to twice as many pixels and goes on, and of tags that are damaged; here too many are refused, and
# no tag but the orientation counts.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)

# What to do to an image whose orientation tag has that value (Exif 2.32, tag 274).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_BIT_DEPTH = 24  # which byte of a PNG it is, in the header that comes first
_SCALES = {2: 85, 4: 17}  # Pillow scales grey values of so many bits to 0 to 255, but not the one that is transparent

_MODES = {"1", "L", "LA", "I;16", "P", "PA", "RGB", "RGBA"}
_FIX = "bring a PNG, JPEG, WebP or BMP file that other programs show, or leave it out"
_SMALLER = "make it smaller, or leave it out"
_SAVE = "save it as RGB or grey values, 8 bits each, or leave it out"


class Picture(NamedTuple):
    """One picture, upright and whole in memory, and what was done to it, as phrases to print."""

    image: Image.Image
    notes: tuple[str, ...]


def read(path: Path) -> bytes:
    """Return the bytes of a regular file; anything else is not opened, for a pipe would wait for ever.

    Raises DataError, which names it, for what is no such file, too large, or can't be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _refused(str(path), "not a regular file")
        _require_small(status.st_size, str(path))
        with open(path, "rb") as file:
            return file.read(status.st_size)
    except OSError as error:
        raise DataError(unread(str(path), error)) from error


def unread(name: str, error: OSError) -> Problem:
    """Return what there is to say of a file or folder that the system does not give."""
    return Problem(name, error.strerror or str(error), fix=CHECK)


def decode(data: bytes, name: str) -> Picture:
    """Return the picture that a file's bytes hold, turned as its orientation tag says; of several frames the first.

    `name` is what messages call the file. Raises DataError for anything but a whole PNG, JPEG, WebP or BMP of at most
    MOST_FILE_BYTES and MOST_PIXELS, in grey values, in colours of a screen, or in those of a palette.
    """
    _require_small(len(data), name)
    if not data:
        raise _refused(name, "not a picture", "a PNG, JPEG, WebP or BMP file", "an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as unread:
            unread.verify()  # the checksums of a PNG, which loading it does not look at
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = getattr(image, "n_frames", 1)
        image.load()
        turn = _turn(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refused(name, "too large a picture", f"at most {MOST_PIXELS} pixels", "more", _SMALLER) from error
    except Image.UnidentifiedImageError as error:  # its text has an address in memory
        got = f"a beginning of {data[:16]!r}"
        raise _refused(name, "not a picture that is read here", "a PNG, JPEG, WebP or BMP file", got) from error
    except MemoryError:
        raise
    except Exception as error:  # of any kind: on damaged bytes Pillow lets slip more than it documents
        got = f"{error}"[:200] or type(error).__name__
        raise _refused(name, "a damaged picture", "a whole one", got) from error
    _require_readable(image, data, name)
    if image.format == "PNG" and image.mode == "L" and "transparency" in image.info:
        image.info["transparency"] *= _SCALES.get(data[_BIT_DEPTH], 1)
    notes = [f"the first of {frames} frames"] if frames > 1 else []
    if turn is not None:
        notes.append("turned as its orientation tag says")
    return Picture(image if turn is None else image.transpose(turn), tuple(notes))


def grey(image: Image.Image, background: int) -> np.ndarray:
    """Return a decoded image as uint8 (height, width); what is transparent is laid on a grey value in [0, 255]."""
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
    """Return the border of each of uint8 (n, height, width), uint8 (n,)."""
    outermost = edges(images)
    return np.sort(outermost, axis=1)[:, outermost.shape[1] // 2]


def edges(images: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (..., height, width), one side after the other, (..., n)."""
    return np.concatenate([images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], axis=-1)


def boxes(images: np.ndarray) -> np.ndarray:
    """Return where in each of uint8 (n, height, width) the subject is, integer (n, 4): its first row and column, and
    the row and column after its last.

    It is what stands out from the background by more than STANDS_OUT; where nothing does, it is the whole image.
    """
    ground = borders(images)[:, None, None]
    differs = np.where(images > ground, images - ground, ground - images) > STANDS_OUT
    rows, columns = differs.any(axis=2), differs.any(axis=1)
    first = [side.argmax(axis=1) for side in (rows, columns)]
    after = [side.shape[1] - side[:, ::-1].argmax(axis=1) for side in (rows, columns)]
    return np.stack([*first, *after], axis=1)


def inverted(values: np.ndarray, choice: Invert, background: int = 0) -> tuple[np.ndarray, str]:
    """Return uint8 (height, width) with light and dark exchanged, or as it is, and which of them and why.

    "auto" makes the background what `background` is, dark or light: it exchanges them where the border is the other.
    """
    value = border(values)
    done = (value > 127) != (background > 127) if choice == "auto" else choice == "yes"
    side = "light" if value > 127 else "dark"
    why = f"as its border is {side} ({value} of 255)" if choice == "auto" else f"as invert is {choice}"
    return 255 - values if done else values, f"{'inverted' if done else 'not inverted'}, {why}"


def fitted(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return uint8 (height, width) brought to `shape` and never stretched: the picture as large as it fits, in the
    middle, around it the value of its border. Equal shapes give equal bytes.
    """
    return placed(values, shape, shape, border(values))


def placed(values: np.ndarray, shape: tuple[int, int], room: tuple[int, int], background: int) -> np.ndarray:
    """Return uint8 (height, width) as large as it fits into `room` and never stretched, in the middle of a background
    of that shape.

    It is resized only if need be, by a filter which averages over what falls together and never overshoots.
    """
    height, width = shape
    scale = min(room[0] / values.shape[0], room[1] / values.shape[1])
    inner_height, inner_width = (max(1, round(side * scale)) for side in values.shape)
    inner = values
    if values.shape != (inner_height, inner_width):  # before it is padded: what is thin would grow to a huge square
        resized = Image.fromarray(values).resize((inner_width, inner_height), Image.Resampling.BILINEAR)
        inner = np.asarray(resized)
    canvas = np.full(shape, background, np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas


def _require_small(size: int, name: str) -> None:
    if size > MOST_FILE_BYTES:
        raise _refused(name, "too large a file", f"at most {MOST_FILE_BYTES} bytes", "more", _SMALLER)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return by how the image is to be turned or mirrored, if at all; a tag that can't be read says nothing."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # of any kind, as above; the pixels are whole
        return None


def _require_readable(image: Image.Image, data: bytes, name: str) -> None:
    """Raise DataError for kinds of pixels that would not be shown rightly."""
    if image.mode not in _MODES:
        what = "colours for print" if image.mode == "CMYK" else "a kind of pixels that is not read here"
        raise _refused(name, what, "grey values or RGB", image.mode, _SAVE)
    if image.mode == "P" and image.palette is None:
        raise _refused(name, "a damaged picture", "a palette", "none")
    if image.format == "PNG" and image.mode == "RGB" and data[_BIT_DEPTH] == 16 and "transparency" in image.info:
        raise _refused(name, "a transparent colour of 16 bits", "8 bits, or an alpha channel", "16 bits", _SAVE)


def _refused(name: str, what: str, expected: str = "", got: str = "", fix: str = _FIX) -> DataError:
    return DataError(Problem(name, what, expected=expected, got=got, fix=fix))
