"""The four archives of a data set, held against its entry in datasets.yaml: two IDX files a split.

What is wrong with a file that somebody has named in the entry is said of that file and that entry, with what to bring
instead. An archive that `download` made itself, of pictures or of a seed, can only be damaged.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.config import datasets
from core.files import hashes
from core.formats import idx
from core.formats.idx import Advice

SPLITS = ("train", "test")


class Part(NamedTuple):
    """A split: shape of its images, (n, height, width), and its labels, uint8 (n,)."""

    shape: tuple[int, ...]
    labels: np.ndarray


@dataclass(frozen=True)
class Archives:
    """The archives of the data set `name`. paths: where each role of the entry, such as train_images, is to be read.

    classes: the class names, in the order of the labels.
    """

    name: str
    entry: datasets.Entry
    paths: Mapping[str, Path]
    classes: Sequence[str]

    def parts(self) -> dict[str, Part]:
        """Return each split's part, train and test.

        Raises DataError, with what is wrong with each file, unless the images are of the entry's image_shape, each has
        a label, each label names a class and each class has an image.
        """
        problems: list[Problem] = []
        parts: dict[str, Part] = {}
        for split in SPLITS:
            shape = None
            with self._into(problems, f"{split}_images") as path:
                shape = self._shape(path)
            with self._into(problems, f"{split}_labels") as path:
                labels = idx.read(path, idx.LABELS)
                if shape is not None:
                    self._check_labels(labels, path, shape[0])
                    parts[split] = Part(shape, labels)
        if problems:
            raise DataError(*problems)
        return parts

    def images(self, split: str) -> Iterator[np.ndarray]:
        """Yield the images of a split in blocks, uint8 (m, height, width).

        Raises DataError, after the last block, unless the file is whole and the images show something.
        """
        ends: set[int] = set()
        problems: list[Problem] = []
        with self._into(problems, f"{split}_images") as path:
            for block in idx.blocks(path, idx.IMAGES):
                ends |= {int(block.min()), int(block.max())}
                yield block
            if len(ends) == 1:
                raise self._blank(path, f"only the value {ends.pop()}")
        if problems:
            raise DataError(*problems)

    def check(self) -> None:
        """Read all to the end. Raises DataError as `parts` and `images` do."""
        self.parts()
        for split in SPLITS:
            for _ in self.images(split):
                pass

    def _shape(self, path: Path) -> tuple[int, ...]:
        height, width = self.entry.image_shape
        shape = idx.shape(path, idx.IMAGES)
        if shape[1:] != (height, width) or not shape[0]:
            words = "bring others" if 0 in shape else f"give the entry image_shape: {list(shape[1:])}, or bring others"
            what, expected = "not the images of datasets.yaml", f"(n, {height}, {width}), n >= 1"
            raise idx.Unfit(path, what, expected, f"{shape}", Advice(words))
        return shape

    def _check_labels(self, labels: np.ndarray, path: Path, images: int) -> None:
        count = len(self.classes)
        if len(labels) != images:
            what, advice = "images and labels differ in number", Advice("bring the labels of these images")
            raise idx.Unfit(path, what, f"{images} labels", str(len(labels)), advice)
        if labels.min() == 1 and labels.max() == count:
            what, advice = f"labels from 1 to {count}: they start at 0", Advice("subtract 1", "idx.read(path, 1) - 1")
            raise idx.Unfit(path, what, f"0 to {count - 1}", f"1 to {count}", advice)
        beyond = np.flatnonzero(labels >= count)
        if len(beyond):
            what, got = f"label {beyond[0]} is out of range", str(labels[beyond[0]])
            advice = Advice(
                f"list {int(labels.max()) + 1} classes in the entry, a name for each label, or bring others"
            )
            raise idx.Unfit(path, what, f"0 to {count - 1}", got, advice)
        counts = np.bincount(labels, minlength=count)
        if not counts.all():
            missing = self.classes[int(counts.argmin())]
            what, got = f"no image of class {missing}", f"counts {counts.tolist()}"
            advice = Advice(f"bring images of {missing}, or leave it out of classes and renumber the labels")
            raise idx.Unfit(path, what, "at least one of each class", got, advice)

    def _blank(self, path: Path, got: str) -> DataError:
        what, expected = "every pixel of every image is the same", "pictures"
        if isinstance(self.entry, datasets.Pictured):
            return DataError(
                Problem(self.entry.folder, what, expected=expected, got=got, fix="bring other pictures, then dvc repro")
            )
        return idx.Unfit(path, what, expected, got, Advice("bring other images"))

    @contextmanager
    def _into(self, problems: list[Problem], role: str) -> Iterator[Path]:
        """Yield the path of a role, and add what is wrong with that file to the problems."""
        try:
            yield self.paths[role]
        except idx.Unfit as error:
            [problem] = error.problems
            if isinstance(self.entry, datasets.Downloaded):
                problem = _said_to_its_owner(problem, error.advice, self.name, self.entry, role)
            problems.append(problem)


def require_pinned(entry: datasets.Entry, paths: Mapping[str, Path]) -> None:
    """Raise DataError, with a line for each, if archives have not the size and the SHA-256 that the entry gives.

    The stage download has checked them, but that may be long ago: a file that was changed since and given its old times
    back, or one that DVC restores from a damaged cache, is hashed by nobody else. Of archives that are made here, the
    entry gives neither. What is wrong with an archive after this was so when it was pinned.
    """
    if not isinstance(entry, datasets.Downloaded):
        return
    problems = []
    for role, archive in entry.archives:
        expected, got = (archive.size, archive.sha256), hashes.of_file(paths[role])
        if got != expected:
            shown = [f"{size} bytes with SHA-256 {sha256}" for size, sha256 in (expected, got)]
            problems.append(
                Problem(str(paths[role]), "not the archive of datasets.yaml", expected=shown[0], got=shown[1], fix=MEND)
            )
    if problems:
        raise DataError(*problems)


def _said_to_its_owner(problem: Problem, advice: Advice, name: str, entry: datasets.Downloaded, role: str) -> Problem:
    """Return what is wrong with a file as said of the entry that names it: its bytes are as its owner pinned them."""
    file = entry.files()[role]
    path = entry.on_this_machine(file)
    if not advice.convert:
        pins = "leave out" if all(map(datasets.is_folder, entry.mirrors)) else "give"
        fix = f"{advice.words}; {pins} size and sha256 of a file that changes"
    elif path is None:
        fix = f"put the archives into a folder, the only mirror; dvc repro then has the command to {advice.words}"
    else:
        new = path.with_name(f"converted-{file}")
        command = f"python -c {shlex.quote(_conversion(path, new, advice.convert))}"
        fix = f"{advice.words}: {command}; name {new.name} here, without size and sha256"
    subject = f"{datasets.PATH}: {name}.archives.{role}: {path or file}"
    return replace(problem, subject=subject, fix=f"{fix}; then dvc repro")


def _conversion(path: Path, new: Path, convert: str) -> str:
    """Return Python that makes of a file the one that is wanted."""
    imports = "import numpy; from pathlib import Path; from core.formats import idx"
    return f"{imports}; path = Path({json.dumps(str(path))}); idx.write(Path({json.dumps(str(new))}), {convert})"
