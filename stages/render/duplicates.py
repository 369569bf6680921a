"""Duplicate images and the digest of an array, both by hashing bytes."""

import hashlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np


class Copies(NamedTuple):
    """Indices of images that equal another image bit for bit, int64 (k,), and whether their labels are equal.

    same_label: bool (k,); False if any of the equal images has another label.
    """

    indices: np.ndarray
    same_label: np.ndarray


def within(digests: Sequence[bytes], labels: np.ndarray) -> Copies:
    """Return the images that equal an earlier image, given the digests and labels of all images."""
    seen: dict[bytes, set[int]] = {}
    found = []
    for index, (digest, label) in enumerate(zip(digests, labels.tolist(), strict=True)):
        earlier = seen.setdefault(digest, set())
        if earlier:
            found.append((index, earlier == {label}))
        earlier.add(label)
    return _copies(found)


def shared(digests: Sequence[bytes], labels: np.ndarray, others: Sequence[bytes], their_labels: np.ndarray) -> Copies:
    """Return the images that are also among other images, given the digests and labels of both."""
    seen: dict[bytes, set[int]] = {}
    for digest, label in zip(others, their_labels.tolist(), strict=True):
        seen.setdefault(digest, set()).add(label)
    pairs = enumerate(zip(digests, labels.tolist(), strict=True))
    return _copies([(index, seen[digest] == {label}) for index, (digest, label) in pairs if digest in seen])


def digests(images: np.ndarray) -> list[bytes]:
    """Return a digest of each image; different images practically never have equal digests."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]


def sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of the .npy file that arrays.write makes of an array."""
    digest = hashlib.sha256()
    np.save(SimpleNamespace(write=digest.update), array, allow_pickle=False)
    return digest.hexdigest()


def _copies(found: list[tuple[int, bool]]) -> Copies:
    return Copies(np.array([index for index, _ in found], np.int64), np.array([same for _, same in found], bool))
