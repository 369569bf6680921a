"""The pipeline, run once by DVC on a few drawn pictures for all tests here, and copies that a test may change."""

import pytest

from tests.project import ALL, Project


@pytest.fixture(scope="session")
def baseline(tmp_path_factory) -> Project:
    """The pipeline, run and committed; a test leaves it as it is."""
    project = Project.tiny(tmp_path_factory.mktemp("baseline") / "project")
    project.git("init", "--quiet")
    project.commit("pipeline")
    assert project.repro() == (ALL, [])
    project.commit("run")
    return project


@pytest.fixture
def pipeline(baseline, tmp_path) -> Project:
    """A copy of the baseline that a test may change."""
    return baseline.copy_to(tmp_path / "project")
