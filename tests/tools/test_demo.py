"""The scratch copy and its params. `.ci/run` runs the demo itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import params
from stages.command import InputError
from tools import demo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "SCRATCH", tmp_path / "demo")
    monkeypatch.setattr(demo, "CHECKOUT", tmp_path)
    for name in (*demo.PIPELINE, "params.yaml"):
        demo._copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_copy_has_all_of_the_pipeline_and_the_params_but_for_the_data_set(scratch, monkeypatch, capsys):
    called = []

    def dvc(*arguments):
        called.append(arguments)
        if arguments == ("repro",):
            (scratch / "demo/reports").mkdir()
            (scratch / "demo/reports/metrics.json").write_text('{"test": {"accuracy": 0.875}}', encoding="utf-8")

    monkeypatch.setattr(demo, "_dvc", dvc)

    demo.main()

    assert called == [("config", "--local", "core.no_scm", "true"), ("repro",)]
    ours, theirs = params.load(scratch / "demo/params.yaml"), params.load(ROOT / "params.yaml")
    assert ours.dataset.name == "garments"
    assert ours.model_copy(update={"dataset": theirs.dataset}) == theirs
    copied = {path.relative_to(scratch / "demo") for path in (scratch / "demo/stages").rglob("*") if path.is_file()}
    listed = subprocess.run(["git", "ls-files", "stages"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert {path.as_posix() for path in copied} >= set(listed.stdout.splitlines())
    assert capsys.readouterr().out.splitlines()[-1] == (
        "test accuracy 0.8750 on garments, synthetic pictures; report: demo/reports/report.md"
    )


def test_bad_params_are_refused_before_an_earlier_demo_is_removed(scratch):
    (scratch / "demo").mkdir()
    settings = json.dumps(params.load(ROOT / "params.yaml").model_dump()).replace("epochs", "epcohs")
    (scratch / "params.yaml").write_text(settings, encoding="utf-8")

    with pytest.raises(InputError, match="did you mean epochs"):
        demo.main()

    assert (scratch / "demo").exists()


def test_a_failing_dvc_ends_the_demo_in_one_line(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = "from tools import demo; from pathlib import Path; from stages import command\n"
    script += f"demo.SCRATCH = Path({str(tmp_path)!r})\ndef main():\n    demo._dvc('repro')\n"
    script += "from importlib.machinery import ModuleSpec; __spec__ = ModuleSpec('tools.demo', None)\ncommand.run(main)"

    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert completed.returncode == 1
    assert completed.stderr.splitlines()[-1].startswith("error: dvc repro: failed (expected exit code 0, got ")


def test_a_python_without_the_packages_is_told_so_in_one_line():
    """`-S` leaves site-packages out."""
    completed = subprocess.run(
        [sys.executable, "-S", "-m", "tools.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert completed.returncode == 1
    assert completed.stderr.startswith("error: python: this one lacks the project's packages (expected the python of ")
    assert completed.stderr.count("\n") == 1


def test_python_of_the_environment_comes_first_on_the_path(tmp_path):
    """tools/path.pth, run as Python runs it at its start, from a site folder."""
    (tmp_path / "path.pth").write_bytes((ROOT / "tools/path.pth").read_bytes())
    script = f"import os, site; site.addsitedir({str(tmp_path)!r}); print(os.environ['PATH'].split(os.pathsep)[0])"

    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert completed.stdout == f"{sys.prefix}/bin\n"
