"""What the pipeline relies on DVC for, on a stage of a few lines.

Half an output of a failed stage is no result, a report edited by hand is restored, and stages run by DVC's own Python.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import Project

pytestmark = pytest.mark.slow

REPRO = (sys.executable, "-m", "dvc", "repro")
PIPELINE = """
stages:
  make:
    cmd: python stub.py
    deps: [stub.py, given]
    outs: [made]
    metrics: [{score.json: {cache: false}}]
"""
STUB = """
import os, signal, sys
from pathlib import Path

given = Path("given").read_text()
Path("made").mkdir(exist_ok=True)
Path("made/first").write_text(given)
exec(os.environ.get("HALFWAY", ""))
Path("made/second").write_text(given)
Path("score.json").write_text('{"score": 1}')
print(os.path.realpath(sys.prefix))
"""


@pytest.fixture
def project(tmp_path) -> Project:
    """The stage, run once and committed."""
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    for name, text in {"dvc.yaml": PIPELINE, "stub.py": STUB, "given": "one", ".gitignore": "/made\n"}.items():
        (project.folder / name).write_text(text, encoding="utf-8")
    project.git("init", "--quiet")
    project.dvc("init", "--quiet")
    project.dvc("repro")
    project.commit("run")
    return project


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("end", ["sys.exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"])
@pytest.mark.fault("a stage fails or is killed with half an output written")
def test_half_an_output_of_a_stage_that_fails_is_neither_recorded_nor_kept(project, end):
    recorded, cache = (project.folder / "dvc.lock").read_bytes(), project.folder / ".dvc/cache"
    kept = files(cache)
    (project.folder / "given").write_text("two", encoding="utf-8")

    with project.start(*REPRO, HALFWAY=end) as process:
        assert "failed to reproduce 'make'" in process.stdout.read()
    assert process.returncode == 255
    assert files(project.folder / "made") == {"first": b"two"}
    assert (project.folder / "dvc.lock").read_bytes() == recorded
    assert files(cache) == kept

    assert project.repro() == (["make"], [])
    assert files(project.folder / "made") == {"first": b"two", "second": b"two"}
    assert b"two" in files(cache).values()
    assert "up to date" in project.dvc("status")


@pytest.mark.fault("a report is edited by hand")
def test_a_report_edited_by_hand_is_seen_by_git_and_restored_without_a_run(project):
    whole = (project.folder / "score.json").read_bytes()
    (project.folder / "score.json").write_text('{"score": 2}', encoding="utf-8")
    assert project.git("diff", "--name-only") == "score.json\n"

    assert project.repro() == ([], ["make"])

    assert (project.folder / "score.json").read_bytes() == whole
    assert project.git("status", "--porcelain") == ""


@pytest.mark.parametrize("path", ["not set", "without a python", "with a foreign python"])
@pytest.mark.fault("DVC run by the path of Python, the environment not activated")
def test_stages_run_by_the_python_of_dvc_although_it_is_not_activated(project, tmp_path, path):
    """By tools/path.pth, which `make setup` puts into .venv."""
    environment = {"HOME": str(project.folder), "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    if path != "not set":
        (tmp_path / "bin").mkdir()
        environment["PATH"] = str(tmp_path / "bin")
    if path == "with a foreign python":
        (tmp_path / "bin/python").write_text("#!/bin/sh\nexit 77\n", encoding="utf-8")
        (tmp_path / "bin/python").chmod(0o755)

    ended = subprocess.run(
        [Path(sys.prefix) / "bin/python", "-m", "dvc", "repro", "--force"],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"\n{os.path.realpath(sys.prefix)}\n" in ended.stdout
