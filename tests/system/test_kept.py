"""Queued and --temp runs of DVC on a data set of one's own: refused unless they see the files as they are."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.sources import kept
from stages.download import garments
from tests.project import Project

CARD = """title: Mine
description: of the tests
licence: none
image_shape: [28, 28]
test_fraction: 0.3
format: pictures
"""
LINE = "dvc add sources/mine/pictures && git add datasets/mine.yaml sources/mine/pictures.dvc"


@pytest.fixture
def own(tmp_path):
    """The project with sixty pictures of two classes, which nothing keeps yet."""
    project = Project.tiny(tmp_path / "project")
    project.edit("params.yaml", "name: garments", "name: mine")
    project.git("init", "--quiet")
    for key, value in (("name", "test"), ("email", "test@example.org")):
        project.git("config", f"user.{key}", value)
    project.commit("pipeline")
    (project.folder / "datasets/mine.yaml").write_text(CARD, encoding="utf-8")
    add(project, 60, seed=0)
    return project


def add(project, count, seed):
    images, labels = garments.draw(count, seed=seed, split="train")
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = project.folder / f"sources/mine/pictures/{'ab'[label % 2]}/{seed}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def temp(project, *arguments):
    """Return the error line of a --temp run of the first stages, or nothing."""
    command = (sys.executable, "-m", "dvc", "exp", "run", "--temp", *arguments, "normalize")
    ended = project.ended(*command)
    printed = ended.stdout + ended.stderr
    lines = re.findall("^error: (.*)$", printed, re.M)
    assert len(lines) == bool(ended.returncode), printed
    return "".join(lines)


def sweep(project):
    """Return the error line of make sweep."""
    command = ("make", "--silent", "-o", ".venv/runtime", "sweep", f"BIN={Path(sys.executable).parent}")
    ended = project.ended(*command)
    assert ended.returncode and ended.stdout == ""
    return ended.stderr.splitlines()[0]


@pytest.mark.slow
@pytest.mark.fault("a queued run on pictures that nothing keeps, or that changed after dvc add")
def test_runs_that_would_not_see_the_pictures_are_refused_until_the_printed_line_has_run(own):
    refusal = "sources/mine: queued runs would miss files or changes that git and DVC do not track; fix: "
    assert temp(own) == f"{refusal}{LINE}; {kept.AGAIN}"
    assert sweep(own) == f"error: {refusal}{LINE}; {kept.AGAIN}"
    assert "No experiment tasks in the queue" in own.dvc("queue", "status")
    own.run("sh", "-ec", LINE)
    assert temp(own) == ""
    own.git("commit", "--quiet", "--all", "--message", "mine")
    assert own.dvc("repro", "normalize").count("Running stage") == 0  # restored from the run-cache

    add(own, 10, seed=1)
    # One param has changed, so only `validate` runs: the old pictures fit dvc.lock.
    assert temp(own, "-S", "train.seed=1") == f"{refusal}{LINE}; {kept.AGAIN}"
    own.run("sh", "-ec", LINE)
    # The pictures have changed, and the params have not: so `download` runs.
    add(own, 10, seed=2)
    assert temp(own) == f"{refusal}{LINE}; {kept.AGAIN}"
    own.run("sh", "-ec", LINE)
    assert temp(own) == ""
    own.dvc("repro", "normalize")
    images = [len(np.load(own.folder / f"data/raw/{split}/labels.npy")) for split in ("train", "test")]
    assert sum(images) == 80


@pytest.mark.slow
@pytest.mark.fault("pictures that a clone or a queued run lacks")
def test_pictures_travel_by_a_remote_and_into_the_queue(own, tmp_path):
    own.run("sh", "-ec", LINE)
    own.dvc("remote", "add", "--default", "team", str(tmp_path / "remote"))
    own.commit("mine")
    own.dvc("push")
    clone = Project(tmp_path / "clone")
    own.git("clone", "--quiet", str(own.folder), str(clone.folder))
    for key, value in (("name", "test"), ("email", "test@example.org")):
        clone.git("config", f"user.{key}", value)
    clone.dvc("pull", "sources/mine/pictures")
    assert len(list((clone.folder / "sources/mine/pictures").rglob("*.png"))) == 60

    clone.dvc("exp", "run", "--queue", "-S", "train.seed=1,2", "normalize")
    assert clone.dvc("exp", "run", "--run-all", "-j", "2").count("Failed") == 0
    assert clone.dvc("queue", "status").count("Success") == 2
