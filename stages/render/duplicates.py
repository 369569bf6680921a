"""Images that are there twice, and the digest of an array: both found by hashing bytes."""

import hashlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np


class Copies(NamedTuple):
    """Indices of images that equal one of another place, bit for bit, int64 (k,), and whether the labels are equal too.

    same_label: bool (k,); False where any of the equal images has another label.
    """

    indices: np.ndarray
    same_label: np.ndarray


def within(digests: Sequence[bytes], labels: np.ndarray) -> Copies:
    """Return the images that equal an earlier one, given the digests of all of them."""
    seen: dict[bytes, set[int]] = {}
    found = []
    for index, (digest, label) in enumerate(zip(digests, labels.tolist(), strict=True)):
        earlier = seen.setdefault(digest, set())
        if earlier:
            found.append((index, earlier == {label}))
        earlier.add(label)
    return _copies(found)


def shared(digests: Sequence[bytes], labels: np.ndarray, others: Sequence[bytes], their_labels: np.ndarray) -> Copies:
    """Return those images that are among the others too, given the digests of all of them."""
    seen: dict[bytes, set[int]] = {}
    for digest, label in zip(others, their_labels.tolist(), strict=True):
        seen.setdefault(digest, set()).add(label)
    pairs = enumerate(zip(digests, labels.tolist(), strict=True))
    return _copies([(index, seen[digest] == {label}) for index, (digest, label) in pairs if digest in seen])


def digests(images: np.ndarray) -> list[bytes]:
    """Return a digest of each image; equal ones are taken for equal images, since by chance they are never equal."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]


def sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of an array as the .npy file that arrays.write makes of it."""
    digest = hashlib.sha256()
    np.save(SimpleNamespace(write=digest.update), array, allow_pickle=False)
    return digest.hexdigest()


def _copies(found: list[tuple[int, bool]]) -> Copies:
    return Copies(np.array([index for index, _ in found], np.int64), np.array([same for _, same in found], bool))
