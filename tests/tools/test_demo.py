"""The scratch copy of the pipeline. `.ci/run` runs the demo itself."""

import subprocess

import pytest

from core.cli.errors import InputError, StageError
from core.config import params
from tests.project import ROOT
from tools import demo, scratch


def test_the_copy_has_the_whole_pipeline_and_the_other_params_and_replaces_an_earlier_copy(tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/earlier").touch()

    scratch.copy(tmp_path / "copy", {"dataset.name": "garments", "train.epochs": 3})

    ours, theirs = params.load(tmp_path / "copy/params.yaml"), params.load(ROOT / "params.yaml")
    assert (ours.dataset.name, ours.train.epochs) == ("garments", 3)
    assert ours.train.model_copy(update={"epochs": theirs.train.epochs}) == theirs.train
    assert (ours.evaluate, ours.render) == (theirs.evaluate, theirs.render)
    copied = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    listed = subprocess.check_output(["git", "ls-files", *scratch.PIPELINE], cwd=ROOT, text=True).splitlines()
    assert copied >= set(listed) and "earlier" not in copied


def test_the_copy_has_the_files_of_the_chosen_data_set_and_a_folder_for_each_other(tmp_path, project, monkeypatch):
    for name in scratch.PIPELINE:
        if not (project / name).exists():
            (project / name).parent.mkdir(exist_ok=True)
            (project / name).touch()
    (project / "datasets/own.yaml").touch()
    (project / "sources/own/pictures").mkdir(parents=True)
    (project / "sources/own/pictures/1.png").write_bytes(b"a picture")
    monkeypatch.setattr(scratch, "CHECKOUT", project)

    scratch.copy(tmp_path / "own", {"dataset.name": "own"})
    scratch.copy(tmp_path / "other", {"dataset.name": "garments"})

    assert (tmp_path / "own/sources/own/pictures/1.png").read_bytes() == b"a picture"
    folders = {"sources/fashion_mnist", "sources/garments", "sources/mnist", "sources/own"}
    for copied in ("own", "other"):
        found = {path.relative_to(tmp_path / copied).as_posix() for path in (tmp_path / copied / "sources").iterdir()}
        assert found == folders
    assert list((tmp_path / "other/sources/own").iterdir()) == []


def test_bad_params_are_refused_before_an_earlier_demo_is_removed(tmp_path, monkeypatch):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("epochs:", "epcohs:", 1), encoding="utf-8")
    monkeypatch.setattr(scratch, "CHECKOUT", tmp_path)
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "build/demo")
    (tmp_path / "build/demo").mkdir(parents=True)

    with pytest.raises(InputError, match="did you mean epochs"):
        demo.main()

    assert (tmp_path / "build/demo").exists()


def test_a_data_set_that_needs_files_is_refused_before_an_earlier_demo_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FOLDER", tmp_path)
    (tmp_path / "earlier").touch()

    with pytest.raises(InputError, match=r"not embedded \(expected garments_colour or garments, got mnist\)"):
        demo.main("mnist")

    assert (tmp_path / "earlier").exists()


def test_a_failure_of_dvc_is_an_error_of_the_demo(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    monkeypatch.setattr(demo, "DATASETS", ("nothing",))

    with pytest.raises(StageError, match=r"^dvc repro: failed \(expected exit code 0, got 255\)"):
        demo.main("nothing")
