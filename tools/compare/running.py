"""Run the pipeline for a side whose predictions this machine lacks: --run.

The commit runs in a worktree in a temporary folder, with its own code and with this project's DVC cache, so that DVC
restores the stages that ran before. What the run made stays in the cache, and what git keeps of it in a commit that no
branch has. So the worktree can go, and the side is read like any revision. The workspace stays as it is.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from dvc.config import Config
from dvc.repo import Repo

from core.cli.errors import DataError, InputError, Problem, StageError
from core.config import params, yaml
from core.files import atomic, durations
from core.sources import datasets, kept
from tools import lock, repository
from tools.compare import sides, status
from tools.compare.sides import ANOTHER_REVISION, MADE_BY, Side


def complete(base: Side, new: Side) -> tuple[Side, Side]:
    """Return both sides; a side whose predictions can't be had, or are older than its code, as it runs here.

    Raises InputError if the sides can't be compared, or if git and DVC do not keep all files that a run needs.
    Raises StageError if a run fails.
    """
    if all(not side.of_workspace and side.files.exists(f"/{lock.PATH}") for side in (base, new)):
        sides.require_same_test_set(base, new)  # before minutes of training
    return _complete(base), _complete(new)


def _complete(side: Side) -> Side:
    if side.has_all() and not status.changed(side):
        return side
    project = Path(Repo.find_root())
    if side.of_workspace:
        _require_tracked(project)
    commit = _tracked(project) if side.of_workspace else side.files.repo.get_rev()
    with _worktree(project, commit) as copy:
        _require_data(side, copy, project)
        _share(copy, project)
        _say(f"{side.title}: running the pipeline in {copy}")
        _repro(side, copy, "normalize")
        _say(f"{side.title}: {_duration(side, copy)}")
        _repro(side, copy, MADE_BY[-1])
        with suppress(OSError):
            atomic.write_bytes(project / durations.PATH, (copy / durations.PATH).read_bytes())
        _git(copy, "add", "--all")
        ran = Side(side.name, _tracked(copy))
    if _recorded(ran) != _recorded(side):
        ran.title = f"{side.title}, run here"
    return ran


def _recorded(side: Side) -> str | None:
    """Return the MD5 of the predictions as the side's dvc.lock records it, None if it has no such record."""
    try:
        return side.record.output(side.path("predictions"))
    except (DataError, InputError):
        return None


def _tracked(folder: Path) -> str:
    """Return a commit of all that git tracks in a folder, as it is there; HEAD if nothing has changed."""
    return _git(folder, "stash", "create") or _git(folder, "rev-parse", "HEAD")


def _require_tracked(project: Path) -> None:
    """Raise InputError if git can't make a commit of the workspace, or if the commit would lack some of its code."""
    if _git(project, "ls-files", "--unmerged", ":/"):
        raise InputError(Problem("--run", "git is in the middle of a merge", fix="finish or abort the merge"))
    if new := _git(project, "ls-files", "--others", "--exclude-standard", "-z", "core", "stages").split("\0")[:-1]:
        what = "--run would miss code that git does not track"
        raise InputError(Problem(new[0], what, fix=shlex.join(["git", "add", *new])))


@contextmanager
def _worktree(project: Path, commit: str) -> Iterator[Path]:
    """Yield the project's folder in a new worktree of a commit."""
    with tempfile.TemporaryDirectory(prefix="compare-", ignore_cleanup_errors=True) as folder:
        top = Path(folder, commit[:7])
        try:
            # Without hooks, as `dvc install` adds one that checks out data.
            _git(project, "-c", f"core.hooksPath={os.devnull}", "worktree", "add", "--detach", str(top), commit)
            yield top / _git(project, "rev-parse", "--show-prefix")
        finally:
            remove = ("git", "worktree", "remove", "--force", "--force", str(top))
            subprocess.run(remove, cwd=project, capture_output=True, check=False)


def _share(copy: Path, project: Path) -> None:
    """Let the copy use the project's DVC cache, remotes and record of durations; and bring what `dvc add` keeps."""
    repo = Repo(str(project))
    today, cache = repo.config, repo.cache.local_cache_dir
    with Config(str(copy / Repo.DVC_DIR), validate=False).edit("local") as local:
        local["cache"] = {**today["cache"], "dir": cache}
        local["remote"] = today["remote"]
        # Without git, as DVC does not find a worktree of a submodule.
        local["core"] = {"no_scm": True} | {key: value for key, value in today["core"].items() if key == "remote"}
    with suppress(OSError):
        atomic.write_bytes(copy / durations.PATH, (project / durations.PATH).read_bytes())
    if added := _git(copy, "ls-files", "-z", "*.dvc").split("\0")[:-1]:
        # If that fails, the stage that lacks its files says so.
        _dvc(copy, "pull" if repository.has_remote(repo) else "checkout", "--quiet", *added)


def _require_data(side: Side, copy: Path, project: Path) -> None:
    """Raise InputError if the worktree lacks the files of the data set."""
    try:
        name = str(yaml.load(copy / params.PATH)["dataset"]["name"])
    except (StageError, LookupError, TypeError):  # the stage `validate` says more, and old commits have no such param
        return
    folder = datasets.SOURCES / name
    if side.of_workspace and (line := kept.command(name, project)):
        what = "--run would miss files or changes that git and DVC do not track"
        raise InputError(Problem(str(folder), what, fix=line))
    if not (copy / folder).is_dir() and not (copy / f"{folder}.dvc").is_file():
        what = "git and DVC do not keep the files of this data set"
        raise InputError(Problem(f"{side.name}: {folder}", what, fix=ANOTHER_REVISION))


def _duration(side: Side, copy: Path) -> str:
    """Return how long the training of the side takes, as far as this machine knows."""
    try:
        images = np.load(copy / side.path("train") / "images.npy", mmap_mode="r")
        settings = params.section(params.Train, copy / params.PATH)
        seconds = durations.estimate(settings, len(images), images.shape[1:], Path(Repo.find_root()))
    except (OSError, ValueError, StageError):  # of another version of the code
        seconds = None
    if seconds is None:
        return "training time unknown, as no such networks were trained in this clone"
    return f"training alone takes {durations.worded(seconds)}, or no time if DVC's cache has the networks"


def _repro(side: Side, copy: Path, stage: str) -> None:
    if code := _dvc(copy, "repro", stage):
        what = f"dvc repro {stage} failed in a worktree"
        fix = "see the error above, or --metrics-only in place of --run"
        raise StageError(Problem(side.title, what, expected="exit code 0", got=str(code), fix=fix))


def _dvc(copy: Path, *arguments: str) -> int:
    """Run DVC in the worktree with this interpreter, and return its exit code. All that it prints goes to stderr."""
    mirror = os.environ.get("DATASET_MIRROR", "")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "DATASET_MIRROR": mirror if not mirror or "://" in mirror else os.path.join(Repo.find_root(), mirror),
        "DVC_SITE_CACHE_DIR": str(copy / Repo.DVC_DIR / "tmp" / "site"),  # what DVC would keep of each folder
    }
    command = [sys.executable, "-m", "dvc", *arguments]
    # In a group of its own, which is ended as a whole: a stage would survive the end of DVC. Killed, they print nothing
    # after an interrupt, and what they leave lies in the worktree.
    process = subprocess.Popen(command, cwd=copy, env=environment, stdout=2, start_new_session=True)
    try:
        return process.wait()
    finally:
        with suppress(OSError):  # nothing is left
            process.kill() if os.name == "nt" else os.killpg(process.pid, signal.SIGKILL)  # no groups there
        process.wait()


def _git(folder: Path, *arguments: str) -> str:
    return os.fsdecode(repository.git("-C", str(folder), *arguments)).removesuffix("\n")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
