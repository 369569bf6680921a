"""The IDX format of the MNIST family: files, mostly gzip-compressed, on one side, uint8 arrays on the other.

An IDX file is big-endian: two zero bytes, a type code (8 is uint8), the number of dimensions, each dimension as a
uint32, then the values in row-major order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from stages import atomic
from stages.command import DataError, Problem

UINT8 = 8
BLOCK = 1 << 20
# Deflate can't expand a byte to more than this (zlib's technical details), so a header that claims more is a lie.
MOST_EXPANSION = 1032


def read(path: Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array of an IDX file, gzip-compressed or plain, with the given number of dimensions.

    Nothing larger than what the file can hold is ever allocated. Raises DataError for anything but exactly one IDX
    array of that many dimensions.
    """
    try:
        with _opened(path) as stream:
            shape = _read_header(stream, path, dimensions)
            size = math.prod(shape)
            _check_claim(size, path)
            payload = _read_at_most(stream, size + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, "not a whole gzip file", "gzip data", str(error)) from error
    if len(payload) != size:
        got = "more" if len(payload) > size else f"{len(payload)} bytes"
        raise _damaged(path, f"the values do not fill the shape {shape}", f"{size} bytes", got)
    return np.frombuffer(payload, np.uint8).reshape(shape)


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


def _opened(path: Path) -> BinaryIO:
    """Open a file to read what it holds; the first two bytes of a plain IDX file are zero."""
    with open(path, "rb") as file:
        is_plain = file.read(2) == b"\0\0"
    return open(path, "rb") if is_plain else cast(BinaryIO, gzip.open(path, "rb"))


def _read_header(stream: BinaryIO, path: Path, dimensions: int) -> tuple[int, ...]:
    """Return the shape that the header gives."""
    magic, expected = stream.read(4), bytes([0, 0, UINT8, dimensions])
    if magic != expected:
        got = magic.hex(" ") if len(magic) == 4 else f"a file of {len(magic)} bytes"
        raise _damaged(path, "not an IDX file of this kind", expected.hex(" "), got)
    sizes = stream.read(4 * dimensions)
    if len(sizes) != 4 * dimensions:
        raise _damaged(path, "the file ends in its header", f"{4 + 4 * dimensions} bytes", f"{4 + len(sizes)} bytes")
    return struct.unpack(f">{dimensions}I", sizes)


def _check_claim(size: int, path: Path) -> None:
    most = path.stat().st_size * MOST_EXPANSION
    if size > most:
        raise _damaged(path, "the header claims more than the file can hold", f"at most {most} bytes", f"{size} bytes")


def _read_at_most(stream: BinaryIO, limit: int) -> bytearray:
    """Read block by block: read(limit) would allocate what a lying header claims, and one byte past the array makes
    gzip reach, and check, the checksum at the end of the file.
    """
    payload = bytearray()
    while len(payload) < limit and (block := stream.read(min(BLOCK, limit - len(payload)))):
        payload += block
    return payload


def _damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    return DataError(
        Problem(str(path), what, "delete it, then dvc repro --single-item --force download", expected, got)
    )
