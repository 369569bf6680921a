"""Read and write IDX files, the format of the MNIST family, plain or gzip-compressed.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats).
The pipeline reads uint8 images of 3 dimensions and uint8 labels of 1 dimension.
"""

import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.files import atomic

UINT8 = 8
TYPES = {UINT8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
IMAGES, LABELS = 3, 1  # the dimensions of each
NAMES = {IMAGES: "images", LABELS: "labels"}
BLOCK = 1 << 20
MOST_EXPANSION = 1032  # bytes that deflate can make of one (zlib, technical details)

GZIP = b"\x1f\x8b"
BEGINNING = 512  # bytes that tell the kind of a file


class Unfit(DataError):
    """A file does not hold the wanted array.

    The problem assumes that `download` wrote the file. `fix` tells the owner of any other file what to do. `convert` is
    a Python expression for the wanted array, from `path`, `idx` and `numpy`; it is empty if there is none.
    """

    def __init__(self, path: Path, what: str, expected: str, got: str, fix: str, convert: str = ""):
        super().__init__(Problem(str(path), what, expected=expected, got=got, fix=MEND))
        self.fix, self.convert = fix, convert


def shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape in the header of a uint8 IDX file. Raises Unfit as `read`."""
    with _opened(path) as stream:
        return _read_header(stream, path, dimensions, ">u1")


def read(path: Path, dimensions: int, dtype: str = ">u1") -> np.ndarray:
    """Return the array of an IDX file, with that number of dimensions and a dtype of TYPES.

    Raises Unfit unless the file holds exactly one such array. Allocates at most MOST_EXPANSION times the file's size.
    """
    with _opened(path) as stream:
        shape = _read_header(stream, path, dimensions, dtype)
        blocks = [block.reshape(-1) for block in _values(stream, path, shape, dtype)]
    return np.concatenate([np.empty(0, dtype), *blocks]).reshape(shape)


def blocks(path: Path, dimensions: int) -> Iterator[np.ndarray]:
    """Yield the uint8 array of an IDX file as blocks of whole rows, of about BLOCK bytes.

    Raises Unfit as `read`, some of it only after the last block.
    """
    with _opened(path) as stream:
        yield from _values(stream, path, _read_header(stream, path, dimensions, ">u1"), ">u1")


def write(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzip-compressed IDX file; equal arrays give equal bytes. Raises TypeError."""
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
    """Open a file, decompressed if it is a gzip file. Raises Unfit for damaged gzip data."""
    with open(path, "rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    try:
        with cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else open(path, "rb") as stream:
            yield stream
    except EOFError as error:
        raise _cut(path, "a gzip file with its end", "none") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        fix = "get the file again: its bytes were changed"
        raise Unfit(path, "a damaged gzip file", "gzip data", str(error), fix) from error


def _read_header(stream: BinaryIO, path: Path, dimensions: int, dtype: str) -> tuple[int, ...]:
    """Return the shape in the header. Raises Unfit for another array, and for more values than the file can hold."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != bytes(2) or magic[2] not in TYPES or not magic[3]:
        raise _other_file(path, dimensions, magic + stream.read(BEGINNING))
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise _cut(path, f"a header of {4 + 4 * magic[3]} bytes", str(4 + len(sizes)))
    shape, found = struct.unpack(f">{magic[3]}I", sizes), TYPES[magic[2]]
    if (len(shape), found) != (dimensions, dtype):
        raise _other_array(path, dimensions, found, shape)
    size, most = math.prod(shape) * np.dtype(dtype).itemsize, path.stat().st_size * MOST_EXPANSION
    if size > most:
        raise _cut(path, f"{size} bytes of values, as its header says", f"at most {most}")
    return shape


def _values(stream: BinaryIO, path: Path, shape: tuple[int, ...], dtype: str) -> Iterator[np.ndarray]:
    """Yield the values after the header as blocks of whole rows. Raises Unfit unless they fill the shape exactly."""
    rows, *row = shape
    width = math.prod(row) * np.dtype(dtype).itemsize
    size, done = rows * width, 0
    while done < size:
        wanted = min(max(1, BLOCK // width) * width, size - done)
        payload = stream.read(wanted)
        done += len(payload)
        if len(payload) < wanted:
            raise _cut(path, f"{size} bytes of values", str(done))
        yield np.frombuffer(payload, dtype).reshape(-1, *row)
    if stream.read(1):  # gzip checks the checksum only when a read reaches the end of the file
        what = f"longer than an array of the shape {shape}"
        raise Unfit(path, what, f"{size} bytes of values", "more", "get the file as it was published")


def _cut(path: Path, expected: str, got: str) -> Unfit:
    return Unfit(path, "cut short", expected, got, "get the whole file")


def _other_array(path: Path, dimensions: int, dtype: str, shape: tuple[int, ...]) -> Unfit:
    """Return the error for an IDX file of another array, with a conversion of the arrays that people really have."""
    wanted, kind = NAMES.get(dimensions, "values"), np.dtype(dtype).name
    what, fix, convert = f"other values than {wanted}", f"convert it to uint8 {wanted}", ""
    if kind == "uint8" and len(shape) in NAMES and len(shape) != dimensions:
        what = f"{NAMES[len(shape)]} instead of {wanted}"
        fix = f"name the file of the {wanted} here, or exchange the two file names"
    elif dimensions == LABELS and kind == "int32" and len(shape) == 2:
        what = "int32 labels of 2 dimensions, as in QMNIST"
        fix, convert = "take the first column", 'numpy.uint8(idx.read(path, 2, ">i4")[:, 0])'
    expected, got = f"uint8 of {_counted(dimensions)}", f"{kind} of {_counted(len(shape))} {shape!s:.80}"
    return Unfit(path, what, expected, got, fix, convert)


_UNPACK = "unpack it, and name an IDX file from it"
# Offset and bytes that tell the kind of a file, its name, and the fix.
_KINDS = [
    (0, b"PK", "a ZIP archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, GZIP, "a gzip file in a gzip file", _UNPACK),
    (0, b"<", "a web page", "download the file itself"),
    (0, b"\x93NUMPY", "a NumPy array", "convert it to an IDX file"),
]
_TABLE = re.compile(rb"[\t\r\n -~]*?([,;\t])[\t\r\n -~]*")


def _other_file(path: Path, dimensions: int, beginning: bytes) -> Unfit:
    """Return the error for a file that is no IDX file."""
    what, fix, convert = "another kind of file", "name an IDX file", ""
    if len(beginning) < 4:
        what, fix = ("cut short" if beginning else "an empty file"), "get the whole file"
    elif kinds := [kind for kind in _KINDS if beginning[kind[0] :].startswith(kind[1])]:
        _, _, what, fix = kinds[0]
    elif table := _TABLE.fullmatch(beginning):
        what, fix = "a CSV table", "convert it, if each row is a label and then the pixels of its image"
        header = int(not beginning[:1].isdigit())
        convert = f"numpy.loadtxt(path, numpy.uint8, delimiter={table[1].decode()!r}, skiprows={header}, ndmin=2)"
        convert += "[:, 0]" if dimensions == LABELS else "[:, 1:].reshape(-1, *image_shape)"
    expected, got = f"a beginning of 00 00 08 {dimensions:02}", beginning[:4].hex(" ") or "nothing"
    return Unfit(path, f"{what} instead of {NAMES.get(dimensions, 'values')}", expected, got, fix, convert)


def _counted(dimensions: int) -> str:
    return f"{dimensions} dimension{'s' * (dimensions != 1)}"
