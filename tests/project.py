"""The pipeline in a folder of its own, under real DVC and git: what tests of the whole share."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
COPIED = (
    "requirements.lock",
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
        shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
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
