"""Cards and the files of a data set under real DVC: what reruns, what is refused, and what stays."""

import gzip
import re

import numpy as np
import pytest

from tests.layouts import idx_file
from tests.project import Project

pytestmark = pytest.mark.slow

CARD = "title: Own\ndescription: noise\nlicence: none\nclasses: [bag, hat]\nformat: idx\n"
COUNTS = {"train": 60, "t10k": 20}


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(idx_file(array), mtime=0)


def images(split: str) -> bytes:
    return idx(np.random.RandomState(len(split)).randint(0, 256, (COUNTS[split], 28, 28), np.uint8))


@pytest.fixture(scope="module")
def own(baseline, tmp_path_factory) -> Project:
    """The pipeline, with a data set of one's own that has been read and normalized."""
    pipeline = baseline.copy_to(tmp_path_factory.mktemp("own") / "project")
    (folder := pipeline.folder / "sources/own").mkdir()
    for split, count in COUNTS.items():
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(images(split))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(count, dtype=np.uint8) % 2))
    (pipeline.folder / "datasets/own.yaml").write_text(CARD, encoding="utf-8")
    pipeline.edit("params.yaml", "name: garments", "name: own")
    pipeline.dvc("repro", "normalize")
    pipeline.commit("own data set")
    return pipeline


@pytest.fixture
def project(own, tmp_path) -> Project:
    """A copy that a test may change."""
    return own.copy_to(tmp_path / "project")


def data(project: Project) -> dict[str, bytes]:
    """Return what the pipeline made, but for the stamp of `validate`."""
    return {name: made for name, made in project.results().items() if name not in ("dvc.lock", "data/validated")}


def refusal(project: Project, *command: str) -> str:
    """Run a command of DVC that must fail, and return what it prints."""
    with pytest.raises(AssertionError) as caught:
        project.dvc(*command)
    return str(caught.value)


@pytest.mark.fault("a bad card, a misspelt name, files that are not there: refused before anything is deleted")
def test_missing_files_are_named_before_anything_is_deleted(project):
    """test_pipeline.py does the same for slips in a file."""
    before = data(project)
    (project.folder / "datasets/new.yaml").write_text(CARD, encoding="utf-8")
    project.edit("params.yaml", "name: own", "name: new")

    fix = "put the files of new there, or dvc pull"
    assert f"error: sources/new: no such folder; fix: {fix}" in refusal(project, "repro")
    assert {"data/raw/train/images.npy", "data/normalized/train/images.npy", "reports/report.md"} <= before.keys()
    assert data(project) == before


@pytest.mark.fault("the folder of the chosen data set is moved away after a good run")
def test_a_folder_that_is_moved_away_and_back_costs_nothing(project):
    """DVC has deleted what the stage `download` made when it misses the folder, and has a copy of it."""
    before, place = data(project), project.folder / "sources/own"
    place.rename(project.folder.parent / "own")

    assert f"failed to reproduce 'download': [Errno 2] No such file or directory: '{place}'" in refusal(
        project, "repro", "normalize"
    )
    raw = {name for name in before if name.startswith("data/raw/")}
    assert data(project) == {name: content for name, content in before.items() if name not in raw}

    (project.folder.parent / "own").rename(place)
    assert "Running" not in project.dvc("repro", "normalize")
    assert data(project) == before


def test_an_experiment_may_choose_another_data_set(project):
    assert "no such data set: did you mean garments?" in refusal(project, "exp", "run", "-S", "dataset.name=garmnts")

    project.dvc("exp", "run", "-S", "dataset.name=garments", "--", "normalize")

    (loaded,) = np.load(project.folder / "data/normalized/test/images.npy").shape[:1]
    assert loaded == 100


def test_nothing_of_a_card_is_a_column_of_experiments(project):
    columns = project.dvc("exp", "show", "--csv").splitlines()[0].split(",")

    assert "dataset.name" in columns
    assert not [name for name in columns if re.search("title|licence|mirrors|sha256|yaml:", name)]
