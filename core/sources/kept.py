"""Whether git and DVC keep a data set: `dvc exp run --temp` and DVC's queue run in a copy that lacks everything else.

Files that neither keeps are missing in the copy. Files that changed after `dvc add` are there as they were before.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from core.cli.errors import InputError, Problem
from core.sources import datasets

AGAIN = "then queue the runs again (dvc queue remove --failed deletes the failed ones)"
COPIES = Path(".dvc/tmp/exps")
# `dvc status` would wait for the lock that a running queue holds. A status is empty if nothing has changed.
STATUS = "import sys; from dvc.repo import Repo; repo = Repo()\n"
STATUS += "for path in sys.argv[1:]: print([out.status() for out in repo.stage.load_one(path).outs])"


def require(name: str) -> None:
    """Raise InputError in a copy of the project, unless the data set is there as it is in the project."""
    project = _project()
    if project and (line := command(name, project)):
        raise InputError(problem(name, line))


def problem(name: str, line: str) -> Problem:
    """Return the problem of a data set that `line` would keep."""
    what = "queued runs would miss files or changes that git and DVC do not track"
    return Problem(str(datasets.SOURCES / name), what, fix=f"{line}; {AGAIN}")


def command(name: str, project: Path = Path()) -> str:
    """Return the shell command that lets git and DVC keep a data set, or nothing if they do so, or without git."""
    folder = datasets.SOURCES / name
    inside = {Path(path).relative_to(folder).parts[0] for path in _others(project, f"{folder}/")}
    things = [f"{folder}/{part}" for part in sorted(inside) if datasets.is_data(part)]
    if (project / f"{folder}.dvc").is_file():  # dvc add was given the whole folder
        things = [str(folder)]
    added = [thing for thing in things if (project / f"{thing}.dvc").is_file()]
    to_add = [thing for thing in things if thing not in added] + _changed(added, project)
    records = [str(datasets.path_of(name)), *(f"{thing}.dvc" for thing in things)]
    if not to_add and not _others(project, *records):
        return ""
    adding = [shlex.join(["dvc", "add", *to_add])] if to_add else []
    return " && ".join([*adding, shlex.join(["git", "add", *records])])


def _project() -> Path | None:
    """Return the project of which the current folder is a copy that DVC made, or None."""
    here = Path.cwd()
    for outer in here.parents:
        if outer / COPIES in here.parents:
            top, below = _git(outer, "rev-parse", "--show-toplevel"), _git(here, "rev-parse", "--show-prefix")
            return Path(top.removesuffix("\n"), below.removesuffix("\n"))
    return None


def _others(project: Path, *paths: str) -> list[str]:
    """Return the files that git does not track, also ignored ones. There are none without git."""
    return _git(project, "ls-files", "--others", "-z", "--", *paths).split("\0")[:-1]


def _changed(things: list[str], project: Path) -> list[str]:
    """Return those that changed after `dvc add`."""
    if not things:
        return []
    argv = [sys.executable, "-c", STATUS, *(f"{thing}.dvc" for thing in things)]
    ended = subprocess.run(argv, cwd=project, capture_output=True, encoding="utf-8", check=False)
    lines = ended.stdout.splitlines()
    if ended.returncode or len(lines) != len(things):
        return things  # a damaged .dvc file: dvc add writes it anew
    return [thing for thing, line in zip(things, lines, strict=True) if line != "[{}]"]


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints: nothing if there is no git or no repository, and so no queue."""
    try:
        ended = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        return ""
    return ended.stdout
