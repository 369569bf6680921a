"""Fixtures: the project's YAML files in a temporary folder, a stage that runs there, and the contract of a failure."""

import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import hypothesis
import pytest

from core.cli import command
from core.files import arrays
from tests.project import ROOT, Project

COMMITTED = ("fashion_mnist", "garments", "mnist")  # the data sets in git; a user may have others in this checkout

# The same examples in every run, on fast and slow machines. Each example may overwrite the same file in tmp_path.
hypothesis.settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("project")


class Run(NamedTuple):
    """A finished command, and the bytes of each file in its folder before and after."""

    code: int
    stdout: str
    stderr: str
    before: dict[str, bytes]
    after: dict[str, bytes]


# error: <file or param>: <what> (expected X, got Y); fix: <what to do>
FAILURE = re.compile(r"error: \S.*?: \S.*?( \(expected .+, got .+\))?; fix: \S.*")
SCRATCH = ".dvc/tmp/"  # DVC's own; and a process that closes the file of a lock releases the lock


def snapshot(folder):
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(SCRATCH)}


def write_split(folder, split):
    """Write images.npy and labels.npy."""
    for name, array in split._asdict().items():
        arrays.write(folder / f"{name}.npy", array)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the committed params.yaml, cards and lock of Pillow, as the current folder."""
    for name in ("params.yaml", "requirements-pillow.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name in COMMITTED:
        for file in (f"datasets/{name}.yaml", f"sources/{name}/README.md"):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, tmp_path / file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edit(project):
    """A function that replaces the only occurrence of a text in a file of `project`."""
    return Project(project).edit


@pytest.fixture
def assign(project):
    """A function that sets a key of a file of `project`, such as `train.epochs`."""

    def assign(name, key, value):
        lines = (project / name).read_text(encoding="utf-8").splitlines()
        place = -1
        for depth, part in enumerate(key.split(".")):
            start = "  " * depth + part + ":"
            place = next(i for i in range(place + 1, len(lines)) if lines[i].startswith(start))
        end = place + 1
        while end < len(lines) and lines[end].startswith(("  " * (depth + 1), "  " * depth + "- ")):
            end += 1
        lines[place:end] = [f"{start} {value}"]
        (project / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return assign


@pytest.fixture
def run_stage(tmp_path):
    """A function that runs a module by its command line in `tmp_path`, without the user's settings for it."""

    def run_stage(module, *arguments, **environment):
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DATASET_MIRROR", "PYTHON")) and not name.upper().endswith("_PROXY")
        }
        own = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        before = snapshot(tmp_path)
        ended = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path,
            env=inherited | own | environment,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr, before, snapshot(tmp_path))

    return run_stage


@pytest.fixture
def run_here(tmp_path, capsys):
    """A function that runs a `main` in this process, in `tmp_path`."""

    def run_here(main, *arguments, declare=None):
        before = snapshot(tmp_path)
        with pytest.raises(SystemExit) as exit:
            command.run(main, declare, arguments)
        return Run(exit.value.code, *capsys.readouterr(), before, snapshot(tmp_path))

    return run_here


@pytest.fixture
def run_main(tmp_path, run_stage):
    """A function that runs lines of code as the `main` of a stage named stages.stub, in another process."""

    def run_main(*lines, first="", **environment):
        code = ["import os, resource, signal", "from pathlib import Path"]
        code += ["from core.cli import command", "from core.files import atomic"]
        code += ["def main():", *(f"    {line}" for line in lines)]
        code += [first, "__spec__.name = 'stages.stub.__main__'", "command.run(main)", ""]
        (tmp_path / "stub").mkdir(exist_ok=True)
        (tmp_path / "stub" / "__main__.py").write_text("\n".join(code), encoding="utf-8")
        return run_stage("stub", **environment)

    return run_main


@pytest.fixture
def assert_clean_failure():
    """A function that checks a run against the contract of a failure, given the exit code and every line of error.

    stderr holds only these lines, in the one form, printable. No file has changed, and no temporary file is left.
    """

    def assert_clean_failure(run, code, *lines):
        assert lines and run.stderr == "".join(f"{line}\n" for line in lines)
        assert run.code == code
        for line in lines:
            assert FAILURE.fullmatch(line) and line.isprintable(), line
        assert run.after == run.before

    return assert_clean_failure
