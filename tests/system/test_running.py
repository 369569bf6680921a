"""python -m tools.compare --run, on the real pipeline."""

import json
import re
import sys

import pytest

from tests.project import Project

pytestmark = pytest.mark.slow


def compare(project, *arguments):
    """Return stdout and stderr of the tool; without the plan, which has seconds."""
    command = [sys.executable, "-m", "tools.compare", "HEAD~1", "HEAD", "--format", "json", *arguments]
    ended = project.ended(*command)
    found = json.loads(ended.stdout)
    del found["plan"]
    return found, ended.stderr


@pytest.mark.fault("a fresh clone without a remote, which has no predictions")
def test_a_fresh_clone_reaches_the_verdict_of_the_checkout_in_which_both_commits_ran(pipeline):
    pipeline.edit("params.yaml", "epochs: 2", "epochs: 3")
    pipeline.repro()
    pipeline.commit("another epoch")
    clone = Project(pipeline.folder.parent / "clone")
    pipeline.git("clone", "--quiet", ".", str(clone.folder))

    expected, _ = compare(pipeline)
    found, progress = compare(clone, "--run")

    assert found == expected
    first, second = [line for line in progress.splitlines() if ": " in line and "training" in line and "HEAD" in line]
    assert first.endswith(": training time unknown, as no such networks were trained in this clone")
    assert re.search(r": training alone takes about \d+ seconds?, or no time if DVC's cache has the networks$", second)
    assert clone.git("status", "--porcelain") == "" and len(clone.git("worktree", "list").splitlines()) == 1
    assert compare(clone)[0]["accuracy"] == expected["accuracy"]  # the same bytes: later comparisons need no run
