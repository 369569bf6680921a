"""One side of a comparison, the workspace or a revision: its record in dvc.lock, and its outputs.

Outputs come from the workspace, DVC's cache, the remote, or git. The paths are those of the side's own dvc.yaml. Each
output of a revision is checked against the MD5 that was recorded for it; `status` does this for the workspace.
"""

import hashlib
import shlex
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from dvc.repo import Repo

from core.cli.errors import MEND, DataError, InputError, NetworkError, Problem
from core.files import arrays, class_names, durations, history, records, training
from core.scores import tables
from core.scores.metrics import Metrics
from tools import lock, pipeline, repository
from tools.compare import revisions
from tools.compare.revisions import WORKSPACE
from tools.lock import Lock
from tools.pipeline import Pipeline

MADE_BY = ("download", "normalize", "train", "evaluate")  # the stages on which predictions depend
TEST_SET = ("test", "classes.json")
RECALLS = "classes.csv"
ANOTHER_REVISION = f"name another revision: git log --oneline -- {lock.PATH} lists them"

Record = TypeVar("Record")
# The probabilities of both sides, and the labels and the class names of the test set that both share.
Predictions = tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]


class Side:
    """A side that reads a file when it is asked for, and fetches the file from a remote if need be."""

    def __init__(self, name: str, commit: str = ""):
        """Open "workspace", a git revision or an experiment. Two experiments may have one name: give their commit. With
        a commit, "workspace" is that commit.

        Raises InputError if there is no such revision.
        """
        self.name = name
        self.of_workspace = (commit or name) == WORKSPACE
        self.files = revisions.files(name, commit or name)
        short = "" if self.of_workspace else self.files.repo.get_rev()[:7]
        self.title = name if name.startswith(short) else f"{name} ({short})"

    @cached_property
    def pipeline(self) -> Pipeline:
        """The stages that dvc.yaml declares. Raises InputError if it is missing, DataError if it is damaged."""
        name, fix = str(pipeline.PATH), f"git checkout HEAD -- {pipeline.PATH}"
        return pipeline.read(self._text(name, fix), f"{self.name}: {name}", self._fix(fix))

    @cached_property
    def record(self) -> Lock:
        """The stages on which predictions depend, as dvc.lock records them.

        Raises InputError if there is no record, DataError if it is damaged or if it is that of an interrupted run.
        """
        subject, fix = f"{self.name}: {lock.PATH}", self._fix(f"git checkout HEAD -- {lock.PATH}, then dvc repro")
        whole = lock.read(self._text(lock.PATH, "dvc repro"), subject, fix)
        missing = [name for name in MADE_BY if name not in whole.stages]
        if missing:
            raise DataError(Problem(subject, f"records no run of {', '.join(missing)}", fix=self._fix("dvc repro")))
        record = Lock(stages={name: whole.stages[name] for name in MADE_BY})
        for path in map(self.path, TEST_SET):
            if record.output(path) != record.dependency("evaluate", path):
                what = f"the predictions were made for another version of {path}"
                raise DataError(Problem(subject, what, fix=self._fix("dvc repro")))
        return record

    def path(self, name: str) -> str:
        """Return the path of an output by its file name. Raises InputError if the side has no such output."""
        try:
            return self.pipeline.path(name)
        except KeyError as error:
            what = f"declares no output of the name {name}"
            raise InputError(Problem(f"{self.name}: {pipeline.PATH}", what, fix=ANOTHER_REVISION)) from error

    @property
    def replicates(self) -> int:
        """The number of networks that were trained."""
        return self.record.params().get("train.replicates", 1)

    def probabilities(self) -> np.ndarray:
        """Return the predictions, float32 (replicates, test images, classes).

        Like all functions below, raises NetworkError if the file can't be had, DataError if it is damaged.
        """
        return self._read("predictions", arrays.parse, "/probabilities.npy")

    def labels(self) -> np.ndarray:
        """Return the labels of the test images, uint8 (n,)."""
        return self._read("test", arrays.parse, "/labels.npy")

    def images(self) -> np.ndarray:
        """Return the test images, float32 (n, height, width) or (n, height, width, 3) in [0, 1]."""
        return self._read("test", arrays.parse, "/images.npy")

    def classes(self) -> list[str]:
        """Return the class names, in the order of the labels."""
        return self._read("classes.json", class_names.parse)

    def has_all(self) -> bool:
        """Return whether all that a comparison reads can be had. Raises DataError if a file is damaged."""
        try:
            self.probabilities(), self.labels(), self.images(), self.classes()
            with suppress(KeyError):  # old commits have no such record
                self._bytes(self.pipeline.path("training.json"))
        except NetworkError:
            return False
        return True

    def metrics(self) -> Metrics:
        """Return the committed scores."""
        return self._read("metrics.json", Metrics.model_validate_json)

    def recalls(self) -> dict[str, float]:
        """Return the committed recall of each class that has test images. Raises InputError if there is no table."""
        if not self.has_recalls():
            what = "the commit is older than this table"
            raise InputError(Problem(f"{self.name}: {RECALLS}", what, fix="leave out --metrics-only"))
        return self._read(RECALLS, tables.recalls)

    def has_recalls(self) -> bool:
        """Return whether the recalls are committed."""
        return any(output.path.endswith(f"/{RECALLS}") for output in self.pipeline.outputs)

    def history(self) -> np.ndarray:
        """Return the scores of each epoch, as `history.parse` does."""
        return self._read("history.csv", history.parse)

    def versions(self) -> dict[str, str] | None:
        """Return the versions of the packages that trained, None if no record of them can be had."""
        try:
            return training.versions(self._bytes(self.pipeline.path("training.json")))
        except (KeyError, NetworkError, ValueError):  # old commits have no such record, or one without versions
            return None

    def seconds(self, replicates: int) -> float | None:
        """Return in how many seconds this machine trains so many replicates, None if that is unknown."""
        try:
            record = self._read("training.json", training.Training.model_validate_json)
            images = len(self._read("train", arrays.parse, "/labels.npy"))
        except (DataError, InputError, NetworkError):  # of another version, or not here
            return None
        settings = record.settings.model_copy(update={"replicates": replicates})
        return durations.estimate(settings, images, record.image_shape, Path(Repo.find_root()))

    def _read(self, name: str, parse: Callable[[bytes], Record], member: str = "") -> Record:
        path = self.path(name) + member
        data = self._bytes(path)
        try:
            return parse(data)
        except ValueError as error:
            what = f"this version of the tool can't read it: {records.reason(error)}"
            raise DataError(Problem(f"{self.name}: {path}", what, fix=self._fix(MEND))) from error

    def _text(self, name: str, fix: str) -> bytes:
        """Return a file that git keeps. Raises InputError if there is none."""
        try:
            return self.files.read_bytes(f"/{name}")
        except OSError as error:
            fix = fix if self.name == WORKSPACE else "name a commit that has a dvc.lock, which dvc repro writes"
            raise InputError(Problem(f"{self.name}: {name}", "no such file there", fix=fix)) from error

    def _bytes(self, path: str) -> bytes:
        by_git = any(output.path == path and not output.cached for output in self.pipeline.outputs)
        subject = f"{self.name}: {path}"
        try:
            data = self.files.read_bytes(f"/{path}")
            expected = self.record.output(path) if by_git else self.files.info(f"/{path}").get("md5")
        except Exception as error:  # DVC's indexes and storages have their own classes of errors
            if by_git:
                fix = self._fix(f"git checkout -- {path}, or dvc repro")
                raise DataError(Problem(subject, f"not a file: {revisions.said(error)}", fix=fix)) from error
            fix = self._fetch()
            if path.endswith("/images.npy"):
                fix += ", or leave out --format html and --figure"
            elif self.name != WORKSPACE and self.has_recalls():
                fix += ", or --metrics-only, without verdicts and pictures"
            raise NetworkError(Problem(subject, self._absent(error), fix=fix)) from error
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if expected and digest != expected:
            delete = f"delete files/md5/{expected[:2]}/{expected[2:]} in DVC's cache, then {self._fetch()}"
            fix = self._fix(f"git checkout -- {path}, or dvc repro") if by_git else delete
            raise DataError(Problem(subject, "damaged", expected=f"MD5 {expected}", got=digest, fix=fix))
        return data

    def _absent(self, error: Exception) -> str:
        """Return what to say of an output that can't be had: with DVC's reason, unless the file is simply not there."""
        remote = repository.has_remote(self.files.repo)
        what = "neither on this machine nor in the remote" if remote else "not on this machine"
        reason = error.__cause__ if isinstance(error.__cause__, OSError) else error  # in DVC's "failed to load"
        absent = isinstance(reason, FileNotFoundError) and not reason.__cause__
        return what if absent else f"{what}: {revisions.said(reason)}"

    def _fetch(self) -> str:
        targets = [self.path(name) for name in ("predictions", *TEST_SET)]
        return revisions.how_to_fetch(self.files.repo, self.name, targets)

    def _fix(self, command: str) -> str:
        """Return the command for the workspace; no command changes a commit."""
        return command if self.name == WORKSPACE else ANOTHER_REVISION


def require_same_test_set(base: Side, new: Side) -> None:
    """Raise InputError unless both sides were scored on the same images and labels, with the same class names."""
    for name in TEST_SET:
        expected, got = (side.record.output(side.path(name)) for side in (base, new))
        if expected != got:
            what = f"{base.name} and {new.name} were scored on different test sets, which can't be compared"
            fix = "commit a first run on this data set, or name an experiment on it: "
            fix += f"python -m tools.compare EXPERIMENT {shlex.quote(new.name)}"
            raise InputError(Problem(new.path(name), what, expected=str(expected), got=str(got), fix=fix))


def read(base: Side, new: Side) -> Predictions:
    """Return what is compared. Raises NetworkError if a file can't be had, DataError if it is damaged."""
    return base.probabilities(), new.probabilities(), shared(base, new, Side.labels), shared(base, new, Side.classes)


def shared(base: Side, new: Side, read: Callable[[Side], Record]) -> Record:
    """Return what both sides have, from new, or from base if new can't have it."""
    try:
        return read(new)
    except NetworkError:
        return read(base)
