"""A side of a comparison, the workspace or a revision, read through DVC: from the workspace, the cache or the remote.

dvc.lock says what made the predictions of a side, and for which test images they are. A revision is taken at its word;
of the workspace, DVC says whether its files are still those of dvc.lock.
"""

import io
import json
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException

from stages.command import DataError, InputError, Problem, StageError

WORKSPACE = "workspace"
# The stages that predictions come from, and what is read of them; dvc.yaml is where these names are from.
MADE_BY = ("download", "normalize", "train", "evaluate")
RAW = "data/raw"
TEST = "data/normalized/test"
CLASSES = "data/normalized/classes.json"
PREDICTIONS = "data/predictions"
METRICS = "reports/metrics.json"


class Side:
    """What a revision or the workspace holds; only what is asked for is read, and brought from a remote if need be."""

    def __init__(self, name: str):
        """Open a git revision, an experiment or "workspace". Raises InputError where there is none of that name."""
        self.name = name
        try:
            # To DVC no name is the workspace, too.
            self._files = DVCFileSystem(rev=None if name == WORKSPACE else name or "''")
            commit = "" if name == WORKSPACE else self._files.repo.get_rev()[:7]
        except (DvcException, OSError) as error:
            fix = "name a branch, a tag, a commit or an experiment (dvc exp list), inside the project's git repository"
            raise InputError(Problem(f"revision {name}", str(error), fix)) from error
        self.title = f"{name} ({commit})" if commit and not name.startswith(commit) else name

    @cached_property
    def record(self) -> dict[str, Any]:
        """The stages that made the predictions, as dvc.lock has them.

        Raises InputError where there is no such record, DataError where it is damaged or tells of two test sets.
        """
        try:
            stages = yaml.safe_load(self._files.read_text("/dvc.lock", encoding="utf-8"))["stages"]
            record = {name: stages[name] for name in MADE_BY}
            made, scored = _digests(record["normalize"]["outs"]), _digests(record["evaluate"]["deps"])
            same = all(made[path] == scored[path] for path in (TEST, CLASSES))
        except FileNotFoundError as error:
            fix = "name one where dvc repro was run and dvc.lock committed"
            raise InputError(Problem(f"{self.name}: dvc.lock", "no such file there", fix)) from error
        except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError) as error:
            fix = "dvc repro there, and commit dvc.lock"
            expected = f"a record of {', '.join(MADE_BY)}"
            raise DataError(Problem(f"{self.name}: dvc.lock", "not whole", fix, expected, "less")) from error
        if not same:
            what = f"the predictions are for another test set than {TEST}"
            raise DataError(Problem(f"{self.name}: dvc.lock", what, "dvc repro there, and commit dvc.lock"))
        return record

    @property
    def test_set(self) -> dict[str, str]:
        """The digests of the test images with their labels, and of the class names, for which the predictions are."""
        digests = _digests(self.record["evaluate"]["deps"])
        return {path: digests[path] for path in (TEST, CLASSES)}

    @property
    def replicates(self) -> int:
        """How many networks were trained."""
        return self.record["train"]["params"]["params.yaml"]["train"]["replicates"]

    def warnings(self) -> list[str]:
        """Return, in a line, which params and code of the workspace changed after its predictions were made.

        Raises DataError where the predictions or the test set are not those of dvc.lock, which then tells nothing of
        them.
        """
        if self.name != WORKSPACE:
            return []
        try:
            status = self._files.repo.status()
        except DvcException as error:  # another DVC at work, a dvc.yaml that is none
            raise StageError(Problem("dvc status", str(error), "mend that, or name a revision")) from error
        entries = [
            entry
            for stage, changes in status.items()
            if stage.rpartition(":")[2] in MADE_BY
            for entry in changes
            if isinstance(entry, dict)
        ]
        outs = dict(chain.from_iterable(entry.get("changed outs", {}).items() for entry in entries))
        for path in (TEST, CLASSES, PREDICTIONS):
            if outs.get(path) == "modified":
                fix = f"dvc repro, or dvc checkout --force {path}"
                raise DataError(Problem(path, "not what dvc.lock tells of", fix))
        deps = dict(chain.from_iterable(entry.get("changed deps", {}).items() for entry in entries))
        # Of params DVC names the sections, of code the files and folders.
        names = [f"{path} ({', '.join(it)})" if isinstance(it, dict) else path for path, it in sorted(deps.items())]
        return [f"The workspace's predictions are older than its {', '.join(names)}: dvc repro."] if names else []

    def probabilities(self) -> np.ndarray:
        """Return what the networks gave, float32 (replicates, test images, classes).

        Raises StageError where they are nowhere, DataError where they are damaged.
        """
        return self._array(f"{PREDICTIONS}/probabilities.npy", np.float32, 3)

    def labels(self) -> np.ndarray:
        """Return the labels of the test images, uint8 (n,). Raises as `probabilities` does."""
        return self._array(f"{TEST}/labels.npy", np.uint8, 1)

    def classes(self) -> list[str]:
        """Return the class names, in the order of the labels. Raises as `probabilities` does."""
        return json.loads(self._read(CLASSES))

    def metrics(self) -> dict[str, Any]:
        """Return the committed metrics. Raises as `probabilities` does."""
        return json.loads(self._read(METRICS))

    def _array(self, path: str, dtype: type[np.generic], dimensions: int) -> np.ndarray:
        data = self._read(path)
        try:
            array = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise self._damaged(path, "an array", "something else") from error
        if array.dtype != dtype or array.ndim != dimensions or array.size == 0 or not np.isfinite(array).all():
            expected = f"finite {np.dtype(dtype)} of {dimensions} dimensions, not empty"
            raise self._damaged(path, expected, f"{array.dtype} {array.shape}")
        return array

    def _read(self, path: str) -> bytes:
        try:
            return self._files.read_bytes(f"/{path}")
        except Exception as error:  # the indexes and storages below DVC have classes of errors of their own
            what = f"neither in the workspace nor in DVC's cache nor in its remote: {error}"
            raise StageError(Problem(f"{self.name}: {path}", what, self._fetch())) from error

    def _fetch(self) -> str:
        """Return the command that brings a side's data into the cache."""
        targets = f"{PREDICTIONS} {TEST} {CLASSES}"
        if self.name == WORKSPACE:
            return f"dvc fetch {targets}, or dvc repro"
        if self._files.repo.scm.has_rev(self.name):
            return f"dvc fetch --all-commits {targets}, or --metrics-only"
        return f"dvc exp pull origin {self.name}, or --metrics-only"

    def _damaged(self, path: str, expected: str, got: str) -> DataError:
        return DataError(Problem(f"{self.name}: {path}", "damaged", "dvc repro there", expected, got))


def require_same_test_set(base: Side, new: Side) -> None:
    """Raise InputError unless both sides were scored on the same images and labels, of the same class names."""
    for path, digest in base.test_set.items():
        if new.test_set[path] != digest:
            what = f"{base.name} and {new.name} were scored on different test sets, which can't be compared"
            raise InputError(Problem(path, what, "compare runs on one data set", digest, new.test_set[path]))


def read(base: Side, new: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return the probabilities of both sides, and labels and class names of the test set that they have in common.

    Raises StageError where any of it is nowhere, DataError where it is damaged.
    """
    probabilities = base.probabilities(), new.probabilities()
    try:
        labels, classes = new.labels(), new.classes()
    except StageError:
        labels, classes = base.labels(), base.classes()
    for side, array in zip((base, new), probabilities, strict=True):
        if array.shape[1:] != (len(labels), len(classes)):
            what, expected = "not of this test set", f"{len(labels)} images and {len(classes)} classes"
            got = f"{array.shape[1]} and {array.shape[2]}"
            raise DataError(Problem(f"{side.name}: {PREDICTIONS}", what, "dvc repro there", expected, got))
    return *probabilities, labels, classes


def _digests(items: list[dict[str, Any]]) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in items}
