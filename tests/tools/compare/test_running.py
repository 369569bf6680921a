"""--run, on a pipeline of small scripts under real git and DVC. tests/system/test_running.py has the real pipeline."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.project import PLACES, ROOT, Project, put

pytestmark = pytest.mark.slow

# Each stage writes what the tool reads. The more epochs, the more images are right.
SCRIPT = """
import json, os, sys, time
from pathlib import Path
import numpy as np

def write(path, data):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.save(path, data) if path.endswith(".npy") else Path(path).write_text(json.dumps(data), encoding="utf-8")

def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))

stage, train = sys.argv[1], read("params.yaml")["train"]
labels = np.arange(300, dtype=np.uint8) % 3
if stage == "download":
    Path(os.environ["DATASET_MIRROR"], "file").read_bytes()
    write("data/raw/seed", Path("sources/own/seed").read_text(encoding="utf-8"))
elif stage == "normalize":
    write("data/normalized/train/seed", read("data/raw/seed"))
    write("data/normalized/test/labels.npy", labels)
    write("data/normalized/test/images.npy", np.zeros((300, 2, 2), np.float32))
    write("data/normalized/classes.json", ["a", "b", "c"])
elif stage == "train":
    if train.get("wait"):
        Path(os.environ["WAITING"]).write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(60)
    write("data/model/epochs", train["epochs"])
    write("data/training.json", {"versions": {"keras": "3"}})
else:
    generator = np.random.default_rng(0)
    right = generator.random((train["replicates"], 300)) < 1 - 0.5 ** read("data/model/epochs")
    answers = np.where(right, labels, (labels + 1) % 3)
    probabilities = np.where(np.arange(3) == answers[..., None], 0.8, 0.1)
    write("data/predictions/probabilities.npy", probabilities.astype(np.float32))
    write("reports/metrics.json", float(right.mean()))
    write("reports/classes.csv", "")
"""
NORMALIZED = [f"data/normalized/{name}" for name in ("train", "test", "classes.json")]
STAGES = {
    "download": {"deps": ["script.py", "sources/own"], "outs": ["data/raw"]},
    "normalize": {"deps": ["data/raw"], "outs": NORMALIZED},
    "train": {"deps": NORMALIZED[:1], "params": ["train"], "outs": ["data/model", "data/training.json"]},
    "evaluate": {
        "deps": [*NORMALIZED[1:], "data/model"],
        "outs": ["data/predictions"],
        "plots": [{"reports/classes.csv": {"cache": False}}],
        "metrics": [{"reports/metrics.json": {"cache": False}}],
    },
}
FILES = {
    "script.py": SCRIPT,
    "dvc.yaml": yaml.safe_dump(
        {"stages": {name: {"cmd": f"python script.py {name}", **stage} for name, stage in STAGES.items()}}
    ),
    ".gitignore": "/data\n/mirror\n/sources/*/?*\n!/sources/*/*.dvc\n",
    "datasets/own.yaml": "",
    "sources/own/seed": "0",
    "mirror/file": "",
}


class Checkout(Project):
    """A project with commits of 1 and 6 epochs, tagged `one` and `six`; the workspace is that of `six`."""

    def __init__(self, folder, outside=None):
        super().__init__(folder)
        self.temporary = (outside or folder.parent) / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.waiting = self.temporary.with_name("waiting")

    def environment(self):
        ours = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "WAITING": str(self.waiting)}
        ours |= {"DVC_SITE_CACHE_DIR": str(self.temporary.with_name("site"))}
        ours |= {"DVC_NO_ANALYTICS": "1"}  # which leaves temporary files for a while
        return super().environment() | ours | {"DATASET_MIRROR": "mirror"}  # a relative path

    def write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def params(self, **train):
        self.write("params.yaml", json.dumps({"dataset": {"name": "own"}, "train": {"replicates": 3, **train}}))

    def compare(self, *arguments, below="."):
        """Return exit code, stdout and stderr of the tool. Nothing of a worktree may be left."""
        before = self.git("worktree", "list", "--porcelain")
        workspace = self.files()
        ended = self.ended(sys.executable, "-m", "tools.compare", *arguments, below=below)
        assert self.git("worktree", "list", "--porcelain") == before
        assert list(self.temporary.iterdir()) == []
        assert self.files() == workspace
        return ended.returncode, ended.stdout, ended.stderr

    def files(self):
        """Return what git says about the workspace, without what DVC keeps for itself."""
        lines = self.git("status", "--porcelain", "--ignored").splitlines()
        return [line for line in lines if "/.dvc/" not in line.replace(" ", "/")]

    def forget(self):
        """Make it a fresh clone without a remote: no cache, no outputs of DVC."""
        shutil.rmtree(self.folder / ".dvc/cache", ignore_errors=True)
        shutil.rmtree(self.folder / "data", ignore_errors=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    project = Checkout(tmp_path_factory.mktemp("running") / "project")
    for name, text in FILES.items():
        project.write(name, text)
    project.params(epochs=1)
    project.git("init", "--quiet", "--initial-branch", "main")
    project.dvc("init", "--quiet")
    project.dvc("add", "--quiet", "sources/own/seed")
    for tag, epochs in (("one", 1), ("six", 6)):
        project.params(epochs=epochs)
        project.dvc("repro", "--quiet")
        project.commit(tag)
        project.git("tag", tag)
    return project


@pytest.fixture
def project(made, tmp_path):
    return made.copy_to(tmp_path / "project")


def keep_data(project):
    """Forget everything but what `dvc add` keeps."""
    project.forget()
    project.dvc("add", "--quiet", "sources/own/seed")


@pytest.mark.fault("a fresh clone without a remote, which has no predictions")
def test_what_a_side_lacks_is_run_in_a_worktree_and_stdout_is_the_report(project):
    expected = json.loads(project.compare("one", "six", "--format", "json")[1])
    keep_data(project)

    advised, _, error = project.compare("one", "six")
    code, printed, progress = project.compare("one", "six", "--run", "--format", "json", below="mirror")

    assert advised == 3 and error == (
        "error: one: data/predictions/probabilities.npy: not on this machine; "
        "fix: add --run, which trains it, or --metrics-only, without verdicts and pictures\n"
    )
    assert code == 0, progress
    found = json.loads(printed)
    assert found == expected and found["accuracy"]["verdict"] == "better"
    assert progress.count("Running stage 'train'") == 2 and progress.count("Running stage 'download'") == 1
    assert progress.count("training time unknown, as no such networks were trained in this clone") == 2


def test_a_side_whose_predictions_differ_from_those_of_its_commit_is_marked(project):
    """As on another kind of processor."""
    lock = (project.folder / "dvc.lock").read_text(encoding="utf-8")
    recorded = yaml.safe_load(lock)["stages"]["evaluate"]["outs"][0]["md5"]
    project.write("dvc.lock", lock.replace(recorded, f"{'0' * 32}.dir"))
    project.commit("of another processor")
    keep_data(project)

    code, printed, progress = project.compare("six", "HEAD", "--run", "--format", "json")

    assert code == 0, progress
    sides = json.loads(printed)["sides"]
    assert "run here" not in sides["base"] and sides["new"].endswith("), run here")


def test_if_nothing_is_lacking_nothing_runs(project):
    expected = project.compare("one", "six")

    assert expected[0] == 0
    assert project.compare("one", "six", "--run") == expected


@pytest.mark.fault("a workspace that is edited, and that can't be run as it is without a change of it")
def test_an_edited_workspace_is_run_without_a_change_of_it(project):
    project.params(epochs=3)

    code, printed, progress = project.compare("--run", "--format", "json")

    found = json.loads(printed)
    assert code == 0 and progress.count("Running stage 'train'") == 1
    assert found["sides"]["new"] == "workspace, run here" and "run here" not in found["sides"]["base"]
    assert found["params"] == {"train.epochs": {"base": 6, "new": 3}}
    assert found["accuracy"]["new"] == pytest.approx(1 - 0.5**3, abs=0.05)
    assert not any("Run dvc repro" in note for note in found["notes"])
    assert project.git("diff", "--cached") == project.git("stash", "list") == ""


@pytest.mark.parametrize("place", PLACES)
def test_a_project_below_gits_top_folder_runs_there(made, tmp_path, place):
    project = Checkout(put(made.folder, tmp_path / "outside", place, ["one", "six"]), tmp_path)
    expected = json.loads(made.compare("one", "six", "--format", "json")[1])
    keep_data(project)

    code, printed, progress = project.compare("one", "six", "--run", "--format", "json")

    assert code == 0, progress
    assert json.loads(printed)["accuracy"] == expected["accuracy"]


def test_what_dvc_add_keeps_is_fetched_from_the_remote_of_today(project, tmp_path):
    """Which no commit knows."""
    project.dvc("remote", "add", "--local", "--default", "elsewhere", "../remote")
    project.dvc("push", "--quiet", "sources/own/seed.dvc")
    project.forget()

    code, _, progress = project.compare("one", "six", "--run")

    assert code == 0, progress


def other_data(project):
    """Let params name a data set whose files nothing keeps."""
    project.write("sources/new/seed", "1")
    for name in ("params.yaml", "dvc.yaml", "script.py"):
        text = (project.folder / name).read_text(encoding="utf-8")
        project.write(name, text.replace("sources/own", "sources/new").replace('"own"', '"new"'))
    project.write("datasets/new.yaml", "")


@pytest.mark.fault("a run elsewhere, of a data set that neither git nor DVC keeps")
def test_files_that_nothing_keeps_are_named_with_the_command_that_keeps_them(project):
    other_data(project)

    code, printed, error = project.compare("workspace", "workspace", "--run")

    what = "error: sources/new: --run would miss files or changes that git and DVC do not track; fix: "
    assert (code, printed) == (2, "") and error.startswith(what)
    project.run("sh", "-ec", error.partition("; fix: ")[2])
    assert project.compare("workspace", "workspace", "--run")[0] == 0


@pytest.mark.fault("a run of a workspace in which git merges")
def test_a_merge_is_to_be_ended_before_the_workspace_is_run(project):
    for branch in ("a", "b"):
        project.git("checkout", "--quiet", "-b", branch, "main")
        project.write("notes", branch)
        project.commit(branch)
    project.run("sh", "-c", "git merge a || true")
    project.params(epochs=2)

    code, printed, error = project.compare("--run")

    assert (code, printed) == (2, "")
    assert error == "error: --run: git is in the middle of a merge; fix: finish or abort the merge\n"
    project.git("merge", "--abort")
    assert project.compare("--run")[0] == 0


@pytest.mark.fault("a run elsewhere, of code that git does not track")
def test_code_that_git_does_not_track_is_named_with_the_command_that_adds_it(project):
    project.params(epochs=2)
    for name in ("core/new one.py", "stages/train/new.py", "notes.py"):
        project.write(name, "")

    code, printed, error = project.compare("--run")

    what = "error: core/new one.py: --run would miss code that git does not track; fix: "
    assert (code, printed) == (2, "") and error.startswith(what)
    project.run("sh", "-ec", error.partition("; fix: ")[2])
    assert project.compare("--run")[0] == 0


def test_a_commit_whose_files_nothing_kept_is_refused(project):
    other_data(project)
    project.commit("new")
    project.forget()

    code, printed, error = project.compare("HEAD", "HEAD", "--run")

    what = "HEAD: sources/new: git and DVC do not keep the files of this data set"
    assert (code, printed) == (2, "")
    assert error == f"error: {what}; fix: name another revision: git log --oneline -- dvc.lock lists them\n"


def test_a_run_that_fails_ends_in_one_line_after_its_output(project):
    project.write("script.py", "print(); raise SystemExit('no such thing')")

    code, printed, error = project.compare("--run")

    assert (code, printed) == (1, "") and "no such thing\n" in error
    what = "workspace: dvc repro normalize failed in a worktree (expected exit code 0, got 255)"
    assert error.splitlines()[-1] == f"error: {what}; fix: see the error above, or --metrics-only in place of --run"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.fault("Ctrl-C while a commit runs in a worktree")
def test_an_interrupt_ends_the_stage_and_leaves_nothing(project, number):
    project.params(epochs=2, wait=True)
    waiting = project.waiting

    with project.start(sys.executable, "-m", "tools.compare", "--run") as process:
        while not (waiting.is_file() and waiting.read_text(encoding="utf-8")):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        stage = int(waiting.read_text(encoding="utf-8"))
        os.kill(process.pid, number)
        printed = process.stdout.read()

    assert process.returncode == 130
    assert printed.splitlines()[-1].startswith("error: tools.compare: interrupted; fix: ")
    assert printed.count("; fix: ") == 1 and "failed to reproduce" not in printed
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(stage)], capture_output=True, encoding="utf-8", check=False)
    assert state.stdout[:1] in ("", "Z")  # a stage without its parent stays a zombie until init sees it
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert list(project.temporary.iterdir()) == []


def test_two_can_run_at_once(project):
    keep_data(project)

    command = (sys.executable, "-m", "tools.compare", "one", "six", "--run")
    both = [project.start(*command) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], printed
    assert len(project.git("worktree", "list").splitlines()) == 1
