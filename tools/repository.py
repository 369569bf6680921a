"""What the tools ask of git, by its command line, and of DVC about the checkout; and what git's refusals mean."""

import os
import subprocess
from pathlib import Path

from dvc.repo import Repo

from core.cli.errors import Problem, StageError


def git(*arguments: str, given: str = "") -> bytes:
    """Return what git prints, nothing where there is no git or no repository. Raises StageError where it fails."""
    environment = os.environ | {"LC_ALL": "C"}
    try:
        ended = subprocess.run(
            ["git", *arguments], input=given.encode(), env=environment, capture_output=True, check=False
        )
    except FileNotFoundError:  # no git on this machine
        return b""
    here = Path.cwd()
    inside = any(
        (folder / ".git").exists() for folder in (here, *here.parents)
    )  # a damaged one is no repository to git
    outside = ended.stderr.startswith(b"fatal: not a git repository") and not inside
    if ended.returncode == 0 or outside:
        return ended.stdout
    said = ended.stderr.decode(errors="replace").splitlines()
    trust = next((line.strip() for line in said if "git config --global --add safe.directory" in line), "")
    if trust:  # git names the folder to trust, which may be one above this
        raise StageError(Problem("git", "does not trust the owner of this folder", fix=trust))
    raise unreadable(arguments[0], ", ".join(said) or f"ended with {ended.returncode}")


def unreadable(subcommand: str, said: str) -> StageError:
    """Return the error that says what git can't read."""
    fix = "git fsck, which names all that is damaged; then bring that from another clone"
    return StageError(Problem(f"git {subcommand}", said, fix=fix))


def require_trust() -> None:
    """Raise StageError where git does not trust the owner of the checkout: DVC says so by a traceback."""
    git("rev-parse", "--git-dir")


def is_shallow() -> bool:
    """Return whether the clone was made with --depth, so that a revision may be missing."""
    return git("rev-parse", "--is-shallow-repository") == b"true\n"


def has_remote(repo: Repo) -> bool:
    """Return whether `dvc pull` has a place to bring data from.

    Of a clone DVC takes the cache of its origin, if that is on this machine, for a remote; `dvc fetch` does not.
    """
    return repo.config["core"].get("remote") not in (None, "", "auto-generated-upstream")
