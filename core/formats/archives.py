"""Check the four archives of a data set against its entry in datasets.yaml: two IDX files per split.

If a file of the user is wrong, the message names the key of its entry and a fix that the user can apply. A wrong file
that `download` wrote is damaged.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.config import datasets
from core.files import hashes
from core.formats import idx
from core.formats.idx import Unfit

SPLITS = ("train", "test")


class Part(NamedTuple):
    """A split: the shape of its images, (n, height, width), and its labels, uint8 (n,)."""

    shape: tuple[int, ...]
    labels: np.ndarray


@dataclass(frozen=True)
class Archives:
    """The archives of a data set. paths: the file of each role, such as train_images. classes: names by label."""

    name: str
    entry: datasets.Entry
    paths: Mapping[str, Path]
    classes: Sequence[str]

    def parts(self) -> dict[str, Part]:
        """Return the part of each split.

        Raises DataError with the problem of each file, unless the images have the entry's image_shape, each image has a
        label, each label names a class, and each class has an image.
        """
        problems, parts = [], {}
        for split in SPLITS:
            images, labels, shape = f"{split}_images", f"{split}_labels", None
            try:
                shape = self._read_shape(self.paths[images])
            except Unfit as error:
                problems.append(self._problem(images, error))
            try:
                parts[split] = Part(shape or (), self._read_labels(self.paths[labels], shape))
            except Unfit as error:
                problems.append(self._problem(labels, error))
        if problems:
            raise DataError(*problems)
        return parts

    def images(self, split: str) -> Iterator[np.ndarray]:
        """Yield the images of a split in blocks, uint8 (m, height, width).

        Raises DataError, after the last block, unless the file is whole and the pixels differ.
        """
        role, values = f"{split}_images", set()
        try:
            for block in idx.blocks(self.paths[role], idx.IMAGES):
                values |= {int(block.min()), int(block.max())}
                yield block
        except Unfit as error:
            raise DataError(self._problem(role, error)) from error
        if len(values) == 1:
            raise DataError(self._blank(role, f"only the value {values.pop()}"))

    def check(self) -> None:
        """Read every file to its end. Raises DataError as `parts` and `images`."""
        self.parts()
        for split in SPLITS:
            for _ in self.images(split):
                pass

    def _read_shape(self, path: Path) -> tuple[int, ...]:
        height, width = self.entry.image_shape
        shape = idx.shape(path, idx.IMAGES)
        if 0 in shape:
            raise Unfit(path, "no images", "at least one", f"{shape}", "name a file with images")
        if shape[1:] != (height, width):
            expected, fix = f"(n, {height}, {width})", f"set image_shape: {list(shape[1:])}, or name another file"
            raise Unfit(path, "images of another shape than in datasets.yaml", expected, f"{shape}", fix)
        return shape

    def _read_labels(self, path: Path, shape: tuple[int, ...] | None) -> np.ndarray:
        """Return the labels, checked against the classes and the images, unless these are wrong themselves."""
        labels, count = idx.read(path, idx.LABELS), len(self.classes)
        if shape is None:
            return labels
        if len(labels) != shape[0]:
            what, fix = "images and labels differ in number", "name the labels of these images"
            raise Unfit(path, what, f"{shape[0]} labels", str(len(labels)), fix)
        if labels.min() == 1 and labels.max() == count:
            what = f"labels start at 1 instead of 0: 1 to {count}"
            raise Unfit(path, what, f"0 to {count - 1}", f"1 to {count}", "subtract 1", "idx.read(path, 1) - 1")
        if labels.max() >= count:
            first = int(np.argmax(labels >= count))
            fix = f"list {int(labels.max()) + 1} classes, one for each label, or name another file"
            raise Unfit(path, f"label {first} is out of range", f"0 to {count - 1}", str(labels[first]), fix)
        counts = np.bincount(labels, minlength=count)
        if not counts.all():
            missing = self.classes[int(counts.argmin())]
            fix = f"add images of {missing}, or remove it from classes and renumber the labels"
            expected, got = "at least one of each class", f"counts {counts.tolist()}"
            raise Unfit(path, f"no image of class {missing}", expected, got, fix)
        return labels

    def _blank(self, role: str, got: str) -> Problem:
        what, expected = "every pixel of every image has the same value", "different values"
        if isinstance(self.entry, datasets.ImageFolder):
            fix = "use other pictures, then dvc repro"
            return Problem(self.entry.folder, what, expected=expected, got=got, fix=fix)
        return self._problem(role, Unfit(self.paths[role], what, expected, got, "name another file"))

    def _problem(self, role: str, error: Unfit) -> Problem:
        """Return the problem of a file, as a problem of the entry if the user named the file there."""
        [problem] = error.problems
        if not isinstance(self.entry, datasets.Downloaded):
            return problem
        file = self.entry.files()[role]
        path = self.entry.on_this_machine(file)
        fix = f"{error.fix}; then give its size and sha256 (wc -c and sha256sum)"
        if error.convert and path is None:
            fix = f"{error.fix}: download the archives into a folder and name it as the only mirror; dvc repro then "
            fix += "prints the command"
        elif error.convert and path is not None:
            new = path.with_name(f"converted-{role}.gz")
            fix = f"{error.fix}: {self._conversion(path, new, error.convert)}; name {new.name} here, without size and "
            fix += "sha256"
        subject = f"{datasets.PATH}: {self.name}.archives.{role}: {path or file}"
        return replace(problem, subject=subject, fix=f"{fix}; then dvc repro")

    def _conversion(self, path: Path, new: Path, convert: str) -> str:
        """Return a shell command that writes the array of an expression as an IDX file."""
        code = f"""import numpy; from core.formats import idx; from pathlib import Path
path, image_shape = Path({str(path)!r}), {self.entry.image_shape}
idx.write(Path({str(new)!r}), {convert})"""
        return f"python -c {shlex.quote('; '.join(code.splitlines()))}"


def require_pinned(entry: datasets.Entry, paths: Mapping[str, Path]) -> None:
    """Raise DataError unless each downloaded archive still has the size and the SHA-256 of its entry.

    `download` has checked them. Bit rot and a damaged cache, from which DVC restores without hashing, come later.
    """
    if not isinstance(entry, datasets.Downloaded):
        return
    problems = []
    for role, archive in entry.archives:
        size, sha256 = hashes.of_file(paths[role])
        if (size, sha256) != (archive.size, archive.sha256):
            expected = f"{archive.size} bytes with SHA-256 {archive.sha256}"
            got = f"{size} bytes with SHA-256 {sha256}"
            what = "not the archive of datasets.yaml"
            problems.append(Problem(str(paths[role]), what, expected=expected, got=got, fix=MEND))
    if problems:
        raise DataError(*problems)
