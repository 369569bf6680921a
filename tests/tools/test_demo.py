"""The scratch copy and its params. `.ci/run` runs the demo itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.errors import InputError, StageError
from core.config import params
from tools import demo, scratch

ROOT = Path(__file__).parents[2]


def test_the_copy_has_all_of_the_pipeline_and_the_params_but_for_the_changes(tmp_path):
    scratch.copy(tmp_path / "copy", {"dataset.name": "garments", "train.epochs": 3})

    ours, theirs = params.load(tmp_path / "copy/params.yaml"), params.load(ROOT / "params.yaml")
    assert (ours.dataset.name, ours.train.epochs) == ("garments", 3)
    assert ours.train.model_copy(update={"epochs": theirs.train.epochs}) == theirs.train
    assert (ours.evaluate, ours.render) == (theirs.evaluate, theirs.render)
    copied = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    listed = subprocess.run(
        ["git", "ls-files", *scratch.PIPELINE], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(listed) > 30 and copied >= set(listed)


def test_bad_params_are_refused_before_an_earlier_demo_is_removed(tmp_path, monkeypatch):
    settings = json.dumps(params.load(ROOT / "params.yaml").model_dump()).replace("epochs", "epcohs")
    (tmp_path / "params.yaml").write_text(settings, encoding="utf-8")
    monkeypatch.setattr(scratch, "CHECKOUT", tmp_path)
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "build/demo")
    (tmp_path / "build/demo").mkdir(parents=True)

    with pytest.raises(InputError, match="did you mean epochs"):
        demo.main()

    assert (tmp_path / "build/demo").exists()


def test_a_failing_dvc_ends_the_demo_with_an_error(tmp_path, monkeypatch):
    """There is no such data set."""
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(demo, "DATASET", "nothing")

    with pytest.raises(StageError, match=r"^dvc repro: failed \(expected exit code 0, got 255\)"):
        demo.main()


@pytest.mark.fault("a Python without the packages")
def test_a_python_without_the_packages_is_told_so_in_one_line():
    """`-S` leaves site-packages out."""
    completed = subprocess.run(
        [sys.executable, "-S", "-m", "tools.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert completed.returncode == 1
    assert completed.stderr.startswith("error: python: lacks the project's packages (expected the python of ")
    assert completed.stderr.count("\n") == 1


@pytest.mark.fault("DVC run by the path of Python, the environment not activated")
def test_python_of_the_environment_comes_first_on_the_path(tmp_path):
    """tools/path.pth, run as Python runs it at its start, from a site folder."""
    (tmp_path / "path.pth").write_bytes((ROOT / "tools/path.pth").read_bytes())
    script = f"import os, site; site.addsitedir({str(tmp_path)!r}); print(os.environ['PATH'].split(os.pathsep)[0])"

    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert completed.stdout == f"{sys.prefix}/bin\n"
