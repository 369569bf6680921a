"""The pipeline in a folder of its own, under real DVC and git: what tests of the whole share."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests import hermetic

ROOT = Path(__file__).parents[1]
COPIED = (
    "requirements.lock",
    "requirements-pillow.lock",
    "dvc.yaml",
    "params.yaml",
    "datasets.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvc/plots/curves.json",
    ".dvc/plots/reliability.json",
    ".dvc/plots/classes.json",
)
PLACES = ("subfolder", "submodule", "worktree")
ALL = ["validate", "download", "normalize", "train", "evaluate", "render"]


class Project:
    """A copy of the pipeline in a git repository of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def copied(cls, folder: Path) -> "Project":
        """Copy what is committed of the pipeline, but for what earlier runs have left."""
        for name in COPIED:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
        for floor in ("core", "stages"):
            shutil.copytree(ROOT / floor, folder / floor, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(folder)

    def environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
        return environment | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site"),
            "COLUMNS": "200",
        }

    def run(self, *command: str) -> str:
        completed = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, encoding="utf-8", check=False
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout + completed.stderr

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Start a command, both of its streams in one, in a group of processes of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return self.run("git", *identity, *arguments)

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
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in [self.folder / "dvc.lock", *self.folder.glob("reports/**/*")]
            if path.is_file()
        }


def put(source: Path, outside: Path, place: str, tags: Sequence[str]) -> Path:
    """Put a project that is git's top folder into a place in a new folder; return where it is then.

    place: one of PLACES. A subfolder gets the commits of `tags` alone, with the tags; the workspace and the cache are
    those of `source` everywhere.
    """

    def git(*arguments: str, folder: Path = outside) -> None:
        own = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always")
        subprocess.run(["git", *own, *arguments], cwd=folder, env=hermetic.scrubbed(), check=True, capture_output=True)

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
