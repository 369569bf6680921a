"""Every `fix:` is tried, as in test_advice.py: here those that need a run of the pipeline, git or DVC.

Damage keeps sizes and times, so that DVC does not notice it.
"""

import json
import os
import shutil
import sys

import pytest
import yaml

from tests.project import ROOT, Project

pytestmark = pytest.mark.slow

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
STAGE = {name: stage["cmd"].removeprefix("python -m ") for name, stage in PIPELINE.items()}


class Checkout(Project):
    """The pipeline, in which tools and stages are run as a user runs them; its home is a folder of its own."""

    def environment(self) -> dict[str, str]:
        ours = {name: value for name, value in super().environment().items() if name not in VARIABLES}
        return ours | {"HOME": str(self.folder.parent), "PYTHONPATH": str(ROOT)}

    def lines(self, command: str, **environment: str) -> list[str]:
        """Return the error lines of a stage or a tool."""
        ended = self.ended(sys.executable, "-m", *command.split(), **environment)
        lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        assert bool(ended.returncode) == bool(lines), ended.stdout + ended.stderr
        return lines

    def follow(self, line: str) -> None:
        """Run the command that is the fix of a line."""
        self.run("sh", "-c", line.partition("; fix: ")[2])

    def damage(self, name: str) -> None:
        """Change the first byte of a file, here and in DVC's cache."""
        path = self.folder / name
        before, status = path.read_bytes(), path.stat()
        after = bytes([before[0] ^ 1]) + before[1:]
        objects = [each for each in (self.folder / ".dvc/cache/files").rglob("*") if each.is_file()]
        for each in [path, *(each for each in objects if each.read_bytes() == before)]:
            each.chmod(0o644)
            each.write_bytes(after)
            each.chmod(status.st_mode)
            os.utime(each, ns=(status.st_atime_ns, status.st_mtime_ns))


VARIABLES = {"DATASET_MIRROR", "RAY_ADDRESS", "MEMORY_LIMIT_MB"}


@pytest.fixture
def project(pipeline) -> Checkout:
    return Checkout(pipeline.folder)


def key(line: str) -> str:
    """Return what is wrong with what, without numbers and advice."""
    return line.partition("; fix: ")[0].partition(" (expected ")[0]


# Damaged data: the fix is tools.verify, and each of its lines has a command


@pytest.mark.parametrize(
    ("name", "reader"),
    [("data/raw/train/images.npy", "normalize"), ("reports/metrics.json", "render")],
)
def test_damaged_data_lead_to_commands_that_repair_them(project, name, reader):
    project.damage(name)

    (line,) = project.lines(STAGE[reader])

    words = "python -m tools.verify, then the command that it prints; if it prints none, dvc repro"
    assert line.endswith(f"; fix: {words}")
    findings = project.lines("tools.verify")
    assert findings
    for finding in findings:
        project.follow(finding)
    assert project.lines("tools.verify") == project.lines(STAGE[reader]) == []
    assert "up to date" in project.dvc("status")


def test_if_the_data_are_whole_and_the_code_is_newer_the_pipeline_runs(project):
    """As after `git pull` of code that records more: nothing is damaged, but the old record can't be read."""
    path = project.folder / "data/training.json"
    old = {name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if name != "image_shape"}
    path.write_text(json.dumps(old), encoding="utf-8")
    project.dvc("commit", "--force")
    with open(project.folder / "stages/train/__main__.py", "a", encoding="utf-8") as file:
        file.write("# newer\n")

    (line,) = project.lines(STAGE["evaluate"])

    assert line.endswith("; if it prints none, dvc repro")
    assert not [finding for finding in project.lines("tools.verify") if "HEAD" not in finding]
    project.run("sh", "-c", "dvc repro")
    assert project.lines(STAGE["evaluate"]) == []


# git, DVC and the record of runs


@pytest.mark.fault("no cache, and a remote that has the data")
def test_a_clone_pulls_the_data_from_a_remote(project):
    project.dvc("remote", "add", "--default", "team", str(project.folder.parent / "remote"))
    project.commit("remote")
    project.dvc("push")
    project.git("clone", "--quiet", ".", "../clone")
    clone = Checkout(project.folder.parent / "clone")

    lines = clone.lines("tools.verify")

    kept = [path for stage in clone.lock().values() for path in (out["path"] for out in stage["outs"])]
    assert {line.split(": ")[1] for line in lines} == {path for path in kept if not (clone.folder / path).exists()}
    assert {line.partition("; fix: ")[2] for line in lines} == {"dvc pull, or else dvc repro"}
    clone.run("sh", "-c", "dvc pull")
    assert clone.lines("tools.verify") == []


@pytest.mark.parametrize("tool", ["tools.verify", "tools.compare"])
def test_a_copy_without_git_is_verified_and_compared_after_the_printed_command(project, tool):
    shutil.rmtree(project.folder / ".git")

    (line,) = project.lines(tool)

    fix = line.partition("; fix: ")[2].removesuffix(", or work in a clone of the project")
    assert (fix == "dvc config --local core.no_scm true") == (tool == "tools.verify")
    project.run("sh", "-c", fix)
    assert key(line) not in map(key, project.lines(tool))


@pytest.mark.parametrize("tool", ["tools.compare", "tools.sweep"])
@pytest.mark.fault("a checkout that another user owns")
def test_a_checkout_of_another_user_is_trusted_after_the_command_that_git_prints(project, tool):
    """As after root unpacked an archive. The variable of git's own tests makes each owner another user."""
    others = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "true"}

    (line,) = project.lines(tool, **others)

    trust = f"git config --global --add safe.directory {project.folder}"
    assert line == f"error: git: does not trust the owner of this folder; fix: {trust}"
    project.follow(line)
    assert key(line) not in map(key, project.lines(tool, **others))


@pytest.mark.fault("a shallow clone")
def test_a_revision_that_a_shallow_clone_lacks_is_fetched(project):
    project.git("commit", "--quiet", "--allow-empty", "--message", "later")
    project.git("clone", "--quiet", "--depth", "1", f"file://{project.folder}", "../clone")
    clone = Checkout(project.folder.parent / "clone")

    (line,) = clone.lines("tools.compare HEAD~1 HEAD --metrics-only")

    command, _, otherwise = line.partition("; fix: ")[2].partition(", as this clone lacks commits; or ")
    assert otherwise.startswith("name a branch, a tag, a commit or an experiment")
    clone.run("sh", "-c", command)
    assert clone.lines("tools.compare HEAD~1 HEAD --metrics-only") == []
    assert "unshallow" not in clone.lines("tools.compare nosuch HEAD")[0]


CONFLICT = "<<<<<<< HEAD\n=======\n>>>>>>> other\n"


@pytest.mark.parametrize(("tool", "text"), [("tools.verify", CONFLICT), ("tools.compare", "")])
@pytest.mark.fault("dvc.lock is empty, or has the marks of a merge")
def test_a_damaged_record_is_taken_from_the_commit(project, tool, text):
    """It may have been added in its damaged form."""
    (project.folder / "dvc.lock").write_text(text, encoding="utf-8")
    project.git("add", "dvc.lock")

    (line,) = project.lines(tool)

    assert line.endswith("; fix: git checkout HEAD -- dvc.lock, then dvc repro")
    project.run("sh", "-c", "git checkout HEAD -- dvc.lock && dvc repro")
    assert project.lines(tool) == []


@pytest.mark.parametrize(("name", "fix"), [("dvc.lock", "dvc repro"), ("dvc.yaml", "git checkout HEAD -- dvc.yaml")])
def test_a_record_or_a_pipeline_that_is_gone_is_restored(project, name, fix):
    (project.folder / name).unlink()

    (line,) = project.lines("tools.verify")

    assert line.partition("; fix: ")[2].startswith(f"{fix}, ")
    project.run("sh", "-c", fix)
    assert project.lines("tools.verify") == []
