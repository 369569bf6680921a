"""Compute what pins a file: its size in bytes and its SHA-256."""

import hashlib
from pathlib import Path

BLOCK = 1 << 20


def of_file(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file, which is read in blocks."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
