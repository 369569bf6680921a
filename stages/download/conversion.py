"""Convert an image folder to the four IDX archives of a data set, with every image in the shape of the entry.

Images are sorted by the hash of their decoded pixels, then by label. The archives therefore depend on the pictures and
the entry, not on file names, and the first images are a fair sample.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from core.cli.errors import DataError, Problem
from core.config import datasets
from core.formats import idx, image_file, image_folder
from core.formats.archives import SPLITS


class _Image(NamedTuple):
    """values: uint8 of the entry's image_shape. pixels: the hash of the decoded picture."""

    pixels: str
    label: int
    values: np.ndarray


def write(entry: datasets.ImageFolder, folder: Path) -> list[str]:
    """Write the archives of an entry into `folder`, print a line for each, and return the class names.

    Raises DataError, before anything is written, if a picture can't be read, if the pictures are not those that the
    entry pins, or if a split has no picture of a class.
    """
    listing = image_folder.listing(entry)
    splits = _read(entry, listing)
    _require_each_class(entry, listing.classes, splits)
    files = entry.files()
    for split, images in splits.items():
        images.sort(key=lambda image: image[:2])
        labels = np.array([image.label for image in images], np.uint8)
        for role, array in (("images", np.stack([image.values for image in images])), ("labels", labels)):
            file = files[f"{split}_{role}"]
            idx.write(folder / file, array)
            print(f"{file}: from pictures, {' x '.join(map(str, array.shape))}")
    for line in image_folder.left_out(entry.folder, listing.others):
        print(line)
    return listing.classes


def adapted(grey: np.ndarray, entry: datasets.ImageFolder) -> tuple[np.ndarray, str]:
    """Return the grey values of a picture, uint8 (height, width), as an image of the data set, uint8 of the entry's
    image_shape, and a phrase to print that says whether it was inverted.
    """
    values, done = image_file.inverted(grey, entry.invert)
    height, width = entry.image_shape
    return image_file.fitted(values, (height, width)), done


def _read(entry: datasets.ImageFolder, listing: image_folder.Listing) -> dict[str, list[_Image]]:
    """Return the images of each split."""
    splits: dict[str, list[_Image]] = {split: [] for split in SPLITS}
    hashes: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for place in tqdm(listing.places, desc=entry.folder, unit=" pictures", leave=False, disable=None):
        try:
            data = image_file.read(place.path)
            grey = image_file.grey(image_file.decode(data, str(place.path)).image, entry.background)
        except DataError as error:
            problems += error.problems
            continue
        hashes.append((place.name, hashlib.sha256(data).hexdigest()))
        pixels = _hash(grey)
        values, _ = adapted(grey, entry)
        splits[image_folder.split_of(place, pixels, entry.test_fraction)].append(_Image(pixels, place.label, values))
    image_folder.refuse(problems)
    _require_pinned(entry, image_folder.digest(hashes))
    return splits


def _hash(grey: np.ndarray) -> str:
    """Return the SHA-256 of a line with height and width, followed by the grey values, uint8 (height, width)."""
    sha256 = hashlib.sha256("{} {}\n".format(*grey.shape).encode())
    sha256.update(np.ascontiguousarray(grey).data)
    return sha256.hexdigest()


def _require_pinned(entry: datasets.ImageFolder, sha256: str) -> None:
    if sha256 != entry.sha256:
        what, expected = "not the pictures of datasets.yaml", f"SHA-256 {entry.sha256 or 'in datasets.yaml'}"
        fix = f'restore the old pictures, or pin these by sha256: "{sha256}" in datasets.yaml; then dvc repro'
        raise DataError(Problem(entry.folder, what, expected=expected, got=sha256, fix=fix))


def _require_each_class(entry: datasets.ImageFolder, classes: list[str], splits: dict[str, list[_Image]]) -> None:
    """Raise DataError if a split has no picture of a class, as a test_fraction of few pictures may give."""
    fix = "add pictures of it, or change test_fraction in datasets.yaml; then dvc repro"
    image_folder.refuse(
        [
            Problem(entry.folder, f"no {split} picture of class {name}", fix=fix)
            for split, images in splits.items()
            for label, name in enumerate(classes)
            if label not in {image.label for image in images}
        ]
    )
