"""The places that keep outputs: the workspace, DVC's cache, and the commit that git's HEAD names."""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError

from core.cli.errors import InputError, Problem
from tools import lock, pipeline, repository
from tools.lock import Files, Out

CHUNK = 1 << 20


class Cache:
    """The objects of DVC's cache, wherever DVC's config puts it. Each object is read once."""

    def __init__(self) -> None:
        """Raises InputError if DVC finds no project in this folder."""
        try:
            with Repo(".") as repo:
                self.folder = Path(repo.cache.local.path)
                self.has_remote = repository.has_remote(repo)
        except DvcException as error:
            fix = "repair .dvc/config, or delete .dvc/config.local"
            if isinstance(error, SCMError):  # as in an archive of the source, which has no .git
                fix = "dvc config --local core.no_scm true"
            raise InputError(Problem(".dvc", " ".join(str(error).split()), fix=fix)) from error
        self.held = cache(self._held)

    def path(self, md5: str) -> Path:
        """Return the path of an object, relative to the project if it is in the project."""
        path = self.folder / md5[:2] / md5[2:]
        return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

    def files(self, out: Out) -> Files | None:
        """Return the recorded MD5 of each file of an output; None for a folder whose list is missing or damaged."""
        if not out.md5.endswith(".dir"):
            return {"": out.md5}
        return lock.folder_files(self.path(out.md5).read_bytes()) if self.held(out.md5) == out.md5 else None

    def _held(self, md5: str) -> str:
        """Return the MD5 of the bytes of the object with that name, an empty text if there is none."""
        path = self.path(md5)
        return md5_of(path) + ".dir" * md5.endswith(".dir") if path.exists() else ""


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, read in chunks."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def workspace(path: str) -> Files:
    """Return the MD5 of each file of an output; nothing if it does not exist. Links are followed."""
    root = Path(path)
    if root.is_file():
        return {"": md5_of(root)}
    return {each.relative_to(root).as_posix(): md5_of(each) for each in root.rglob("*") if each.is_file()}


def digest_of(files: Files) -> str:
    """Return the MD5 of an output, of a folder as DVC makes it; an empty text if there is nothing."""
    return (files.get("") or lock.folder_digest(files)) if files else ""


class Head(NamedTuple):
    """outs: the outputs that git keeps, as HEAD's dvc.lock records them, each with its MD5 in HEAD. said: a phrase that
    tells whether HEAD has the run of the workspace.
    """

    outs: list[tuple[Out, str]]
    said: str


def head() -> Head:
    """Return what HEAD has. Raises StageError if git can't read it, DataError if its dvc.lock is damaged."""
    # HEAD alone would look like a repository without commits if its branch is damaged.
    if not repository.git("rev-list", "--max-count=1", "--all", "--reflog"):
        return Head([], "no commit to compare with")
    paths = os.fsdecode(repository.git("ls-tree", "-r", "-z", "--name-only", "HEAD", ".")).split("\0")
    if not {lock.PATH, str(pipeline.PATH)} <= set(paths):
        return Head([], "no commit to compare with")
    record = _committed(lock.PATH)
    fix = "dvc repro, then commit dvc.lock and dvc.yaml"
    declared = pipeline.read(_committed(str(pipeline.PATH)), f"HEAD: {pipeline.PATH}", fix)
    recorded = lock.outs(lock.read(record, f"HEAD: {lock.PATH}", fix), declared)
    outs = [(out, _digest(out, paths)) for out in recorded if not out.cached]
    same = record == Path(lock.PATH).read_bytes()
    return Head(outs, "HEAD has the same" if same else "HEAD has another run, which is whole too")


def _digest(out: Out, paths: list[str]) -> str:
    names = {path[len(out.path) + 1 :]: path for path in paths if f"{path}/".startswith(f"{out.path}/")}
    files = {name: hashlib.md5(_committed(path), usedforsecurity=False).hexdigest() for name, path in names.items()}
    return digest_of(files)


def _committed(path: str) -> bytes:
    return repository.git("cat-file", "blob", f"HEAD:./{path}")
