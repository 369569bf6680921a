"""What of the workspace is no longer as its predictions were made; a revision is taken at its word."""

from itertools import chain
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.serialize import ParseError

from core.cli.errors import DataError, InputError, Problem, StageError
from tools.compare import WORKSPACE, lock
from tools.compare.lock import BY_CLASS, CLASSES, METRICS, PREDICTIONS, TEST, TRAINING
from tools.compare.sides import IN_GIT, Side, said


def changed(side: Side) -> list[str]:
    """Return which commands, params and code of the workspace changed after its predictions were made.

    Raises DataError where predictions, test set or metrics are not those of dvc.lock, which then tells nothing of
    them, InputError where dvc.yaml or a file of params can't be read, StageError where DVC gives no answer.
    """
    if side.name != WORKSPACE:
        return []
    stages = _of_stages(side)
    entries = [entry for changes in stages.values() for entry in changes if isinstance(entry, dict)]
    outs = dict(chain.from_iterable(entry.get("changed outs", {}).items() for entry in entries))
    for path in (TEST, CLASSES, PREDICTIONS, METRICS, BY_CLASS, TRAINING):
        if outs.get(path) == "modified":
            restored = f"git checkout -- {path}" if path in IN_GIT else f"dvc checkout --force {path}"
            raise DataError(Problem(path, "not what dvc.lock tells of", fix=f"{restored}, or dvc repro"))
    deps = dict(chain.from_iterable(entry.get("changed deps", {}).items() for entry in entries))
    # Of params DVC names the sections, of code the files and folders; data may well be in the cache alone.
    return [f"dvc.yaml (cmd of {stage})" for stage, changes in stages.items() if "changed command" in changes] + [
        f"{path} ({', '.join(state)})" if isinstance(state, dict) else path
        for path, state in sorted(deps.items())
        if not (state == "deleted" and path.startswith("data/"))
    ]


def _of_stages(side: Side) -> dict[str, list[Any]]:
    """Return what DVC says of each stage that predictions come from: dicts, and "changed command"."""
    try:
        status = side.files.repo.status()
    except DvcException as error:
        unreadable = [each for each in (error, error.__cause__) if isinstance(each, ParseError)]
        if unreadable:
            fix = "mend it (git status says whether a merge is unfinished), or name a revision"
            raise InputError(Problem(unreadable[0].path, "not YAML", fix=fix)) from error
        raise StageError(Problem("dvc status", said(error), fix="mend that, or name a revision")) from error
    if not side.files.exists("/dvc.yaml"):  # of a project without stages, no stage has changed
        raise InputError(Problem(f"{side.name}: dvc.yaml", "no such file there", fix="git checkout -- dvc.yaml"))
    stages = {stage.rpartition(":")[2]: changes for stage, changes in status.items()}
    return {stage: changes for stage, changes in stages.items() if stage in lock.MADE_BY}
