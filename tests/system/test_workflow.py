"""The workflow for pull requests: its shell steps run here, in a clone of a small project, as far as they can.

GitHub's expressions, its command line and the upload of artifacts are replaced. `make check` checks the file by
GitHub's schema.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, Project

pytestmark = pytest.mark.slow

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
# `gh` records its arguments and the comment; `make` takes this environment for one that is installed.
GH = """#!/bin/sh
echo "$@" >> "$COMMENTS/arguments"
cp "$5" "$COMMENTS/body"
"""
MAKE = f"""#!/bin/sh
exec {shutil.which("make")} -o .venv/runtime "$@"
"""


class Runner(Project):
    """A checkout on a machine of GitHub's, with an event."""

    def __init__(self, folder: Path, base: str, environment: dict[str, str]):
        super().__init__(folder)
        self.variables = environment
        self.expressions = {
            "github.event.pull_request.base.sha": base,
            "github.event.pull_request.number": "7",
            "github.token": "token",
        }

    def environment(self) -> dict[str, str]:
        return super().environment() | self.variables

    def value(self, text: str) -> str:
        """Return a text with the values of its expressions."""
        return re.sub(r"\$\{\{ *(.+?) *\}\}", lambda found: self.expressions[found[1]], text)

    def step(self, step: dict) -> int:
        """Run a step, and return its exit code."""
        if "run" in step:
            given = {name: self.value(text) for name, text in step.get("env", {}).items()}
            command = ["bash", "-e", "-c", self.value(step["run"])]
            return subprocess.run(command, cwd=self.folder, env=self.environment() | given, check=False).returncode
        if step["uses"].startswith("actions/upload-artifact@"):
            exists = (self.folder / step["with"]["path"]).is_file()
            address = f"https://example.org/{step['with']['name']}" if exists else ""
            self.expressions[f"steps.{step['id']}.outputs.artifact-url"] = address
        return 0


@pytest.fixture
def runner(baseline, tmp_path):
    """A clone of the small project, the base of a pull request, with the cache of the project."""
    folder, site = tmp_path / "clone", tmp_path / "stubs"
    baseline.git("clone", "--quiet", ".", str(folder))
    for name, text in (("gh", GH), ("make", MAKE)):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
        (site / name).chmod(0o755)
    (folder / ".venv").symlink_to(sys.prefix)
    for script in (folder / ".ci").iterdir():
        script.chmod(0o755)  # the small project has no modes
    ours = {
        "PATH": os.pathsep.join([str(site), baseline.environment()["PATH"]]),
        "COMMENTS": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    Project(folder).commit("modes")
    clone = Runner(folder, Project(folder).git("rev-parse", "HEAD").strip(), ours)
    clone.dvc("cache", "dir", "--local", str(baseline.folder / ".dvc/cache"))
    return clone


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("params.yaml", "epochs: 2", "epochs: 3", "**No evidence of a change: accuracy of one network, "),
        ("datasets/garments.yaml", "test: 100", "test: 110", "error: data/normalized/test: base-"),
    ],
)
def test_a_pull_request_gets_a_comment_with_the_verdict_or_the_refusal(runner, tmp_path, name, old, new, says):
    runner.edit(name, old, new)
    runner.commit("a change")
    runner.variables["GITHUB_SHA"] = head = runner.git("rev-parse", "HEAD").strip()
    runner.expressions["github.event.pull_request.head.sha"] = head
    *steps, last = WORKFLOW["jobs"]["reproduce"]["steps"]

    codes = [runner.step(step) for step in steps]

    assert codes == [0] * len(steps)
    assert runner.step(last) == 1  # the accuracy of the real data set
    comment = (tmp_path / "body").read_text(encoding="utf-8")
    assert says in comment
    arguments = (tmp_path / "arguments").read_text(encoding="utf-8").split()
    assert arguments == ["pr", "comment", "7", "--body-file", "build/comment.md", "--edit-last", "--create-if-none"]
    assert (tmp_path / "summary").read_text(encoding="utf-8") == comment
    links = re.findall(r"\]\((https:.*?)\)", comment)
    compared = not says.startswith("error: ")
    assert links == [f"https://example.org/{name}" for name in ("comparison", "changed-images") if compared]
    assert (runner.folder / "build/compare.html").exists() == compared
    assert (f"\nnew: revision this-pull-request-{head[:7]} (" in comment and "train.epochs" in comment) or not compared


@pytest.mark.fault("a wrong name of the base in .ci/compare")
def test_a_comparison_that_fails_leaves_no_comment_and_one_that_succeeds_names_its_files(runner):
    (runner.folder / "build").mkdir()
    (runner.folder / "build/comment.md").write_text("of an earlier pull request", encoding="utf-8")

    wrong = runner.ended(".ci/compare", "nonsense")
    assert wrong.returncode == 2 and "unknown Git revision 'nonsense'" in wrong.stderr
    assert not (runner.folder / "build/comment.md").exists()
    runner.dvc("repro")
    right = runner.ended(".ci/compare", "HEAD")
    assert (right.returncode, right.stdout) == (0, "build/comment.md\nbuild/compare.html\n")
