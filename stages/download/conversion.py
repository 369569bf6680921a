"""A folder of pictures as the four IDX archives of a data set, all brought to the shape that its entry gives.

Pictures are sorted by the hash of their decoded pixels, then by label. So the archives depend on the pictures and the
entry, and on no file's name, and the first images of an archive show what the data set is like.
"""

import hashlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.cli.errors import DataError, Problem
from core.config import datasets
from core.formats import folders, idx, pictures


def write(entry: datasets.Pictured, folder: Path) -> list[str]:
    """Write the archives of an entry into `folder`, printing a line for each, and return the class names.

    Raises DataError, before anything is written, where a picture can't be read, where they are not those that the entry
    pins, or where a split has none of a class.
    """
    listing = folders.listing(entry)
    images, labels, rows = _read(entry, listing)
    _require_each_class(entry, listing.classes, labels, rows)
    files = entry.files()
    for split, chosen in rows.items():
        for role, array in ((f"{split}_images", images[chosen]), (f"{split}_labels", labels[chosen])):
            idx.write(folder / files[role], array)
            print(f"{files[role]}: from pictures, {' x '.join(map(str, array.shape))}")
    for line in folders.left_out(entry.folder, listing.others):
        print(line)
    return listing.classes


def adapted(grey: np.ndarray, entry: datasets.Pictured) -> tuple[np.ndarray, str]:
    """Return a picture's grey values, uint8 (height, width), as the data set has them, uint8 of the entry's
    image_shape; and what became of light and dark, as a phrase to print.
    """
    values, done = pictures.inverted(grey, entry.invert)
    height, width = entry.image_shape
    return pictures.fitted(values, (height, width)), done


def _read(entry: datasets.Pictured, listing: folders.Listing) -> tuple[np.ndarray, np.ndarray, dict[str, list[int]]]:
    """Return images uint8 (n, height, width), labels uint8 (n,), and for each split the indices of its images, sorted
    by the hash of the pixels, then by label: pictures that are equal in both give equal images.
    """
    count = len(listing.places)
    images, labels = np.empty((count, *entry.image_shape), np.uint8), np.empty(count, np.uint8)
    keys: dict[str, list[tuple[str, int, int]]] = {split: [] for split in folders.SPLITS}
    hashes: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for index, place in enumerate(tqdm(listing.places, desc=entry.folder, unit=" pictures", leave=False, disable=None)):
        try:
            data = pictures.read(place.path)
            grey = pictures.grey(pictures.decode(data, str(place.path)).image, entry.background)
        except DataError as error:
            problems += error.problems
            continue
        images[index], _ = adapted(grey, entry)
        labels[index] = place.label
        hashes.append((place.name, hashlib.sha256(data).hexdigest()))
        pixels = _hash(grey)
        keys[folders.split_of(place, pixels, entry.test_fraction)].append((pixels, place.label, index))
    folders.refuse(problems)
    _require_pinned(entry, folders.digest(hashes))
    return images, labels, {split: [index for *_, index in sorted(each)] for split, each in keys.items()}


def _hash(grey: np.ndarray) -> str:
    """Return the SHA-256 of height and width in a line, and grey values, uint8 (height, width), after it."""
    sha256 = hashlib.sha256("{} {}\n".format(*grey.shape).encode())
    sha256.update(np.ascontiguousarray(grey).data)
    return sha256.hexdigest()


def _require_pinned(entry: datasets.Pictured, sha256: str) -> None:
    if sha256 != entry.sha256:
        fix = f'bring the old ones back, or pin these by sha256: "{sha256}" in datasets.yaml; then dvc repro'
        expected = f"SHA-256 {entry.sha256 or 'in datasets.yaml'}"
        raise DataError(
            Problem(entry.folder, "not the pictures of datasets.yaml", expected=expected, got=sha256, fix=fix)
        )


def _require_each_class(
    entry: datasets.Pictured, classes: list[str], labels: np.ndarray, rows: dict[str, list[int]]
) -> None:
    """Raise DataError where a class would have no picture in a split; of few pictures, hashes may choose none."""
    problems = []
    for split, chosen in rows.items():
        counts = np.bincount(labels[chosen], minlength=len(classes))
        for label in np.flatnonzero(counts == 0):
            fix = "bring more pictures of it, or change test_fraction in datasets.yaml; then dvc repro"
            problems.append(Problem(entry.folder, f"no {split} picture of class {classes[label]}", fix=fix))
    folders.refuse(problems)
