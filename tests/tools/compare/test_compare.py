"""The tool by its command line, on a small project under real git and DVC."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from core.cli import command
from core.scores import tables
from tests.project import PLACES, put
from tools.compare import arguments, lock, sides
from tools.compare.__main__ import main

ROOT = Path(__file__).parents[3]
CLASSES = ["Shirt", "=1+1", "<img src=x onerror=alert(1)>", "none"]  # and no image of the last one
LABELS = np.arange(300, dtype=np.uint8) % 3
STAGES = {
    "download": {"cmd": "true", "deps": ["stages/code.py"], "outs": ["data/raw"]},
    "normalize": {
        "cmd": "true",
        "deps": ["data/raw"],
        "outs": ["data/normalized/test", "data/normalized/classes.json"],
    },
    "train": {
        "cmd": "true",
        "deps": ["stages/code.py"],
        "params": ["train"],
        "outs": ["data/model", "data/training.json"],
    },
    "evaluate": {
        "cmd": "true",
        "deps": ["data/normalized/test", "data/normalized/classes.json", "data/model"],
        "outs": ["data/predictions"],
        "plots": [{"reports/classes.csv": {"cache": False}}],
        "metrics": [{"reports/metrics.json": {"cache": False}}],
    },
}


def predictions(accuracies, seed):
    """Return probabilities float32 (replicates, 300, 4) that are right on about these shares of the images."""
    generator = np.random.default_rng(seed)
    right = generator.random((len(accuracies), len(LABELS))) < np.reshape(accuracies, (-1, 1))
    answers = np.where(right, LABELS, (LABELS + 1) % 3)
    return np.where(np.arange(4) == answers[..., None], 0.7, 0.1).astype(np.float32)


class Project:
    """A git repository with the stages and outputs that the tool reads, each output written by the test."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
        self.environment |= {
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
            "DVC_NO_ANALYTICS": "1",
        }
        (folder / "stages").mkdir(parents=True)
        (folder / "stages/code.py").write_text("1\n", encoding="utf-8")
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}), encoding="utf-8")
        self.git("init", "--quiet", "--initial-branch", "main")
        self.run(sys.executable, "-m", "dvc", "init", "--quiet")
        self.run(sys.executable, "-m", "dvc", "remote", "add", "-d", "storage", str(folder.parent / "remote"))
        self.write("data/raw/archive", b"raw")
        self.write("data/model/0.keras", b"model")

    def run(self, *command, cwd=None):
        completed = subprocess.run(
            command, cwd=cwd or self.folder, env=self.environment, capture_output=True, encoding="utf-8", timeout=60
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return self.run("git", *identity, *arguments)

    def dvc(self, *arguments):
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def write(self, path, data):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).unlink(missing_ok=True)
        (self.folder / path).write_bytes(data)

    def write_array(self, path, array):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).unlink(missing_ok=True)
        np.save(self.folder / path, array)

    def make(self, probabilities, *, epochs, labels=LABELS):
        """Write what a run would leave, and have dvc.lock record it."""
        accuracy = float((probabilities.argmax(2) == labels).mean())
        scores = {"accuracy": accuracy, "accuracy_std": 0.01, "ece": 0.02, "loss": 0.5}
        rows = [f"{tables.inert(name)},{100 * (name != 'none')},{accuracy}\n" for name in CLASSES]
        train = {"epochs": epochs, "replicates": len(probabilities)}
        self.write("params.yaml", json.dumps({"train": train}).encode())
        self.write("data/training.json", json.dumps({"versions": {"keras": f"3.{epochs}"}}).encode())
        self.write("reports/metrics.json", json.dumps({"test": scores}).encode())
        self.write("reports/classes.csv", "".join(["class,images,recall\n", *rows]).encode())
        self.write("data/normalized/classes.json", json.dumps(CLASSES).encode())
        self.write_array("data/normalized/test/images.npy", np.zeros((300, 2, 2), np.float32))
        self.write_array("data/normalized/test/labels.npy", labels)
        self.write_array("data/predictions/probabilities.npy", probabilities)
        self.dvc("commit", "--quiet", "--force")

    def commit(self, tag):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", tag)


@pytest.fixture
def compare(monkeypatch, capsys):
    """A function that runs the tool in a folder and returns exit code, stdout and the last line of stderr."""

    def compare(folder, *given):
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            command.run(main, arguments.declare, given)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, (printed.err.splitlines() or [""])[-1]

    return compare


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Commits: before (accuracy 0.7), single (one replicate), other-test-set, after (0.95); experiment: worse (0.5).
    The workspace is that of after.
    """
    folder = tmp_path_factory.mktemp("compare")
    project = Project(folder / "project")
    project.make(predictions([0.69, 0.7, 0.71], 0), epochs=1)
    project.commit("before")
    project.make(predictions([0.9], 1), epochs=2)
    project.commit("single")
    project.make(predictions([0.7, 0.7], 2), epochs=1, labels=np.roll(LABELS, 1))
    project.commit("other-test-set")
    project.make(predictions([0.94, 0.95, 0.96], 3), epochs=2)
    project.commit("after")
    project.make(predictions([0.49, 0.5, 0.51], 4), epochs=3)
    project.dvc("exp", "save", "--quiet", "--name", "poor")
    project.git("restore", ".")
    project.dvc("checkout", "--quiet", "--force")
    project.dvc("push", "--quiet", "--all-commits")
    return project


@pytest.fixture
def project(made, tmp_path):
    """A copy of `made`, with the remote beside it."""
    shutil.copytree(made.folder, tmp_path / "project")
    copy = object.__new__(Project)
    copy.folder, copy.environment = tmp_path / "project", made.environment
    return copy


def test_base_is_head_and_new_the_workspace_as_in_dvc_metrics_diff(compare, project):
    code, printed, _ = compare(project.folder)

    assert code == 0
    assert "base: HEAD (" in printed and "new: workspace, 3 replicates" in printed
    assert "No evidence of a change in accuracy: +0.00 points" in printed
    assert "The predictions of both sides are the same" in printed
    assert "params, code, data and packages that differ: none" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_revisions_and_experiments_are_compared_from_a_subfolder(compare, project):
    code, printed, _ = compare(project.folder / "reports", "before", "poor", "--format", "json")

    found = json.loads(printed)
    assert code == 0
    assert found["sides"]["base"].startswith("before (") and found["sides"]["new"].startswith("poor (")
    assert found["accuracy"]["base"] == pytest.approx(0.7, abs=0.05)
    assert found["accuracy"]["new"] == pytest.approx(0.5, abs=0.05)
    assert found["accuracy"]["verdict"] == "worse"
    assert found["params"] == {"train.epochs": {"base": 1, "new": 3}}
    assert found["packages"] == {"keras": {"base": "3.1", "new": "3.3"}}
    assert found["replicates"] == {"base": 3, "new": 3}
    assert set(found["recalls"]) == set(CLASSES[:3])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.fault("git's top folder is above the project; a submodule; a worktree")
def test_it_finds_the_same_wherever_gits_top_folder_is(compare, made, tmp_path, place):
    """Revisions and the workspace; from a folder within the project, too."""
    folder = put(made.folder, tmp_path / "outside", place, ["before", "after"])

    for revisions in (["before", "after"], ["before"], ["workspace", "before"]):
        (_, here, _), (code, there, error) = (
            compare(project, *revisions, "--format", "json") for project in (made.folder, folder)
        )
        assert (code, error) == (0, "")
        expected, found = json.loads(here), json.loads(there)
        assert expected.pop("sides").keys() == found.pop("sides").keys()
        assert found == expected and found["fixed"] != found["broken"]
    assert compare(folder / "reports", "before")[0] == 0


@pytest.mark.fault("a commit from before the project came into its subfolder")
def test_a_commit_from_before_the_project_came_into_its_folder_has_no_run(compare, made, tmp_path):
    outside = tmp_path / "outside"
    folder = put(made.folder, outside, "subfolder", ["after"])
    for given in (["checkout", "--quiet", "--orphan", "earlier"], ["rm", "-r", "--quiet", "--cached", "."]):
        subprocess.run(["git", *given], cwd=outside, check=True)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "empty"], cwd=outside, check=True)

    code, _, error = compare(folder, "earlier", "after")

    assert code == 2 and error.startswith("error: earlier: dvc.lock: no such file there; fix: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["before", "--fail-on", "worse"], 0),
        (["workspace", "before", "--fail-on", "worse"], 1),
        (["workspace", "before", "--fail-on", "worse", "--tolerance", "10"], 1),
        (["workspace", "before", "--fail-on", "worse", "--tolerance", "30"], 0),
        (["workspace", "before"], 0),
    ],
)
def test_only_an_accuracy_worse_by_more_than_the_tolerance_fails(compare, made, arguments, code):
    ended, printed, error = compare(made.folder, *arguments)

    assert ended == code
    assert printed.count("verdict") == 2
    worse = (
        r"error: accuracy of before \(\w+\): worse than workspace by .*, got a change of -(\d+\.\d\d) to -(\d+\.\d\d)\)"
    )
    found = re.match(worse, error)
    assert bool(found) == (code == 1)
    assert not found or float(found[1]) > 25 > float(found[2])  # the lower end first


def test_another_test_set_is_refused(compare, made):
    code, printed, error = compare(made.folder, "before", "other-test-set")

    assert (code, printed) == (2, "")
    assert error.startswith("error: data/normalized/test: before and other-test-set were scored on different test sets")


def test_one_replicate_on_a_side_gives_no_verdict_on_recipes(compare, made):
    code, printed, _ = compare(made.folder, "before", "single")
    failing, _, error = compare(made.folder, "before", "single", "--fail-on", "worse")

    assert code == 0 and failing == 2
    assert "One network against one; of their recipes nothing is known:" in printed
    assert "training noise is unknown" in " ".join(printed.split()) and "McNemar's exact test" in printed
    assert error.startswith("error: --fail-on: no verdict on the recipes with one replicate on a side; fix: ")


def test_predictions_come_from_the_remote_when_workspace_and_cache_have_none(compare, project):
    expected = compare(project.folder, "before", "workspace")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/predictions")

    assert compare(project.folder, "before", "workspace") == expected


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("before", "dvc fetch --all-commits data/predictions data/normalized/test data/normalized/classes.json"),
        pytest.param(
            "workspace",
            "dvc fetch data/predictions data/normalized/test data/normalized/classes.json",
            marks=pytest.mark.slow,
        ),
        pytest.param("poor", "dvc exp pull origin poor", marks=pytest.mark.slow),
    ],
)
def test_predictions_that_are_nowhere_are_an_error_that_names_the_command_which_brings_them(
    compare, project, name, command
):
    """It is run, too, once the remote is there."""
    remote = project.folder.parent / "away"
    project.dvc("config", "--local", "core.remote", "elsewhere")
    project.dvc("remote", "add", "--local", "elsewhere", str(remote))
    if name == "poor":
        project.git("clone", "--quiet", "--bare", ".", str(project.folder.parent / "origin"))
        project.git("remote", "add", "origin", str(project.folder.parent / "origin"))
        project.dvc("exp", "push", "--quiet", "origin", name)
    else:
        project.dvc("push", "--quiet", "--all-commits")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/predictions")
    remote.rename(remote.with_name("hidden"))

    code, _, error = compare(project.folder, name, "after")
    metrics_code, _, _ = compare(project.folder, name, "after", "--metrics-only")

    assert code == 3
    what = "neither in the workspace nor in DVC's cache nor in its remote"
    assert error.startswith(f"error: {name}: data/predictions/probabilities.npy: {what}")
    assert f"; fix: {command}, or " in error
    assert metrics_code == 0
    remote.with_name("hidden").rename(remote)
    project.dvc(*command.split()[1:])
    remote.rename(remote.with_name("hidden"))
    assert compare(project.folder, name, name)[0] == 0


def test_metrics_alone_give_no_verdict(compare, made):
    code, printed, _ = compare(made.folder, "before", "after", "--metrics-only")
    failing, _, error = compare(made.folder, "before", "after", "--metrics-only", "--fail-on", "worse")

    assert code == 0 and failing == 2
    assert "Accuracy +2" in printed and "chance or not is unknown" in printed and "no evidence" not in printed
    assert "spread over the replicates by 1.00 points (base) and 1.00 points (new)" in " ".join(printed.split())
    _, of_one, _ = compare(made.folder, "before", "single", "--metrics-only")
    assert "by 1.00 points (base) and an unknown amount (new)" in " ".join(of_one.split())
    assert error.startswith("error: python -m tools.compare: --fail-on needs a verdict")


def test_metrics_alone_have_the_recall_of_each_class_by_its_name(compare, made):
    """As with predictions: the class without images is left out."""
    found, expected = (
        json.loads(compare(made.folder, "before", "after", "--format", "json", *options)[1])["recalls"]
        for options in (["--metrics-only"], [])
    )

    assert set(found) == set(expected) == set(CLASSES[:3])
    assert [score["base"] for score in found.values()] == pytest.approx([0.7] * 3, abs=0.05)
    assert [score["new"] for score in found.values()] == pytest.approx([0.95] * 3, abs=0.05)


@pytest.mark.fault("a commit older than the table of classes is compared by the reports alone")
def test_a_commit_older_than_the_table_of_classes_is_told_of_in_one_line(compare, project):
    """The fix is followed, too; and without predictions no advice leads back to the metrics."""
    evaluate = {key: value for key, value in STAGES["evaluate"].items() if key != "plots"}
    project.write("dvc.yaml", yaml.safe_dump({"stages": STAGES | {"evaluate": evaluate}}).encode())
    project.dvc("commit", "--quiet", "--force", "evaluate")
    (project.folder / "reports/classes.csv").unlink()
    project.commit("older")

    code, printed, error = compare(project.folder, "older", "before", "--metrics-only")

    assert (code, printed) == (2, "")
    what = "reports/classes.csv: no such file there: the commit is older than that table"
    assert error == f"error: older: {what}; fix: leave out --metrics-only"
    assert compare(project.folder, "older", "before")[0] == 0
    project.dvc("remote", "remove", "storage")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/predictions")
    code, _, error = compare(project.folder, "older")
    assert code == 3 and "git worktree add" in error and "--metrics-only" not in error
    assert compare(project.folder, "before")[2].endswith(", or --metrics-only")


def test_metrics_alone_are_compared_without_the_record_of_training(compare, project):
    """In a clone to which nothing was brought; of packages nothing is told then."""
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data")
    project.dvc("remote", "remove", "storage")

    code, printed, _ = compare(project.folder, "before", "workspace", "--metrics-only")

    assert code == 0 and "Accuracy +2" in printed and "packages" not in printed


def test_a_workspace_edited_since_its_run_is_told_of(compare, project):
    project.write("params.yaml", json.dumps({"train": {"epochs": 9, "replicates": 3}}).encode())
    project.write("stages/code.py", b"2\n")

    code, printed, _ = compare(project.folder)

    assert code == 0
    assert "predictions are older than its params.yaml (train), stages/code.py: dvc repro." in " ".join(printed.split())


def test_what_was_edited_since_its_run_gets_no_verdict(compare, project):
    project.write("params.yaml", json.dumps({"train": {"epochs": 9, "replicates": 3}}).encode())
    changed = yaml.safe_load((project.folder / "dvc.yaml").read_text(encoding="utf-8"))
    changed["stages"]["evaluate"]["cmd"] = "false"
    project.write("dvc.yaml", yaml.safe_dump(changed).encode())

    code, printed, error = compare(project.folder, "before", "--fail-on", "worse")

    assert (code, printed) == (2, "")
    names = "dvc.yaml (cmd of evaluate), params.yaml (train)"
    what = f"The workspace's predictions are older than its {names}: dvc repro."
    assert error == f"error: --fail-on: no verdict on what is edited: {what}; fix: dvc repro"


def test_data_that_are_not_checked_out_make_nothing_older(compare, project):
    """As in a clone that has fetched no more than it needs; code that is gone is told of."""
    shutil.rmtree(project.folder / "data")
    _, without_data, _ = compare(project.folder)
    (project.folder / "stages/code.py").unlink()
    _, without_code, _ = compare(project.folder)

    assert "older" not in without_data
    assert "older than its stages/code.py: dvc repro." in " ".join(without_code.split())


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("dvc.yaml", "error: dvc.yaml: not YAML; fix: mend it"),
        ("params.yaml", "error: params.yaml: not YAML; fix: mend it"),
        (".dvc/config", "error: .dvc/config: config file error: "),
    ],
)
def test_a_file_with_an_unfinished_merge_is_named(compare, project, path, error):
    project.write(path, b"<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n")

    ended, printed, last = compare(project.folder)

    assert (ended, printed) == (2, "")
    assert last.startswith(error)


def test_a_workspace_without_a_pipeline_is_refused(compare, project):
    (project.folder / "dvc.yaml").unlink()

    code, _, error = compare(project.folder)

    assert code == 2 and error.startswith("error: workspace: dvc.yaml: no such file there; fix: ")


def test_a_damaged_cache_decides_nothing(compare, project):
    """Bytes changed, though the file is still an array of the shape; the fix is followed, too."""
    digest = hashlib.md5((project.folder / "data/predictions/probabilities.npy").read_bytes()).hexdigest()
    cached = project.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.chmod(0o644)
    cached.write_bytes(content)
    cached.chmod(0o444)

    code, printed, error = compare(project.folder, "before", "after")

    assert (code, printed) == (4, "")
    assert error.startswith(f"error: after: data/predictions/probabilities.npy: damaged (expected MD5 {digest}, got ")
    assert f"; fix: delete files/md5/{digest[:2]}/{digest[2:]} in DVC's cache, then dvc fetch --all-commits " in error
    cached.unlink()
    project.dvc("fetch", "--quiet", "--all-commits", "data/predictions")
    assert compare(project.folder, "before", "after")[0] == 0


def test_without_a_remote_no_fetch_is_advised(compare, project):
    project.dvc("remote", "remove", "storage")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/predictions")
    commit = project.git("rev-parse", "before")[:7]

    code, _, error = compare(project.folder, "before")
    of_workspace, _, last = compare(project.folder, "workspace", "workspace")

    assert code == of_workspace == 3
    assert f"; fix: git worktree add --detach ../{commit} {commit} && (cd ../{commit} && dvc cache dir " in error
    assert last.endswith("; fix: dvc repro")


@pytest.mark.fault("advice that holds in git's top folder alone")
def test_in_a_subfolder_the_advice_leads_to_the_project_in_a_worktree_beside_gits_top_folder(compare, made, tmp_path):
    folder = put(made.folder, tmp_path / "mono", "subfolder", ["before", "after"])
    made.run(sys.executable, "-m", "dvc", "remote", "remove", "storage", cwd=folder)
    shutil.rmtree(folder / ".dvc/cache")

    code, _, error = compare(folder, "before")

    assert code == 3
    advice = error.partition("; fix: ")[2].partition(", or --metrics-only")[0]
    assert advice.endswith(" && dvc repro)")
    asked = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    subprocess.run(
        ["/bin/sh", "-c", advice.replace("dvc repro", "dvc status --quiet || touch here")],
        cwd=folder,
        env=made.environment | asked,
        check=True,
    )
    (found,) = tmp_path.glob("*/teams/vision/here")
    assert found.with_name("dvc.lock").read_bytes() == made.git("show", "before:dvc.lock").encode()
    config = (found.parent / ".dvc/config.local").read_text(encoding="utf-8")
    assert (found.parent / ".dvc" / config.split("dir = ")[1].strip()).resolve() == folder / ".dvc/cache"


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"test": null}', "\xff", None])
@pytest.mark.parametrize("committed", [False, True])
def test_damaged_metrics_are_named(compare, project, damage, committed):
    """None: a folder in its place."""
    path = project.folder / "reports/metrics.json"
    path.unlink()
    if damage is None:
        path.mkdir()
        (path / "file").touch()
    else:
        path.write_bytes(damage.encode("latin-1"))
    if committed:
        project.git("commit", "--quiet", "--all", "--message", "damaged")

    code, printed, error = compare(project.folder, "before", "HEAD" if committed else "workspace", "--metrics-only")

    assert (code, printed) == (4, "")
    fix = "git checkout -- reports/metrics.json, or dvc repro"
    of_commit = "name another revision: git log --oneline -- dvc.lock lists them"  # it stays as it is
    assert "reports/metrics.json: " in error and error.endswith(f"; fix: {of_commit if committed else fix}")


def test_predictions_that_are_not_those_of_dvc_lock_are_refused(compare, project):
    project.write_array("data/predictions/probabilities.npy", predictions([0.9, 0.9], 9))

    code, printed, error = compare(project.folder)

    assert (code, printed) == (4, "")
    assert error.startswith("error: data/predictions: not what dvc.lock tells of; fix: dvc checkout --force data/pred")


@pytest.mark.parametrize(
    ("path", "options", "command"),
    [
        ("reports/metrics.json", ["--metrics-only"], "git checkout --"),
        ("reports/classes.csv", ["--metrics-only"], "git checkout --"),
        ("data/training.json", [], "dvc checkout --force"),
    ],
)
def test_metrics_that_are_not_those_of_dvc_lock_are_refused(compare, project, path, options, command):
    project.write(path, b"{}")

    code, printed, error = compare(project.folder, *options)

    assert (code, printed) == (4, "")
    assert error == f"error: {path}: not what dvc.lock tells of; fix: {command} {path}, or dvc repro"


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (sides.Side.metrics, "{"),
        (sides.Side.metrics, "[]"),
        (sides.Side.metrics, "{}"),
        (sides.Side.metrics, ""),
        (sides.Side.metrics, "\x89PNG\r\n"),
        (sides.Side.metrics, '{"test": null}'),
        (sides.Side.metrics, '{"test": {"accuracy": 1' + 400 * "0" + ', "accuracy_std": 0, "loss": 1}}'),
        (sides.Side.metrics, '{"test": {"accuracy": NaN, "accuracy_std": 0, "loss": 1}}'),
        (sides.Side.metrics, '{"test": {"accuracy": 1, "accuracy_std": 0, "loss": "1"}}'),
        (sides.Side.metrics, '{"test": {"accuracy": 1, "loss": 1}}'),
        (sides.Side.recalls, ""),
        (sides.Side.recalls, "\xff"),
        (sides.Side.recalls, "class,images,recall\n"),
        (sides.Side.recalls, "class,images\nShirt,1\n"),
        (sides.Side.recalls, "class,images,recall\nShirt,1\n"),
        (sides.Side.recalls, "class,images,recall\nShirt,1,nan\n"),
        (sides.Side.recalls, "class,images,recall\nShirt,1,1.5\n"),
        (sides.Side.recalls, "<html>"),
        (sides.Side.versions, "\xff"),
        (sides.Side.versions, "[]"),
        (sides.Side.versions, '{"versions": {"keras": 3}}'),
        (sides.Side.classes, "{"),
        (sides.Side.classes, "[]"),
        (sides.Side.classes, '"Shirt"'),
        (sides.Side.classes, "[1, 2, 3]"),
    ],
)
def test_a_damaged_record_is_a_data_error(made, monkeypatch, read, content):
    """Though it be what dvc.lock tells of."""
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(sides.DVCFileSystem, "read_bytes", lambda self, path: content.encode("latin-1"))
    monkeypatch.setattr(sides.Side, "_digest", lambda self, path: hashlib.md5(content.encode("latin-1")).hexdigest())

    with pytest.raises(command.DataError, match=r"^before: .*\.(json|csv): damaged \(expected "):
        read(sides.Side("before"))


def test_packages_are_not_told_of_where_a_run_did_not_record_them(compare, project):
    project.write("data/training.json", b"{}")
    project.dvc("commit", "--quiet", "--force", "train")

    code, printed, _ = compare(project.folder)

    assert code == 0 and "packages" not in printed


def test_a_new_test_set_under_old_predictions_is_refused(compare, project):
    """As after a `dvc repro` that was interrupted between normalize and evaluate."""
    project.write_array("data/normalized/test/labels.npy", np.roll(LABELS, 1))
    project.dvc("commit", "--quiet", "--force", "normalize")

    code, _, error = compare(project.folder)

    assert code == 4
    assert error.startswith("error: workspace: dvc.lock: the predictions are for another test set than data/normalized")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["nowhere"], 2, "error: revision nowhere: unknown Git revision 'nowhere'; fix: name a branch"),
        (["HEAD:dvc.lock"], 2, "error: revision HEAD:dvc.lock: not a commit; fix: name a branch"),
        (["HEAD^{tree}"], 2, "error: revision HEAD^{tree}: not a commit; fix: name a branch"),
        (["\udcff"], 2, "error: revision \\udcff: not a commit; fix: name a branch"),
        ([""], 2, "error: python -m tools.compare: argument base: expected the name of a revision, got none; fix: "),
        (["main", ""], 2, "error: python -m tools.compare: argument new: expected the name of a revision, got none"),
        (["--help-me"], 2, "error: python -m tools.compare: unrecognized arguments: --help-me; fix: "),
        (["--tolerance", "0"], 2, "error: python -m tools.compare: --tolerance needs --fail-on; fix: "),
        (["--tolerance", "0.5"], 2, "error: python -m tools.compare: --tolerance needs --fail-on; fix: "),
        (["--tolerance", "nan", "--fail-on", "worse"], 2, "error: python -m tools.compare: argument --tolerance: "),
        (["--tolerance", "x", "--fail-on", "worse"], 2, "error: python -m tools.compare: argument --tolerance: exp"),
        (["--metrics-only", "--format", "html"], 2, "error: python -m tools.compare: argument --format: invalid "),
    ],
)
def test_what_the_command_line_can_not_mean_is_one_line_of_error(compare, made, arguments, code, error):
    ended, printed, last = compare(made.folder, *arguments)

    assert (ended, printed) == (code, "")
    assert last.startswith(error)


def test_outside_a_git_repository_is_one_line_of_error(compare, made, tmp_path):
    code, _, error = compare(tmp_path)

    assert code == 2
    assert error.startswith("error: revision HEAD: ") and "is not a git repository; fix: " in error


def test_a_revision_without_a_run_is_one_line_of_error(compare, project):
    project.git("rm", "--quiet", "--cached", "dvc.lock")
    project.git("commit", "--quiet", "--message", "no run")

    code, _, error = compare(project.folder)

    assert code == 2
    assert error.startswith("error: HEAD: dvc.lock: no such file there; fix: ")


@pytest.mark.parametrize("lock", ["", "stages: {}", "- 1"])
def test_a_damaged_record_is_one_line_of_error(compare, project, lock):
    project.write("dvc.lock", lock.encode())

    code, _, error = compare(project.folder, "HEAD")

    assert code == 4
    assert error.startswith("error: workspace: dvc.lock: not whole (expected a record of download, normalize, train")


@pytest.mark.parametrize(
    ("path", "array"),
    [
        ("data/predictions/probabilities.npy", np.full((2, 300, 3), np.nan, np.float32)),
        ("data/predictions/probabilities.npy", np.zeros((2, 300, 3))),
        ("data/predictions/probabilities.npy", np.zeros((2, 299, 3), np.float32)),
        ("data/predictions/probabilities.npy", np.array([None])),
    ],
)
def test_damaged_predictions_are_one_line_of_error(compare, project, path, array):
    project.write_array(path, array)
    project.dvc("commit", "--quiet", "--force", "evaluate")

    code, _, error = compare(project.folder, "before")

    assert code == 4
    assert error.startswith("error: workspace: data/predictions")


def saved(array, **kind):
    file = io.BytesIO()
    (np.savez if kind else np.save)(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4xxxx",
        saved(LABELS)[:40],
        saved(LABELS)[:-1],
        saved(LABELS) + b"x",
        saved(LABELS, of="zip"),
        saved(LABELS).replace(b"(300,), }          ", b"(1000000000000,), }"),
        saved(LABELS).replace(b"(300,)", b"(3*99,"),
        saved(np.array([None])),
    ],
)
def test_a_damaged_array_is_a_data_error(made, monkeypatch, content):
    """Whatever its header claims, and though it be what dvc.lock tells of."""
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(sides.DVCFileSystem, "read_bytes", lambda self, path: content)
    monkeypatch.setattr(sides.Side, "_digest", lambda self, path: None)

    with pytest.raises(
        command.DataError, match=r"^before: data/normalized/test/labels.npy: damaged \(expected an array"
    ):
        sides.Side("before").labels()


def test_a_label_without_a_class_is_a_data_error(made, monkeypatch):
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(sides.Side, "labels", lambda self: np.where(LABELS == 2, 255, LABELS))

    with pytest.raises(command.DataError, match=r"a label without a class name \(expected 0 to 3, got 255\)"):
        sides.read(sides.Side("before"), sides.Side("after"))


def test_the_stages_and_paths_are_those_of_the_pipeline():
    """From evaluate up along dependencies, without validate, which only stamps."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outs = {out: name for name, stage in stages.items() for out in stage["outs"] if isinstance(out, str)}
    found, pending = set(), ["evaluate"]
    while pending:
        found.add(name := pending.pop())
        pending += [outs[dep] for dep in stages[name]["deps"] if dep in outs]

    assert found - {"validate"} == set(lock.MADE_BY)
    assert lock.TRAINING in str(stages["train"])
    assert outs[lock.PREDICTIONS] == "evaluate" and lock.METRICS in str(stages["evaluate"]["metrics"])
    assert lock.BY_CLASS in str(stages["evaluate"]["plots"])
    assert outs[lock.TEST] == outs[lock.CLASSES] == "normalize"
    assert {lock.TEST, lock.CLASSES} <= set(stages["evaluate"]["deps"])
