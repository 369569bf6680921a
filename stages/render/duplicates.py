"""Duplicate images and the digest of an array, both by hashing bytes."""

import hashlib
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from core.files import arrays


def within(digests: Sequence[bytes], labels: np.ndarray) -> dict[int, bool]:
    """Return the index of each image that equals an earlier image, and whether all labels of these images are equal.

    digests, labels: of all images.
    """
    seen: dict[bytes, set[int]] = {}
    found = {}
    for index, (digest, label) in enumerate(zip(digests, labels.tolist(), strict=True)):
        earlier = seen.setdefault(digest, set())
        if earlier:
            found[index] = earlier == {label}
        earlier.add(label)
    return found


def shared(
    digests: Sequence[bytes], labels: np.ndarray, others: Sequence[bytes], their_labels: np.ndarray
) -> dict[int, bool]:
    """Return the index of each image that is also among other images, and whether all labels are equal."""
    seen: dict[bytes, set[int]] = {}
    for digest, label in zip(others, their_labels.tolist(), strict=True):
        seen.setdefault(digest, set()).add(label)
    pairs = enumerate(zip(digests, labels.tolist(), strict=True))
    return {index: seen[digest] == {label} for index, (digest, label) in pairs if digest in seen}


def digests(images: np.ndarray) -> list[bytes]:
    """Return a digest of each image; different images practically never have equal digests."""
    found = []
    for block in arrays.blocks(images):
        values, size = np.ascontiguousarray(block).data.cast("B"), images[0].nbytes
        found += [hashlib.sha256(values[start : start + size]).digest() for start in range(0, len(values), size)]
    return found


def sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of the .npy file that arrays.write makes of an array."""
    digest = hashlib.sha256()
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(SimpleNamespace(write=digest.update), header)
    for block in arrays.blocks(array):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
