"""What the tools ask git, through its command line, and DVC about the checkout; and what git's errors mean."""

import os
import subprocess
from pathlib import Path

from dvc.repo import Repo

from core.cli.errors import Problem, StageError


def git(*arguments: str) -> bytes:
    """Return what git prints; nothing if there is no git or no repository. Raises StageError if git fails."""
    try:
        ended = subprocess.run(["git", *arguments], env=os.environ | {"LC_ALL": "C"}, capture_output=True, check=False)
    except FileNotFoundError:  # no git on this machine
        return b""
    here = Path.cwd()
    inside = any((folder / ".git").exists() for folder in (here, *here.parents))  # git says no to a damaged one, too
    if ended.returncode == 0 or (ended.stderr.startswith(b"fatal: not a git repository") and not inside):
        return ended.stdout
    lines = ended.stderr.decode(errors="replace").splitlines()
    trust = next((line.strip() for line in lines if "git config --global --add safe.directory" in line), "")
    if trust:  # git names the folder to trust, which may be above this one
        raise StageError(Problem("git", "does not trust the owner of this folder", fix=trust))
    what = ", ".join(lines) or f"ended with {ended.returncode}"
    while arguments[0].startswith("-"):  # -C FOLDER, -c NAME=VALUE
        arguments = arguments[2:]
    fix = "git fsck, which names all damaged objects; then fetch them from another clone"
    raise StageError(Problem(f"git {arguments[0]}", what, fix=fix))


def require_trust() -> None:
    """Raise StageError if git does not trust the owner of the checkout, which DVC answers with a traceback."""
    git("rev-parse", "--git-dir")


def is_shallow() -> bool:
    """Return whether the clone was made with --depth, so that it lacks earlier commits."""
    return git("rev-parse", "--is-shallow-repository") == b"true\n"


def has_remote(repo: Repo) -> bool:
    """Return whether `dvc pull` can fetch data from a remote.

    In a clone of a repository on this machine, DVC takes the cache of that repository for a remote, but `dvc fetch`
    does not.
    """
    return repo.config["core"].get("remote") not in (None, "", "auto-generated-upstream")
