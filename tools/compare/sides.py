"""A side of a comparison, the workspace or a revision, read through DVC: from the workspace, the cache or the remote.

dvc.lock says what made the predictions of a side, and for which test images they are; what is read has to be what it
tells of.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
import shlex
from functools import cached_property
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from dvc.api import DVCFileSystem
from dvc.config import Config, ConfigError
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem
from dvc.repo import Repo
from dvc.scm import SCM

from core.cli.errors import MEND, DataError, InputError, NetworkError, Problem
from core.scores import tables
from tools import repository
from tools.compare import WORKSPACE, lock
from tools.compare.lock import BY_CLASS, CLASSES, HISTORY, METRICS, PREDICTIONS, TEST, TRAINING

IN_GIT = {METRICS: "evaluate", BY_CLASS: "evaluate", HISTORY: "train"}  # not in DVC's cache; and the stages they are of
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Side:
    """What a revision or the workspace holds; only what is asked for is read, and brought from a remote if need be."""

    def __init__(self, name: str, commit: str = ""):
        """Open a git revision, an experiment or "workspace", a name that is not empty; with its commit, if that is
        known: two experiments of one name may come from different commits.

        Raises InputError where there is none of that name.
        """
        self.name = name
        subject = f"revision {name}"
        try:
            self.files = DVCFileSystem(Repo() if name == WORKSPACE else _repo_at(commit or name))
            self._commit = "" if name == WORKSPACE else self.files.repo.get_rev()[:7]
        except ConfigError as error:
            raise InputError(Problem(".dvc/config", said(error), fix="git checkout -- .dvc/config")) from error
        except (DvcException, OSError) as error:
            raise InputError(Problem(subject, said(error), fix=_another_name())) from error
        except (AttributeError, UnicodeError) as error:  # DVC takes whatever git knows by that name for a commit
            raise InputError(Problem(subject, "not a commit", fix=_another_name())) from error
        self.title = f"{name} ({self._commit})" if not name.startswith(self._commit) else name

    @cached_property
    def record(self) -> dict[str, Any]:
        """The stages that made the predictions, as `lock.parse` returns and raises it.

        Raises InputError where there is no such record.
        """
        subject, fix = f"{self.name}: {lock.PATH}", "name one where dvc repro was run and dvc.lock committed"
        try:
            text = self.files.read_text(f"/{lock.PATH}", encoding="utf-8")
        except FileNotFoundError as error:
            raise InputError(Problem(subject, "no such file there", fix=fix)) from error
        except (OSError, UnicodeError) as error:
            raise DataError(Problem(subject, "not a text", fix=lock.remedy(self.name))) from error
        return lock.parse(text, self.name)

    @property
    def test_set(self) -> dict[str, str]:
        """The digests of the test images with their labels, and of the class names, for which the predictions are."""
        digests = lock.digests(self.record["evaluate"]["deps"])
        return {path: digests[path] for path in (TEST, CLASSES)}

    def probabilities(self) -> np.ndarray:
        """Return what the networks gave, float32 (replicates, test images, classes).

        Raises NetworkError where they are nowhere, DataError where they are damaged.
        """
        return self._array(f"{PREDICTIONS}/probabilities.npy", np.float32, 3)

    def labels(self) -> np.ndarray:
        """Return the labels of the test images, uint8 (n,). Raises as `probabilities` does."""
        return self._array(f"{TEST}/labels.npy", np.uint8, 1)

    def classes(self) -> list[str]:
        """Return the class names, in the order of the labels. Raises as `probabilities` does."""
        names = self._json(CLASSES)
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise self._damaged(CLASSES, "a list of names", f"{names!r:.40}")
        return names

    def metrics(self) -> dict[str, Any]:
        """Return accuracy, accuracy_std and loss of the test images, as committed.

        Raises DataError if one is damaged.
        """
        metrics = self._json(METRICS)
        try:
            scores = {name: metrics["test"][name] for name in ("accuracy", "accuracy_std", "loss")}
            whole = all(isinstance(score, int | float) and math.isfinite(score) for score in scores.values())
        except (LookupError, TypeError, OverflowError):
            whole = False
        if not whole:
            raise self._damaged(METRICS, "accuracy, accuracy_std and loss of the test images", "less")
        return scores

    def recalls(self) -> dict[str, float]:
        """Return the committed recall of each class that has test images.

        Raises InputError if the commit has no such table, DataError if the table is damaged.
        """
        if not self.files.exists(f"/{BY_CLASS}"):
            what = "no such file there: the commit is older than that table"
            raise InputError(Problem(f"{self.name}: {BY_CLASS}", what, fix="leave out --metrics-only"))
        try:
            rows = list(csv.DictReader(io.StringIO(self._read(BY_CLASS).decode("utf-8"))))
            recalls = {tables.original(row["class"]): float(row["recall"]) for row in rows if int(row["images"])}
            whole = bool(recalls) and all(0 <= recall <= 1 for recall in recalls.values())
        except (ValueError, TypeError, LookupError, AttributeError, csv.Error):
            whole = False
        if not whole:
            raise self._damaged(BY_CLASS, "the recall of each class, from 0 to 1", "less")
        return recalls

    def versions(self) -> dict[str, str] | None:
        """Return the version of each package that had a part in training, None if no record of them can be had.

        Raises DataError if the record is damaged.
        """
        if not self.files.exists(f"/{TRAINING}"):
            return None
        try:
            training = self._json(TRAINING)
        except NetworkError:
            return None
        versions = training.get("versions", {}) if isinstance(training, dict) else None
        if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
            raise self._damaged(TRAINING, "a version for each package", f"{versions!r:.40}")
        return versions or None

    def history(self) -> list[dict[str, float]]:
        """Return the scores of each replicate after each epoch, 0 the untrained network, in the order of both.

        Raises DataError where that is not one block of rows for each replicate.
        """
        try:
            lines = csv.DictReader(io.StringIO(self._read(HISTORY).decode("utf-8")))
            rows = [{name: float(value) for name, value in line.items()} for line in lines]
            blocks = [number for number, _ in groupby(row["replicate"] for row in rows)]
            scored = all(math.isfinite(value) for row in rows for value in row.values())
            whole = scored and blocks == list(range(lock.replicates(self.record)))
        except (ValueError, TypeError, LookupError, AttributeError, csv.Error):
            whole = False
        if not whole:
            raise self._damaged(HISTORY, "a block of finite scores for each replicate", "less")
        return rows

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self._read(path))
        except (ValueError, RecursionError) as error:
            raise self._damaged(path, "JSON", str(error)) from error

    def _array(self, path: str, dtype: type[np.generic], dimensions: int) -> np.ndarray:
        data = self._read(path)
        try:
            array = _array_of(data)
        except Exception as error:  # numpy evaluates the header as Python text: a damaged one may raise about anything
            raise self._damaged(path, "an array", "something else") from error
        if array.dtype != dtype or array.ndim != dimensions or array.size == 0 or not np.isfinite(array).all():
            expected = f"finite {np.dtype(dtype)} of {dimensions} dimensions, not empty"
            raise self._damaged(path, expected, f"{array.dtype} {array.shape}")
        return array

    def _read(self, path: str) -> bytes:
        try:
            data = self.files.read_bytes(f"/{path}")
            expected = self._digest(path)
        except Exception as error:  # the indexes and storages below DVC have classes of errors of their own
            if path in IN_GIT:
                raise self._damaged(path, "a file", said(error)) from error
            what = f"neither in the workspace nor in DVC's cache nor in its remote: {said(error)}"
            raise NetworkError(Problem(f"{self.name}: {path}", what, fix=self._fetch())) from error
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if expected and digest != expected:
            if path in IN_GIT:
                raise self._damaged(path, f"MD5 {expected}", digest)
            fix = f"delete files/md5/{expected[:2]}/{expected[2:]} in DVC's cache, then {self._fetch()}"
            raise DataError(Problem(f"{self.name}: {path}", "damaged", expected=f"MD5 {expected}", got=digest, fix=fix))
        return data

    def _digest(self, path: str) -> str | None:
        """Return the MD5 that a file should have, None of a file in the workspace, which DVC's status has looked at."""
        if path in IN_GIT:
            return lock.digests(self.record[IN_GIT[path]]["outs"]).get(path)
        return self.files.info(f"/{path}").get("md5")

    def _fetch(self) -> str:
        """Return the command that brings a side's data into the cache, and what can be done without those."""
        targets = f"{PREDICTIONS} {TEST} {CLASSES}"
        repo = self.files.repo
        remote = repository.has_remote(repo)
        if self.name == WORKSPACE:
            return f"dvc fetch {targets}, or dvc repro" if remote else "dvc repro"
        otherwise = ", or --metrics-only" * self.files.exists(f"/{BY_CLASS}")
        if not remote:
            # A worktree beside git's top folder; the project is in it where it is in git's top folder.
            folder = os.path.normpath(os.path.join(os.path.relpath(repo.scm.root_dir), os.pardir, self._commit))
            project = os.path.normpath(folder + repo.root_dir)
            cache = 'dvc cache dir --local "$OLDPWD/.dvc/cache"'
            made = f"git worktree add --detach {shlex.quote(folder)} {self._commit}"
            return f"{made} && (cd {shlex.quote(project)} && {cache} && dvc repro){otherwise}"
        if repo.scm.has_rev(self.name):
            return f"dvc fetch --all-commits {targets}{otherwise}"
        return f"dvc exp pull origin {shlex.quote(self.name)}{otherwise}"

    def _damaged(self, path: str, expected: str, got: str) -> DataError:
        return DataError(Problem(f"{self.name}: {path}", "damaged", expected=expected, got=got, fix=self.fix(path)))

    def fix(self, path: str) -> str:
        """Return what to do about an output that is damaged: of a commit it stays so, whatever is run."""
        if self.name != WORKSPACE:
            return lock.remedy(self.name)
        return f"git checkout -- {path}, or dvc repro" if path in IN_GIT else MEND


def require_same_test_set(base: Side, new: Side) -> None:
    """Raise InputError unless both sides were scored on the same images and labels, of the same class names."""
    for path, digest in base.test_set.items():
        if new.test_set[path] != digest:
            what = f"{base.name} and {new.name} were scored on different test sets, which can't be compared"
            raise InputError(
                Problem(path, what, expected=digest, got=new.test_set[path], fix="compare runs on one data set")
            )


def read(base: Side, new: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return the probabilities of both sides, and labels and class names of the test set that they have in common.

    Raises NetworkError where any of it is nowhere, DataError where it is damaged.
    """
    probabilities = base.probabilities(), new.probabilities()
    try:
        labels, classes = new.labels(), new.classes()
    except NetworkError:
        labels, classes = base.labels(), base.classes()
    for side, array in zip((base, new), probabilities, strict=True):
        if array.shape[1:] != (len(labels), len(classes)):
            what, expected = "not of this test set", f"{len(labels)} images and {len(classes)} classes"
            got = f"{array.shape[1]} and {array.shape[2]}"
            raise DataError(
                Problem(f"{side.name}: {PREDICTIONS}", what, expected=expected, got=got, fix=side.fix(PREDICTIONS))
            )
    if labels.max() >= len(classes):
        expected, got = f"0 to {len(classes) - 1}", str(labels.max())
        raise DataError(Problem(TEST, "a label without a class name", expected=expected, got=got, fix=new.fix(TEST)))
    return *probabilities, labels, classes


def _repo_at(revision: str) -> Repo:
    """Return the project at a git revision, with the remote that the project has today.

    `Repo(rev=...)` and `DVCFileSystem(rev=...)` look in git's top folder; the project may be in a folder below it.
    """
    scm, today = SCM(os.curdir), Config.from_cwd()
    folder = Path(os.path.relpath(Repo.find_root(), scm.root_dir))
    return Repo(
        str(PurePosixPath("/", *folder.parts)),
        fs=GitFileSystem(scm=scm, rev=revision),
        scm=scm,
        config={"core": {"remote": today["core"].get("remote", "")}, "remote": today["remote"]},
        uninitialized=True,
    )


def _array_of(data: bytes) -> np.ndarray:
    """Return the array of a .npy file as `np.save` writes it; raises ValueError and more unless it is whole.

    Nothing is allocated, whatever size the header claims.
    """
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("not of version 1.0")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    if math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{len(data)} bytes are not {shape} of {dtype}")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if by_column else "C")


def _another_name() -> str:
    """Return what to do about a name that git and DVC do not know."""
    if Path(".dvc").is_dir() and not repository.git("rev-parse", "--git-dir"):
        return "git init && git add --all && git commit -m Start, or work in a clone of the project"
    fix = "name a branch, a tag, a commit or an experiment (dvc exp list), inside the project's git repository"
    return f"git fetch --unshallow, as this clone lacks commits; or {fix}" if repository.is_shallow() else fix


def said(error: BaseException) -> str:
    """Return what DVC says of an error and of its cause, in a line, without colours."""
    parts = [str(each) for each in (error, error.__cause__) if each]
    return " ".join(COLOUR.sub("", ": ".join(filter(None, parts))).split())
