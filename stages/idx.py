"""The IDX format of the MNIST family: files, mostly gzip-compressed, on one side, uint8 arrays on the other.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats).
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from stages import atomic
from stages.command import MEND, DataError, Problem

UINT8 = 8
BLOCK = 1 << 20
# Deflate can't expand a byte to more than this (zlib's technical details), so a header that claims more is a lie.
MOST_EXPANSION = 1032


def shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape of the array in a gzip-compressed IDX file, as its header has it. Raises DataError as `read`."""
    with _opened(path) as stream:
        return _read_header(stream, path, dimensions)


def blocks(path: Path, dimensions: int) -> Iterator[np.ndarray]:
    """Yield the array of a gzip-compressed IDX file in pieces of whole rows, of about BLOCK bytes each.

    Raises DataError as `read`, some of it after the last piece: until then nothing is known to be sound.
    """
    with _opened(path) as stream:
        rows, *row = _read_header(stream, path, dimensions)
        width = math.prod(row)
        size, done = rows * width, 0
        while done < size:
            wanted = min(max(1, BLOCK // width) * width, size - done)
            payload = _read_at_most(stream, wanted)
            done += len(payload)
            if len(payload) < wanted:
                raise _unfilled(path, (rows, *row), f"{done} bytes")
            yield np.frombuffer(payload, np.uint8).reshape(-1, *row)
        if stream.read(1):  # this one byte makes gzip reach, and check, the checksum at the end of the file
            raise _unfilled(path, (rows, *row), "more")


def read(path: Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array of an IDX file, gzip-compressed or plain, with the given number of dimensions.

    Nothing larger than what the file can hold is ever allocated. Raises DataError for anything but exactly one IDX
    array of that many dimensions.
    """
    payload = bytearray().join(block.data for block in blocks(path, dimensions))
    return np.frombuffer(payload, np.uint8).reshape(shape(path, dimensions))


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
    """Open a file to read what it holds, and say what gzip finds wrong with it as a DataError.

    The first two bytes of a plain IDX file are zero.
    """
    with open(path, "rb") as file:
        is_plain = file.read(2) == b"\0\0"
    try:
        with open(path, "rb") if is_plain else cast(BinaryIO, gzip.open(path, "rb")) as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, "not a whole gzip file", "gzip data", str(error)) from error


def _read_header(stream: BinaryIO, path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape that the header gives, if the file can hold as much."""
    magic, expected = stream.read(4), bytes([0, 0, UINT8, dimensions])
    if magic != expected:
        got = magic.hex(" ") if len(magic) == 4 else f"a file of {len(magic)} bytes"
        raise _damaged(path, "not an IDX file of this kind", expected.hex(" "), got)
    sizes = stream.read(4 * dimensions)
    if len(sizes) != 4 * dimensions:
        raise _damaged(path, "the file ends in its header", f"{4 + 4 * dimensions} bytes", f"{4 + len(sizes)} bytes")
    claimed = struct.unpack(f">{dimensions}I", sizes)
    size, most = math.prod(claimed), path.stat().st_size * MOST_EXPANSION
    if size > most:
        raise _damaged(path, "the header claims more than the file can hold", f"at most {most} bytes", f"{size} bytes")
    return claimed


def _read_at_most(stream: BinaryIO, limit: int) -> bytearray:
    """Read block by block: read(limit) would allocate what a lying header claims."""
    payload = bytearray()
    while len(payload) < limit and (block := stream.read(min(BLOCK, limit - len(payload)))):
        payload += block
    return payload


def _unfilled(path: Path, claimed: tuple[int, ...], got: str) -> DataError:
    what = f"the values do not fill the shape {claimed}"
    return _damaged(path, what, f"{math.prod(claimed)} bytes", got)


def _damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    return DataError(Problem(str(path), what, MEND, expected, got))
