"""The pipeline in a folder of its own, under real DVC and git: what tests of the whole share."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
NOT_COPIED = ("reports/", "dvc.lock", "tests/", "docs/")
PLACES = ("subfolder", "submodule", "worktree")
ALL = ["validate", "download", "normalize", "train", "evaluate", "render"]


def tracked() -> list[str]:
    """Return the files that git tracks, by their paths in the project."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, encoding="utf-8").split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without bytecode."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def within(path: str, places: Iterable[str]) -> bool:
    """Return whether a path is one of these places, or in one of them."""
    return any(path == place or path.startswith(place + "/") for place in places)


def scrubbed() -> dict[str, str]:
    """Return the environment without what steers DVC, git, Python or the choice of a mirror; git knows who commits."""
    steering = ("DVC_", "GIT_", "PYTHON", "DATASET_MIRROR")
    unsigned = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "commit.gpgsign", "GIT_CONFIG_VALUE_0": "false"}
    identity = {f"GIT_{role}_{key}": "test@test" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return inherited | identity | unsigned


class Project:
    """A copy of the pipeline in a git repository of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def copied(cls, folder: Path) -> "Project":
        """Copy the files that git tracks, but not what the pipeline made of them."""
        for name in tracked():
            if not name.startswith(NOT_COPIED):
                copy(ROOT / name, folder / name)
        return cls(folder)

    @classmethod
    def tiny(cls, folder: Path) -> "Project":
        """Copy the pipeline with params that take seconds: two networks, two epochs, a few hundred drawn pictures."""
        project = cls.copied(folder)
        project.edit("datasets/garments.yaml", "{train: 12000, test: 2000}", "{train: 300, test: 100}")
        project.edit("params.yaml", "name: fashion_mnist", "name: garments")
        project.edit("params.yaml", "epochs: 10", "epochs: 2")
        project.edit("params.yaml", "replicates: 5", "replicates: 2")
        project.edit("params.yaml", "dpi: 100", "dpi: 50")
        return project

    def environment(self) -> dict[str, str]:
        return scrubbed() | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "COLUMNS": "200",
        }

    def copy_to(self, folder: Path) -> "Project":
        """Return a copy that a test may change."""
        return type(self)(shutil.copytree(self.folder, folder, symlinks=True))

    def ended(self, *command: str, below: str = ".", **environment: str) -> subprocess.CompletedProcess:
        """Run a command to its end in a folder of the project."""
        given = {"cwd": self.folder / below, "env": self.environment() | environment}
        return subprocess.run(command, **given, capture_output=True, encoding="utf-8", check=False)

    def run(self, *command: str) -> str:
        ended = self.ended(*command)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Start a command, both of its streams in one, in a group of processes of its own.

        It heeds SIGINT, which a shell that runs the tests in the background makes them ignore.
        """
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def repro(self) -> tuple[list[str], list[str]]:
        """Return the stages that ran and those that were restored from the run-cache, by what DVC prints."""
        printed = self.dvc("repro")
        return re.findall(r"^Running stage '(\w+)'", printed, re.M), re.findall(
            r"^Stage '(\w+)' is cached", printed, re.M
        )

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def lock(self) -> dict:
        return yaml.safe_load((self.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]

    def results(self) -> dict[str, bytes]:
        """Return the bytes of dvc.lock, of all outputs and of temporary files beside them."""
        made = (path for name in ("data", "reports") for path in (self.folder / name).rglob("*"))
        files = [path for path in (self.folder / "dvc.lock", *made) if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


def put(source: Path, outside: Path, place: str, tags: Sequence[str]) -> Path:
    """Put a project that is git's top folder into a place in a new folder; return where it is then.

    place: one of PLACES. A subfolder gets the commits of `tags` alone, with the tags; the workspace and the cache are
    those of `source` everywhere.
    """

    def git(*arguments: str, folder: Path = outside) -> None:
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        subprocess.run(command, cwd=folder, env=scrubbed(), check=True, capture_output=True)

    outside.mkdir()
    folder = outside / "teams/vision"
    if place == "worktree":
        shutil.copytree(source, outside / "main")
        git("worktree", "add", "--quiet", "-b", "other", str(folder), folder=outside / "main")
    elif place == "submodule":
        git("init", "--quiet")
        git("submodule", "--quiet", "add", str(source), "teams/vision")
        git("commit", "--quiet", "--message", "submodule")
    else:
        git("init", "--quiet")
        git("fetch", "--quiet", str(source), *(f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags))
        for tag in tags:
            git("read-tree", "--empty")
            git("read-tree", "--prefix=teams/vision/", tag)
            git("commit", "--quiet", "--message", tag)
            git("tag", "--force", tag)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".git", "tmp"), dirs_exist_ok=True)
    return folder
