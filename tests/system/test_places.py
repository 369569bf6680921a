"""Where people put the project: in a clone on Windows, and in a folder that was renamed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from tests import hermetic

ROOT = Path(__file__).parents[2]


def git(*arguments: str, folder: Path = ROOT) -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=hermetic.scrubbed(), check=True, stdout=subprocess.PIPE
    ).stdout


def blob(data: bytes) -> str:
    """Return the name by which git knows the bytes of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def names(listing: bytes) -> list[str]:
    return listing.decode("utf-8").split("\0")[:-1]


@pytest.mark.fault("a clone on Windows, with other line endings")
def test_a_clone_with_the_line_endings_of_windows_has_the_bytes_of_the_commit(tmp_path):
    """DVC hashes these bytes, so equal bytes mean that no stage runs again."""
    top, project = (git("rev-parse", option).decode().strip() for option in ("--show-toplevel", "--show-prefix"))
    git("clone", "--quiet", "-c", "core.autocrlf=true", top, str(tmp_path / "clone"))
    clone = tmp_path / "clone" / project
    entries = (entry.split("\t") for entry in names(git("ls-tree", "-r", "-z", "HEAD")))
    committed = {name: facts.split()[2] for facts, name in entries}

    assert git("rev-parse", "HEAD", folder=clone) == git("rev-parse", "HEAD")
    assert {"params.yaml", "dvc.lock", "reports/report.md", "stages/train/loop.py"} <= committed.keys()
    assert {name: blob((clone / name).read_bytes()) for name in committed} == committed
    assert git("status", "--porcelain", folder=clone) == b""


def test_pull_requests_fold_what_commands_make_and_show_what_people_read():
    tracked = names(git("ls-files", "-z"))
    fields = names(git("check-attr", "-z", "linguist-generated", "--", *tracked))
    folded = {name for name, value in zip(fields[::3], fields[2::3], strict=True) if value == "set"}

    assert folded >= {"dvc.lock", "requirements.lock", "requirements-dev.lock", "benchmarks/results.json"}
    assert {name for name in tracked if name.startswith("reports/")} - folded == {
        "reports/report.md",
        "reports/metrics.json",
    }
    assert {Path(name).suffix for name in folded} == {".lock", ".csv", ".json", ".png"}
    assert not [name for name in folded if name.startswith(("stages/", "tools/", "tests/", ".dvc/"))]


@pytest.mark.fault("a renamed folder, and PYTHONSAFEPATH")
def test_no_target_or_script_runs_a_program_of_the_environment_but_python():
    """The first line of pip's scripts, such as .venv/bin/pytest, is a path that a renamed folder does not have."""
    files = [name for name in names(git("ls-files", "-z")) if not name.startswith("tests/")]
    read = {name: (ROOT / name).read_bytes().decode("utf-8", "replace") for name in files if (ROOT / name).is_file()}
    run = {(name, call) for name in read for call in re.findall(r"(?:\.venv/bin|\$\(BIN\))/([\w.-]+)", read[name])}
    started = [
        name for name in read if name.endswith(".py") and re.search(r"""\[\s*["'](dvc|pytest)["'],""", read[name])
    ]

    assert {"Makefile", ".ci/kind", "README.md"} <= {name for name, _ in run}
    assert [(name, call) for name, call in run if call not in ("python", "activate")] == []
    assert started == []


def test_dvc_of_the_environment_is_run_by_the_python_beside_it(tmp_path):
    shutil.copy(ROOT / "tools/dvc", tmp_path)
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    by_name = {"PATH": os.pathsep.join([str(tmp_path), os.defpath])}

    for command, environment in ([str(tmp_path / "dvc")], {}), (["/usr/bin/env", "dvc"], by_name):
        ended = subprocess.run([*command, "exp", "run  -S"], env=environment, check=True, capture_output=True)
        assert ended.stdout == b"-m|dvc|exp|run  -S|"


STAGE = """
stages:
  make:
    cmd: python -m stub
    params: [seed]
    outs: [made]
"""


@pytest.mark.slow
@pytest.mark.fault("a renamed folder, and PYTHONSAFEPATH")
def test_in_a_renamed_folder_the_targets_and_the_queue_work(tmp_path):
    """In an environment that `make setup` made, though with the packages of this one."""
    before, after = tmp_path / "before", tmp_path / "after"
    for name in ("Makefile", "tools/path.pth", "tools/dvc"):
        hermetic.copy(ROOT / name, before / name)
        shutil.copymode(ROOT / name, before / name)
    ignored = ".venv\n/made\n/.dvc/tmp\n/.dvc/cache\n"
    texts = {"requirements-dev.lock": "", "dvc.yaml": STAGE, "params.yaml": "seed: 1\n", ".gitignore": ignored}
    stub = "import sys; open('made', 'w', encoding='utf-8').write(sys.prefix)"
    for name, text in {**texts, ".dvc/config": "", "stub.py": stub}.items():
        (before / name).parent.mkdir(exist_ok=True)
        (before / name).write_text(text, encoding="utf-8")
    environment = hermetic.scrubbed() | {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "PATH": os.defpath}
    environment |= {"PYTHONSAFEPATH": "1"}  # which the targets do without
    environment |= {"GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org"}
    environment |= {"GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org"}

    def run(*command: str, folder: Path = after) -> str:
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=120)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("make", "setup", f"PYTHON={sys.executable}", folder=before)
    (installed,) = before.glob(".venv/lib/python*/site-packages")
    (installed / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run("git", "init", "--quiet", folder=before)
    before.rename(after)

    assert "Nothing to be done" in run("make", "setup")
    run("make", "repro")
    assert (after / "made").read_text(encoding="utf-8") == str(after / ".venv")

    del environment["PYTHONSAFEPATH"]
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "run")
    dvc = (".venv/bin/python", "-m", "dvc")
    run(*dvc, "exp", "run", "--queue", "--set-param", "seed=2")
    run(*dvc, "queue", "start")
    try:
        end = time.monotonic() + 60
        while "Success" not in (status := run(*dvc, "queue", "status")) and time.monotonic() < end:
            time.sleep(1)
    finally:
        run(*dvc, "queue", "stop", "--kill")
    assert "Success" in status
