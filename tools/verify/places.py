"""Where outputs are kept: the workspace, DVC's cache, and the commit that git's HEAD is."""

import hashlib
import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import SCMError

from core.cli.errors import InputError, Problem
from tools import repository
from tools.verify import lock
from tools.verify.lock import Files, Out

CHUNK = 1 << 20
NOTHING, NO_FILE, ELSEWHERE, NO_LISTING = "nothing", "no regular file", "a link to elsewhere", "no listing of files"


class Disk:
    """Reads files, and counts them and their bytes."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def md5(self, path: Path) -> str:
        """Return the MD5 of a regular file, or NO_FILE: a pipe would block, a device never end."""
        if not stat.S_ISREG(path.stat().st_mode):
            return NO_FILE
        digest = hashlib.md5(usedforsecurity=False)
        self.files += 1
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                self.bytes += len(chunk)
        return digest.hexdigest()

    def md5_of(self, data: bytes) -> str:
        """Return the MD5 of a file that was read already."""
        self.files += 1
        self.bytes += len(data)
        return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Cache:
    """The objects of DVC's cache, wherever its config puts it; each is read once, however many outputs have it."""

    def __init__(self, disk: Disk) -> None:
        """Raises InputError unless DVC knows a project here."""
        try:
            with Repo(".") as repo:
                self.folder = Path(repo.cache.local.path)
                self.has_remote = repository.has_remote(repo)
        except SCMError as error:  # as in the archive of the source that a git host offers
            fix = "dvc config --local core.no_scm true"
            raise InputError(Problem(".dvc", " ".join(str(error).split()), fix=fix)) from error
        except DvcException as error:
            raise InputError(Problem(".dvc", " ".join(str(error).split()), fix="git checkout -- .dvc")) from error
        self._disk = disk
        self._held: dict[str, str] = {}

    def path(self, md5: str) -> Path:
        """Return where the object is, relative to the project if it is in it."""
        path = self.folder / md5[:2] / md5[2:]
        return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

    def held(self, md5: str) -> str:
        """Return the MD5 of the object with that name as it is now, with `.dir` if it is a listing; or words."""
        if md5 not in self._held:
            path = self.path(md5)
            found = self._disk.md5(path) if path.exists() else NOTHING
            if md5.endswith(".dir") and found == md5.removesuffix(".dir"):
                found = NO_LISTING if self.listing(md5) is None else md5
            self._held[md5] = found
        return self._held[md5]

    def listing(self, md5: str) -> Files | None:
        """Return the files that an object lists, None where it does not."""
        path = self.path(md5)
        return lock.members(path.read_bytes()) if path.is_file() else None


def workspace(out: Out, disk: Disk, cache: Cache) -> Files:
    """Return the files of an output, none where it is not there."""
    root = Path(out.path)
    trusted = [os.path.realpath(folder) for folder in (".", cache.folder)]

    def md5(path: Path) -> str:
        target = Path(os.path.realpath(path))
        if not any(target.is_relative_to(folder) for folder in trusted):
            return ELSEWHERE
        return disk.md5(target) if target.exists() else NO_FILE

    if not os.path.lexists(root):
        return {}
    if not out.is_folder or root.is_symlink() or not root.is_dir():
        return {"": md5(root)}
    return {path.relative_to(root).as_posix(): md5(path) for path in _files(root)}


def _files(folder: Path) -> list[Path]:
    """Return what is in a folder and those below it; a link to a folder counts as a file."""
    found = []
    for path in sorted(folder.iterdir()):
        found += _files(path) if path.is_dir() and not path.is_symlink() else [path]
    return found


class Head(NamedTuple):
    """The commit: what it has of the outputs that git keeps, as its own dvc.lock names them; and what to say of it."""

    outs: list[tuple[Out, Files]]
    said: str


def head(disk: Disk) -> Head:
    """Return what git's HEAD has. Raises StageError where git can't say, DataError where HEAD's dvc.lock is damaged."""
    tree = _tree()
    if not {lock.PATH, lock.PIPELINE} <= tree.keys():
        return Head([], "no commit to hold them against")
    record, pipeline = _blobs([tree[lock.PATH], tree[lock.PIPELINE]])
    texts = (text.decode(errors="replace") for text in (record, pipeline))
    outs = lock.parse(*texts, where="HEAD: ", fix="dvc repro, then commit dvc.lock and dvc.yaml")
    committed: list[tuple[Out, Files]] = []
    for out in outs:
        if out.kept_by == "git":
            names = {path: path[len(out.path) + 1 :] for path in tree if f"{path}/".startswith(f"{out.path}/")}
            blobs = _blobs([tree[path] for path in names])
            committed.append((out, dict(zip(names.values(), map(disk.md5_of, blobs), strict=True))))
    same = record == Path(lock.PATH).read_bytes()
    return Head(committed, "HEAD has the same" if same else "HEAD has another run, which is whole too")


def _tree() -> dict[str, str]:
    """Return the name of each file's blob in HEAD, by the file's path in this folder; none where there is no commit."""
    if not repository.git(
        "rev-list", "--max-count=1", "--all", "--reflog"
    ):  # HEAD alone names none where its branch is damaged
        return {}
    entries = (
        line.partition("\t") for line in os.fsdecode(repository.git("ls-tree", "-r", "-z", "HEAD", ".")).split("\0")
    )
    return {path: facts.split()[2] for facts, _, path in entries if path}


def _blobs(names: list[str]) -> list[bytes]:
    stream = io.BytesIO(repository.git("cat-file", "--batch", given="".join(f"{name}\n" for name in names)))
    found = []
    for name in names:
        facts = stream.readline().split()
        if facts[-1] == b"missing":  # damaged, too
            raise repository.unreadable("cat-file", f"{name} missing")
        size = int(facts[2])
        found.append(stream.read(size + 1)[:size])  # a line break follows
    return found
