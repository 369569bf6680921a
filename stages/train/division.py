"""Which training images are held out of training, to score the networks on after each epoch.

Each class gives the same share of its images: those whose pixels have the smallest SHA-256. The choice depends on the
images alone. It is the same for every order of the images, every seed, every replicate and every run.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.files import arrays

MOST_NAMED = 5  # classes in a message; the rest are counted


class Division(NamedTuple):
    """The indices of the images to train on, and of the images held out: int32, ascending."""

    kept: np.ndarray
    held_out: np.ndarray


def divide(images: np.ndarray, labels: np.ndarray, fraction: float) -> Division:
    """Hold out `fraction` of the images of each class, rounded to a whole number (a half to the even one).

    images: float32 (n, height, width), which may be mapped and larger than memory; they are not read if fraction is 0.
    labels: integer (n,). Equal images of a class have equal hashes: it makes no difference which of them is held out.
    """
    is_held_out = np.zeros(len(labels), bool)
    if fraction:
        digests = _digests(images)
        for label, share in enumerate(_shares(np.bincount(labels), fraction)):
            members = np.flatnonzero(labels == label)
            is_held_out[members[np.argsort(digests[members], kind="stable")[:share]]] = True
    kept, held_out = (np.flatnonzero(rows).astype(np.int32) for rows in (~is_held_out, is_held_out))
    return Division(kept, held_out)


def require_each_class(labels: np.ndarray, classes: Sequence[str], fraction: float) -> None:
    """Raise InputError if `divide` would leave a class without a training image or without a validation image.

    labels: integer (n,). classes: the names, in the order of the labels.
    """
    if not fraction:
        return
    counts = np.bincount(labels, minlength=len(classes))
    held_out = _shares(counts, fraction)
    for split, left in (("training", counts - held_out), ("validation", held_out)):
        without = np.flatnonzero(left == 0)
        if len(without):
            named = [f"{classes[label]} ({_images(counts[label])})" for label in without[:MOST_NAMED]]
            more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
            what = f"leaves no {split} image of these classes: {', '.join(named)}{more}"
            raise InputError(_problem(what, int(counts.min()), fraction))


def _shares(counts: np.ndarray, fraction: float) -> np.ndarray:
    return np.rint(counts * fraction).astype(int)


def _digests(images: np.ndarray) -> np.ndarray:
    """Return the SHA-256 of each image's bytes, bytes (n,)."""
    hashed = (hashlib.sha256(image.tobytes()).digest() for block in arrays.blocks(images) for image in block)
    return np.fromiter(hashed, "S32", len(images))


def _problem(what: str, fewest: int, fraction: float) -> Problem:
    """Return the problem of a fraction that is wrong for a class with `fewest` images, the fewest of all classes."""
    place, add = "params.yaml: train.validation_fraction", "or add images of these classes, then dvc repro"
    if fewest < 2:
        fix = f"set train.validation_fraction and train.early_stopping_patience to 0, {add}"
        return Problem(place, what, expected="0", got=str(fraction), fix=fix)
    # By this margin from 0 and from 1, the share of that class is neither rounded to no image nor to all. Rounded up.
    margin = -(-5000 // fewest) / 10000
    expected = f"more than {margin:g} and less than {1 - margin:g}"
    return Problem(
        place, what, expected=expected, got=str(fraction), fix=f"set train.validation_fraction to such a value, {add}"
    )


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
