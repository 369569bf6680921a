"""Places where people put the project: a clone on Windows, a new machine, a renamed folder."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, copy, scrubbed


def git(*arguments: str, folder: Path = ROOT) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, env=scrubbed(), check=True, stdout=subprocess.PIPE).stdout


def blob(data: bytes) -> str:
    """Return the name that git gives to the bytes of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.mark.fault("a clone on Windows, with other line endings")
def test_a_clone_with_the_line_endings_of_windows_has_the_bytes_of_the_commit(tmp_path):
    """DVC hashes these bytes, so equal bytes mean that no stage runs again."""
    top, project = (git("rev-parse", option).decode().strip() for option in ("--show-toplevel", "--show-prefix"))
    git("clone", "--quiet", "-c", "core.autocrlf=true", top, str(tmp_path / "clone"))
    clone = tmp_path / "clone" / project
    entries = (entry.split("\t") for entry in git("ls-tree", "-r", "-z", "HEAD").decode().split("\0")[:-1])
    committed = {name: facts.split()[2] for facts, name in entries}

    assert {"params.yaml", "dvc.lock", "reports/report.md", "stages/train/loop.py"} <= committed.keys()
    assert {name: blob((clone / name).read_bytes()) for name in committed} == committed


def test_uv_is_installed_at_the_version_for_development():
    lock, development = ((ROOT / f"requirements-{name}.lock").read_text(encoding="utf-8") for name in ("uv", "dev"))

    assert lock.startswith("uv==") and lock in development


# A pipeline of one stage that writes the folder of the Python that runs it.
PROJECT = {
    "dvc.yaml": "stages: {make: {cmd: python -m stub, params: [seed], outs: [made]}}",
    "params.yaml": "seed: 1\n",
    "stub.py": "import sys; open('made', 'w', encoding='utf-8').write(sys.prefix)",
    ".gitignore": ".venv\n/made\n/.dvc/tmp\n/.dvc/cache\n",
    ".dvc/config": "",
    "requirements.lock": "",
    "requirements-dev.lock": "",
    "requirements-uv.lock": "",
}


@pytest.mark.slow
@pytest.mark.fault("a renamed folder, and PYTHONSAFEPATH")
def test_targets_install_what_they_need_and_work_in_a_renamed_folder(tmp_path):
    """The locks are empty: .venv gets the packages of this environment by a path file, so that no network is needed."""
    project, renamed = tmp_path / "before", tmp_path / "after"
    for name in ("Makefile", "tools/path.pth", "tools/dvc"):
        copy(ROOT / name, project / name)
        shutil.copymode(ROOT / name, project / name)
    for name, text in PROJECT.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    environment = scrubbed() | {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "PATH": os.defpath}

    def run(*command: str, **variables: str) -> str:
        ended = subprocess.run(
            command, cwd=project, env=environment | variables, capture_output=True, encoding="utf-8", timeout=120
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run(sys.executable, "-m", "venv", ".venv")
    (installed,) = project.glob(".venv/lib/python*/site-packages")
    (installed / "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run("git", "init", "--quiet")

    first = run("make", "repro", f"PYTHON={sys.executable}", PYTHONSAFEPATH="1")  # which targets do without
    assert "Installing requirements.lock" in first and "requirements-dev.lock" not in first
    assert (project / "made").read_text(encoding="utf-8") == str(project / ".venv")
    (project / ".venv/runtime").unlink()  # as in a new .venv
    assert "Installing requirements-dev.lock" in run("make", "setup")

    project = project.rename(renamed)
    assert "Nothing to be done" in run("make", "setup")
    assert "Installing" not in run("make", "repro")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "run")
    dvc = (".venv/bin/python", "-m", "dvc")
    run(*dvc, "exp", "run", "--queue", "--set-param", "seed=2")
    run(*dvc, "exp", "run", "--run-all")
    assert "Success" in run(*dvc, "queue", "status")


@pytest.mark.slow
@pytest.mark.parametrize("path", ["not set", "with a foreign python"])
@pytest.mark.fault("DVC run by the path of Python, the environment not activated")
def test_stages_run_by_the_python_of_dvc_although_it_is_not_activated(tmp_path, path):
    """By tools/path.pth, which `make setup` puts into .venv."""
    environment = {"HOME": str(tmp_path), "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    for name in ("dvc.yaml", "params.yaml", "stub.py"):
        (tmp_path / name).write_text(PROJECT[name], encoding="utf-8")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\nno_scm = true\n", encoding="utf-8")
    if path != "not set":
        (tmp_path / "bin").mkdir()
        environment["PATH"] = str(tmp_path / "bin")
    if path == "with a foreign python":
        (tmp_path / "bin/python").write_text("#!/bin/sh\nexit 77\n", encoding="utf-8")
        (tmp_path / "bin/python").chmod(0o755)

    command = [Path(sys.prefix) / "bin/python", "-m", "dvc", "repro"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert os.path.realpath((tmp_path / "made").read_text(encoding="utf-8")) == os.path.realpath(sys.prefix)


def test_the_dev_container_takes_the_steps_of_the_front_page():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    command = container["postCreateCommand"]
    python = re.fullmatch(r"python:3\.(\d+)", container["image"])

    assert f"\n{command} " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert 10 <= int(python[1]) <= 13


def test_the_citation_has_the_version_and_the_date_of_the_last_release():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert f'\nversion = "{citation["version"]}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    released = re.findall(r"\n## \[(\d.*?)\] - (.*)\n", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert released[0] == (citation["version"], str(citation["date-released"]))
