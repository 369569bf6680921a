"""What in the workspace changed after its predictions were made."""

from itertools import chain
from typing import Any

from dvc.exceptions import DvcException
from dvc.utils.serialize import ParseError

from core.cli.errors import DataError, InputError, Problem, StageError
from tools.compare import revisions
from tools.compare.sides import MADE_BY, TEST_SET, Side

READ = (*TEST_SET, "predictions", "metrics.json", "classes.csv", "training.json")


def changed(side: Side) -> list[str]:
    """Return the commands, params and code that changed; nothing for a revision, which can't change.

    Raises DataError if predictions, test set or metrics are not those of dvc.lock, InputError if a YAML file can't be
    read, StageError if DVC gives no answer.
    """
    if not side.of_workspace:
        return []
    stages = _stages(side)
    entries = [entry for changes in stages.values() for entry in changes if isinstance(entry, dict)]
    outs = dict(chain.from_iterable(entry.get("changed outs", {}).items() for entry in entries))
    by_git = {output.path for output in side.pipeline.outputs if not output.cached}
    for path in map(side.path, READ):
        if outs.get(path) == "modified":
            restore = f"git checkout -- {path}" if path in by_git else f"dvc checkout --force {path}"
            raise DataError(Problem(path, "not the file that dvc.lock records", fix=f"{restore}, or dvc repro"))
    deps = dict(chain.from_iterable(entry.get("changed deps", {}).items() for entry in entries))
    made = {output.path for output in side.pipeline.outputs}  # these may be in the cache alone
    # DVC names the sections of params, and the files and folders of code.
    return [f"dvc.yaml (cmd of {stage})" for stage, changes in stages.items() if "changed command" in changes] + [
        f"{path} ({', '.join(state)})" if isinstance(state, dict) else path
        for path, state in sorted(deps.items())
        if not (state == "deleted" and path in made)
    ]


def _stages(side: Side) -> dict[str, list[Any]]:
    """Return what DVC says about each stage on which predictions depend: dicts, and "changed command"."""
    try:
        status = side.files.repo.status()
    except DvcException as error:
        unreadable = [each for each in (error, error.__cause__) if isinstance(each, ParseError)]
        if unreadable:
            fix = "repair the file (git status shows an unfinished merge), or name a revision"
            raise InputError(Problem(unreadable[0].path, "not YAML", fix=fix)) from error
        fix = "repair that, or name a revision"
        raise StageError(Problem("dvc status", revisions.said(error), fix=fix)) from error
    stages = {stage.rpartition(":")[2]: changes for stage, changes in status.items()}
    return {stage: changes for stage, changes in stages.items() if stage in MADE_BY}
