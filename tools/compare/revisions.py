"""The project as the workspace, a git revision or a DVC experiment has it, opened through DVC; and what DVC's and git's
errors mean.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dvc.api import DVCFileSystem
from dvc.config import Config, ConfigError
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem
from dvc.repo import Repo
from dvc.scm import SCM

from core.cli.errors import InputError, Problem
from tools import repository

WORKSPACE = "workspace"  # the name of the side that is no revision
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def files(name: str, commit: str) -> DVCFileSystem:
    """Return the files of "workspace", or of a commit. Raises InputError if there is no such revision."""
    subject = f"revision {name}"
    try:
        return DVCFileSystem(Repo() if commit == WORKSPACE else _repo_at(commit))
    except ConfigError as error:
        raise InputError(
            Problem(".dvc/config", said(error), fix="repair .dvc/config, or delete .dvc/config.local")
        ) from error
    except (DvcException, OSError) as error:
        raise InputError(Problem(subject, said(error), fix=_another_name())) from error
    except (AttributeError, UnicodeError) as error:  # DVC takes any name that git knows, such as HEAD:file
        raise InputError(Problem(subject, "not a commit", fix=_another_name())) from error


def how_to_fetch(repo: Repo, name: str, targets: Sequence[str]) -> str:
    """Return the ways to have the targets of a side: to fetch them into the cache, or to run the side."""
    here = "add --run, which trains it" + ", or dvc repro" * (name == WORKSPACE)
    if not repository.has_remote(repo):
        return here
    if name == WORKSPACE:
        return f"dvc fetch {' '.join(targets)}, or {here}"
    if repo.scm.has_rev(name):
        return f"dvc fetch --all-commits {' '.join(targets)}, or {here}"
    return f"dvc exp pull origin {shlex.quote(name)}, or {here}"


def said(error: BaseException) -> str:
    """Return the text of an error of DVC and of its cause, in one line without colours."""
    parts = [str(each) for each in (error, error.__cause__) if each]
    parts = parts[:1] if parts[-1] in parts[0] else parts
    return " ".join(COLOUR.sub("", ": ".join(filter(None, parts))).split())


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


def _another_name() -> str:
    """Return what to do about a name that git and DVC do not know."""
    if Path(".dvc").is_dir() and not repository.git("rev-parse", "--git-dir"):
        return "git init && git add --all && git commit -m Start, or work in a clone of the project"
    fix = "name a branch, a tag, a commit or an experiment (dvc exp list), inside the project's git repository"
    return f"git fetch --unshallow, as this clone lacks commits; or {fix}" if repository.is_shallow() else fix
