"""Whether git and DVC keep a data set, asked of real git and DVC."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.errors import InputError
from core.sources import kept
from tests.project import ROOT, scrubbed

ADD = (
    "dvc add sources/mine/a sources/mine/b.npz && git add datasets/mine.yaml sources/mine/a.dvc sources/mine/b.npz.dvc"
)


def run(command):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(command, shell=True, check=True, capture_output=True, env=scrubbed() | {"PATH": path})


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A project in a subfolder of a git repository, with the files of a data set that are not kept."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    project = tmp_path / "top/teams/vision"
    (project / "sources/mine/a").mkdir(parents=True)
    (project / "datasets").mkdir()
    for name in (".gitignore", ".dvcignore"):
        (project / name).write_bytes((ROOT / name).read_bytes())
    for name in ("a/1.png", "b.npz", "README.md", ".hidden"):
        (project / "sources/mine" / name).write_text(name, encoding="utf-8")
    (project / "datasets/mine.yaml").write_text("title: Mine\n", encoding="utf-8")
    monkeypatch.chdir(project)
    run("git init -q ../.. && dvc init -q --subdir && git commit -q -m init")
    return project


@pytest.mark.slow
@pytest.mark.fault("advice that leads back to itself")
def test_a_folder_that_dvc_keeps_as_a_whole_is_added_as_a_whole(mine):
    run("dvc add -q sources/mine && git add sources/mine.dvc datasets/mine.yaml")
    assert kept.command("mine") == ""

    (mine / "sources/mine/a/2.png").write_text("2", encoding="utf-8")
    line = kept.command("mine")

    assert line == "dvc add sources/mine && git add datasets/mine.yaml sources/mine.dvc"
    run(line)
    assert kept.command("mine") == ""


@pytest.mark.slow
@pytest.mark.fault("a queued run that would not see the files of a data set, or see them as they were")
def test_the_command_keeps_what_git_and_dvc_do_not_keep(mine, monkeypatch):
    assert kept.command("mine") == ADD
    run("git add . && git clean -fdq && git stash -u -q && git stash pop -q")
    assert (mine / "sources/mine/a/1.png").exists()  # though git does not keep it
    assert kept.command("mine") == ADD
    run(ADD)
    assert kept.command("mine") == ""
    run("git commit -q -m mine")
    assert kept.command("mine") == ""

    (mine / "sources/mine/a/2.png").write_text("new", encoding="utf-8")
    changed = kept.command("mine")
    assert changed.startswith("dvc add sources/mine/a && git add datasets/mine.yaml sources/mine/a.dvc ")
    copy = mine / ".dvc/tmp/exps/standalone/tmp1"  # the folder in which a queued run would work
    (copy / "teams/vision").mkdir(parents=True)
    run(f"git init -q {copy}")
    monkeypatch.chdir(copy / "teams/vision")
    with pytest.raises(
        InputError, match=r"^sources/mine: queued runs would miss files or changes .* fix: dvc add sources/mine/a "
    ):
        kept.require("mine")
    monkeypatch.chdir(mine)
    kept.require("mine")  # an ordinary run sees them
    run(changed)
    assert kept.command("mine") == ""


@pytest.mark.slow
def test_files_in_git_and_downloads_need_nothing(mine):
    run("git add -f datasets sources/mine/a sources/mine/b.npz")
    (mine / "datasets/far.yaml").write_text("title: Far\n", encoding="utf-8")

    assert kept.command("mine") == ""
    assert kept.command("far") == "git add datasets/far.yaml"
    assert kept.command("no_such") == ""


@pytest.mark.slow
def test_a_damaged_record_is_made_anew(mine):
    run(ADD)
    (mine / "sources/mine/a.dvc").write_text("outs: [", encoding="utf-8")

    assert kept.command("mine").startswith("dvc add sources/mine/a sources/mine/b.npz && ")


def test_without_git_there_is_no_queue(tmp_path, monkeypatch):
    (tmp_path / "sources/mine").mkdir(parents=True)
    (tmp_path / "sources/mine/a.npz").touch()
    monkeypatch.chdir(tmp_path)

    assert kept.command("mine") == ""
    monkeypatch.setenv("PATH", "")
    assert kept.command("mine") == ""
