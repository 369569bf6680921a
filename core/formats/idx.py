"""The IDX format of the MNIST family: files, gzip-compressed or plain, on one side, arrays on the other.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats).
The pipeline reads uint8 alone: images of 3 dimensions and labels of 1. A file of another kind is told by its bytes.
"""

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.files import atomic

UINT8 = 8
TYPES = {UINT8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IMAGES, LABELS = 3, 1  # the dimensions of each
BLOCK = 1 << 20
# Deflate can't expand a byte to more than this (zlib's technical details), so a header that claims more is a lie.
MOST_EXPANSION = 1032

GZIP = b"\x1f\x8b"
BEGINNING = 512  # bytes by which a file of another kind is told


class Advice(NamedTuple):
    """What the owner of a file can do. words: in words, an imperative. convert: Python that gives the array which is
    wanted, an expression in `path` and `idx`, where the file has that array in another form; else empty.
    """

    words: str
    convert: str = ""


class Unfit(DataError):
    """A file does not hold the array that is asked for.

    Its problem is that of a file which was right once, and so is damaged. `advice` is for who owns the file.
    """

    def __init__(self, path: Path, what: str, expected: str, got: str, advice: Advice):
        super().__init__(Problem(str(path), what, expected=expected, got=got, fix=MEND))
        self.advice = advice


def shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape of the array in an IDX file of uint8, as its header has it. Raises Unfit as `read`."""
    with _opened(path) as stream:
        return _read_header(stream, path, dimensions, ">u1")


def blocks(path: Path, dimensions: int, dtype: str = ">u1") -> Iterator[np.ndarray]:
    """Yield the array of an IDX file in pieces of whole rows, of about BLOCK bytes each.

    Raises Unfit as `read`, some of it after the last piece: until then nothing is known to be sound.
    """
    with _opened(path) as stream:
        rows, *row = _read_header(stream, path, dimensions, dtype)
        width = math.prod(row) * np.dtype(dtype).itemsize
        size, done = rows * width, 0
        while done < size:
            wanted = min(max(1, BLOCK // width) * width, size - done)
            payload = _read_at_most(stream, wanted)
            done += len(payload)
            if len(payload) < wanted:
                raise _cut(path, f"{size} bytes of values", f"{done}")
            yield np.frombuffer(payload, dtype).reshape(-1, *row)
        if stream.read(1):  # this one byte makes gzip reach, and check, the checksum at the end of the file
            what = f"longer than an array of the shape {(rows, *row)}"
            raise Unfit(path, what, f"{size} bytes of values", "more", Advice("bring the file as it was published"))


def read(path: Path, dimensions: int, dtype: str = ">u1") -> np.ndarray:
    """Return the array of an IDX file, gzip-compressed or plain, with the given number of dimensions and a type of
    TYPES; without one it is uint8.

    Nothing larger than what the file can hold is ever allocated. Raises Unfit for anything but exactly one IDX array of
    that many dimensions and that type.
    """
    pieces = list(blocks(path, dimensions, dtype))
    if pieces:
        return np.concatenate(pieces)
    with _opened(path) as stream:
        return np.empty(_read_header(stream, path, dimensions, dtype), dtype)


def write(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as gzip-compressed IDX; equal arrays give equal bytes (no name, no time in the header)."""
    if array.dtype != np.uint8:
        raise TypeError(f"an IDX file of this kind holds uint8, not {array.dtype}")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, UINT8, array.ndim, *array.shape)
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream,
    ):
        stream.write(header)
        stream.write(np.ascontiguousarray(array).data)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read what it holds, and say what gzip finds wrong with it as Unfit."""
    with open(path, "rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    try:
        with cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else open(path, "rb") as stream:
            yield stream
    except EOFError as error:
        raise _cut(path, "a gzip file with its end", "none") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        advice = Advice("bring the file anew: its bytes were changed")
        raise Unfit(path, "a damaged gzip file", "gzip data", str(error), advice) from error


def _read_header(stream: BinaryIO, path: Path, dimensions: int, dtype: str) -> tuple[int, ...]:
    """Return the shape that the header gives, if the file can hold as much."""
    beginning = stream.read(4)
    if len(beginning) == 4 and beginning[:2] == bytes(2) and beginning[2] in TYPES and beginning[3]:
        sizes = stream.read(4 * beginning[3])
        if len(sizes) != 4 * beginning[3]:
            raise _cut(path, f"a header of {4 + 4 * beginning[3]} bytes", f"{4 + len(sizes)}")
        claimed, found = struct.unpack(f">{beginning[3]}I", sizes), TYPES[beginning[2]]
        if (len(claimed), found) != (dimensions, dtype):
            raise _other_array(path, dimensions, found, claimed)
    else:
        raise _no_array(path, dimensions, beginning + stream.read(BEGINNING))
    size, most = math.prod(claimed) * np.dtype(dtype).itemsize, path.stat().st_size * MOST_EXPANSION
    if size > most:
        raise _cut(path, f"{size} bytes of values, as its header says", f"at most {most}")
    return claimed


def _read_at_most(stream: BinaryIO, limit: int) -> bytearray:
    """Read block by block: read(limit) would allocate what a lying header claims."""
    payload = bytearray()
    while len(payload) < limit and (block := stream.read(min(BLOCK, limit - len(payload)))):
        payload += block
    return payload


def _cut(path: Path, expected: str, got: str) -> Unfit:
    return Unfit(path, "cut short", expected, got, Advice("bring the whole file"))


_WANTED = {IMAGES: "images", LABELS: "labels"}
_ANEW = Advice('save its values as an IDX file, as README.md says under "IDX files"')


def _other_array(path: Path, dimensions: int, dtype: str, claimed: tuple[int, ...]) -> Unfit:
    """Say which other array an IDX file holds, and how to come by the one that is wanted."""
    wanted, kind = _WANTED.get(dimensions, "values"), np.dtype(dtype).name
    what, advice = f"other values than {wanted}", _ANEW
    if kind == "uint8" and len(claimed) != dimensions and len(claimed) in _WANTED:
        what = f"{_WANTED[len(claimed)]} where {wanted} are due"
        advice = Advice(f"name the file of the {wanted} here, or exchange the two if they are exchanged")
    elif dimensions == IMAGES and kind == "uint8" and len(claimed) == 4:
        what = "colour images, 4 dimensions"
        if claimed[3] == 3:  # the luminance of ITU-R 601, as of pictures
            advice = Advice("make them grey", "numpy.uint8((idx.read(path, 4) @ [0.299, 0.587, 0.114]).round())")
    elif dimensions == LABELS and kind == "int32" and len(claimed) == 2:
        what = "int32 labels of 2 dimensions, as QMNIST has them"
        advice = Advice("take the first column", 'numpy.uint8(idx.read(path, 2, ">i4")[:, 0])')
    return Unfit(
        path, what, f"uint8 of {_counted(dimensions)}", f"{kind} of {_counted(len(claimed))} {claimed!s:.80}", advice
    )


# What other files begin with, at which byte, and what to do about them.
_UNPACK = Advice("unpack it, and name an IDX file that was in it")
_PICTURES = Advice("make the entry one of source: images, a folder of pictures")
_KINDS = [
    (0, b"PK", "a ZIP archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, GZIP, "a gzip file in a gzip file", _UNPACK),
    (0, b"<", "a web page", Advice("download the file itself")),
    (0, b"\x93NUMPY", "a NumPy array", _ANEW),
    (0, b"\x89PNG", "a PNG picture", _PICTURES),
    (0, b"\xff\xd8\xff", "a JPEG picture", _PICTURES),
]
_TABLE = re.compile(rb"[\t\r\n -~]*[,;\t][\t\r\n -~]*")


def _no_array(path: Path, dimensions: int, beginning: bytes) -> Unfit:
    """Say what a file is that is no IDX file."""
    known = [(what, advice) for place, magic, what, advice in _KINDS if beginning[place:].startswith(magic)]
    if len(beginning) < 4:
        what, advice = ("cut short" if beginning else "an empty file"), Advice("bring the whole file")
    elif known:
        what, advice = known[0]
    elif _TABLE.fullmatch(beginning):
        what, advice = "a CSV table", _ANEW
    else:
        what, advice = "another kind of file", Advice("name an IDX file")
    expected, got = f"a beginning of 00 00 08 {dimensions:02}", beginning[:4].hex(" ") or "nothing"
    return Unfit(path, f"{what} where {_WANTED.get(dimensions, 'values')} are due", expected, got, advice)


def _counted(dimensions: int) -> str:
    return f"{dimensions} dimension{'s' * (dimensions != 1)}"
