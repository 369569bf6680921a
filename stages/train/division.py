"""Choose the validation images: training images that are held out of training and scored after each epoch. If the
publisher of a data set provides validation images, no training image is held out.

Each class gives the same share of its images: those whose pixels have the smallest SHA-256. The choice depends only on
the images, so it is the same for every order of the images, every seed, every replicate and every run.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.files import arrays


class Division(NamedTuple):
    """The indices of the images to train on, and of the images held out: int32, ascending."""

    kept: np.ndarray
    held_out: np.ndarray


def divide(images: np.ndarray, labels: np.ndarray, fraction: float) -> Division:
    """Hold out `fraction` of the images of each class, rounded to a whole number (a half to the even number).

    images: float32 (n, height, width) or (n, height, width, 3); they may be mapped and larger than memory, and are not
    read if fraction is 0. labels: integer (n,).
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
    counts = np.bincount(labels, minlength=len(classes))
    smallest = int(counts.argmin())  # no other class is without an image if this one has images of both kinds
    count = int(counts[smallest])
    held_out = int(_shares(counts[smallest], fraction))
    if not fraction or 0 < held_out < count:
        return
    param, images = "params.yaml: train.validation_fraction", "1 image" if count == 1 else f"{count} images"
    split = "validation" if held_out == 0 else "training"
    what = f"leaves no {split} image of the class {classes[smallest]}, which has {images}"
    if count < 2:
        expected, fix = "0", "set train.validation_fraction and train.early_stopping_patience to 0"
    else:
        margin = -(-5000 // count) / 10000  # half an image as a share, rounded up
        expected, fix = f"more than {margin:g} and less than {1 - margin:g}", "set it to such a value"
    fix += ", or add images of the class; then dvc repro"
    raise InputError(Problem(param, what, expected=expected, got=str(fraction), fix=fix))


def _shares(counts: np.ndarray, fraction: float) -> np.ndarray:
    return np.rint(counts * fraction).astype(int)


def _digests(images: np.ndarray) -> np.ndarray:
    """Return the SHA-256 of each image's bytes, bytes (n,)."""
    hashed = (hashlib.sha256(image.tobytes()).digest() for block in arrays.blocks(images) for image in block)
    return np.fromiter(hashed, "S32", len(images))
