"""Users' own pictures: a change of one picture is what DVC names, and any number of classes gives a report."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.project import ALL, Project

PIPELINE = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text(encoding="utf-8"))
CLASSES = ("a", "build")  # DVC leaves out the folder build of the project, and no other
CARD = "title: Own\ndescription: noise\nlicence: none\nformat: pictures\n"

pytestmark = pytest.mark.slow


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, (28, 28, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def trained(baseline, tmp_path_factory) -> Project:
    """The pipeline, run on 60 colour pictures of two classes."""
    project = baseline.copy_to(tmp_path_factory.mktemp("own") / "project")
    for number in range(60):
        split = "test" if number % 4 == 3 else "train"
        save(project.folder / f"sources/own/pictures/{split}/{CLASSES[number % 8 // 4]}/{number}.png", number)
    (project.folder / "datasets/own.yaml").write_text(CARD, encoding="utf-8")
    project.edit("params.yaml", "name: garments", "name: own")
    assert project.repro() == (ALL, [])
    return project


@pytest.fixture
def own(trained, tmp_path) -> Project:
    """A copy that a test may change."""
    return trained.copy_to(tmp_path / "project")


def changed(project: Project) -> list[str]:
    """Return the stages whose dependencies have changed, by what DVC prints."""
    return re.findall(r"^(\w+):\n\tchanged deps:", project.dvc("status"), re.M)


def test_a_picture_that_is_added_replaced_or_removed_is_what_dvc_names(own):
    folder = own.folder / "sources/own/pictures"

    def counts() -> list[int]:
        return [len(np.load(own.folder / f"data/normalized/{split}/labels.npy")) for split in ("train", "test")]

    assert (counts(), changed(own)) == ([45, 15], [])
    report = (own.folder / "reports/report.md").read_bytes()
    save(folder / "train/a/more.png", 100)
    assert changed(own) == ["download"]
    assert own.repro() == (ALL[1:], [])
    assert (counts(), changed(own)) == ([46, 15], [])
    assert (own.folder / "reports/report.md").read_bytes() != report

    save(folder / "train/a/more.png", 101)
    assert changed(own) == ["download"]
    assert re.findall(r"Running stage '(\w+)'", own.dvc("repro", "normalize")) == ["download", "normalize"]
    assert counts() == [46, 15]

    (folder / "test/build/7.png").unlink()
    assert changed(own)[0] == "download"
    assert re.findall(r"Running stage '(\w+)'", own.dvc("repro", "normalize")) == ["download", "normalize"]
    assert counts() == [46, 14]


def test_a_renamed_picture_changes_no_result(own):
    """DVC sees another folder; the pictures, sorted by their pixels, are the same."""
    before = own.lock()["download"]["outs"], own.results() | {"dvc.lock": b""}
    folder = own.folder / "sources/own/pictures/train/a"
    (folder / "0.png").rename(folder / "renamed.png")

    assert own.repro() == (["download"], [])
    assert (own.lock()["download"]["outs"], own.results() | {"dvc.lock": b""}) == before


@pytest.mark.parametrize(("classes", "shape"), [(1, (9, 5)), (256, (6, 7)), (3, (8, 7, 3))])
@pytest.mark.fault("one class, 256 of them, images that are not square")
def test_any_number_of_classes_and_any_size_give_a_report(project, assign, run_stage, classes, shape):
    chance = np.random.RandomState(0)
    for label in range(classes):
        pattern = chance.randint(0, 200, shape)
        for split, count in (("train", 6), ("test", 3)):
            folder = project / "sources/own" / split / f"class {label:03}"
            folder.mkdir(parents=True)
            for number in range(count):
                image = pattern + chance.randint(0, 56, shape)
                Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
    (project / "datasets/own.yaml").write_text(CARD, encoding="utf-8")
    shutil.copy(Path(__file__).parents[2] / "requirements.lock", project)
    for key, value in {
        **{"dataset.name": "own", "train.epochs": 3, "train.replicates": 2, "train.batch_size": 4},
        **{"evaluate.single_image": 1, "render.examples": [0, 1], "render.dpi": 50},
    }.items():
        assign("params.yaml", key, str(value))

    for stage in ALL:
        command = PIPELINE["stages"][stage]["cmd"].replace("${dataset.name}", "own")
        ended = run_stage(*command.removeprefix("python -m ").split())
        assert ended.code == 0, ended.stderr

    test = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))["test"]
    assert len(Path("reports/classes.csv").read_text(encoding="utf-8").splitlines()) == 1 + classes
    if classes == 1:
        ensemble = {"ensemble_accuracy": 1, "ensemble_loss": 0}
        assert test == {"accuracy": 1, "accuracy_std": 0, "ece": 0, "loss": 0} | ensemble
    else:
        assert test["accuracy"] > 0.5
    assert np.load("data/normalized/train/images.npy").shape == (6 * classes, *shape)
    assert Path("reports/figures/confusion.png").stat().st_size > 1000
