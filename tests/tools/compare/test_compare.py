"""The tool by its command line, on a small project under real git and DVC."""

import hashlib
import io
import json
import re
import shutil
import warnings

import dvc.cli
import numpy as np
import pytest
import yaml
from PIL import Image

from core.cli import command
from core.config.params import Train
from core.files import durations
from core.scores import tables
from tests.project import PLACES, ROOT, Project, put
from tools import blocks, lock, pipeline
from tools.compare.__main__ import declare, main
from tools.compare.sides import MADE_BY
from tools.compare.status import READ

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
        "outs": ["data/model", "data/training.json", {"reports/history.csv": {"cache": False}}],
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


class Run(Project):
    """A git repository with the stages and outputs that the tool reads; the test writes each output."""

    def dvc(self, *arguments):
        """Run DVC in this process, which takes a tenth of the time."""
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of DVC itself
            patch.chdir(self.folder)
            patch.setenv("DVC_SITE_CACHE_DIR", str(self.folder.parent / "site"))
            assert dvc.cli.main(list(arguments)) == 0

    @classmethod
    def started(cls, folder):
        (folder / "stages").mkdir(parents=True)
        run = cls(folder)
        run.write("stages/code.py", b"1\n")
        run.write("dvc.yaml", yaml.safe_dump({"stages": STAGES}).encode())
        run.git("init", "--quiet", "--initial-branch", "main")
        run.dvc("init", "--quiet")
        run.dvc("remote", "add", "-d", "storage", str(folder.parent / "remote"))
        run.write("data/raw/archive", b"raw")
        run.write("data/model/0.keras", b"model")
        return run

    def write(self, path, data):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).unlink(missing_ok=True)
        (self.folder / path).write_bytes(data)

    def write_array(self, path, array):
        data = io.BytesIO()
        np.save(data, array)
        self.write(path, data.getvalue())

    def make(self, probabilities, *, epochs, labels=LABELS):
        """Write what a run would leave, and have dvc.lock record it."""
        accuracy = float((probabilities.argmax(2) == labels).mean())
        train = {"accuracy": accuracy, "loss": 0.5}
        scores = {"train": train, "test": train | {"accuracy_std": 0.01, "ece": 0.02}}
        rows = [f"{tables.inert(name)},{100 * (name != 'none')},{accuracy},0,1,1\n" for name in CLASSES]
        train = {"epochs": epochs, "replicates": len(probabilities)}
        self.write("params.yaml", json.dumps({"train": train}).encode())
        self.write("data/training.json", json.dumps({"versions": {"keras": f"3.{epochs}"}}).encode())
        self.write("reports/history.csv", b"replicate,epoch,train_loss,train_accuracy\n0,0,1.4,0.25\n0,1,0.5,0.75\n")
        self.write("reports/metrics.json", json.dumps(scores).encode())
        self.write("reports/classes.csv", ",".join(tables.CLASSES).encode() + b"\n" + "".join(rows).encode())
        self.write("data/normalized/classes.json", json.dumps(CLASSES).encode())
        self.write_array("data/normalized/test/images.npy", np.zeros((300, 2, 2), np.float32))
        self.write_array("data/normalized/test/labels.npy", labels)
        self.write_array("data/predictions/probabilities.npy", probabilities)
        self.dvc("commit", "--quiet", "--force")

    def commit(self, tag):
        super().commit(tag)
        self.git("tag", tag)


@pytest.fixture
def compare(monkeypatch, capsys):
    """A function that runs the tool in a folder, and returns exit code, stdout and the last line of stderr."""

    def compare(folder, *given):
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            command.run(main, declare, given)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, (printed.err.splitlines() or [""])[-1]

    return compare


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Commits: before (accuracy 0.7), single (one replicate), other-test-set, after (0.95); experiment: worse (0.5).
    The workspace is that of after.
    """
    folder = tmp_path_factory.mktemp("compare")
    project = Run.started(folder / "project")
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
    return made.copy_to(tmp_path / "project")


def test_head_is_compared_with_the_workspace_by_default(compare, project):
    code, printed, _ = compare(project.folder)

    assert code == 0
    assert "base: revision HEAD (" in printed and "new: workspace\n3 networks each (train.replicates)" in printed
    assert printed.startswith("identical: the same networks\n\nbase: ")
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
def test_the_result_is_the_same_wherever_gits_top_folder_is(compare, made, tmp_path, place):
    folder = put(made.folder, tmp_path / "outside", place, ["before", "after"])

    for revisions in (["before", "after"], ["workspace", "before"]):
        (_, here, _), (code, there, error) = (
            compare(project, *revisions, "--format", "json") for project in (made.folder, folder)
        )
        assert (code, error) == (0, "")
        expected, found = json.loads(here), json.loads(there)
        assert expected.pop("sides").keys() == found.pop("sides").keys()
        assert found == expected and found["fixed"] != found["broken"]


@pytest.mark.fault("a commit from before the project came into its subfolder")
def test_a_commit_without_a_run_is_refused(compare, project):
    project.git("rm", "--quiet", "dvc.lock")
    project.commit("no-run")

    code, _, error = compare(project.folder, "no-run", "after")

    assert code == 2 and error.startswith("error: no-run: dvc.lock: no such file there; fix: name a commit ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["before", "--fail-on", "worse"], 0),
        (["single", "single", "--fail-on", "worse"], 0),
        (["workspace", "before", "--fail-on", "worse", "--tolerance", "10"], 1),
        (["workspace", "before", "--fail-on", "worse", "--tolerance", "30"], 0),
    ],
)
def test_only_an_accuracy_worse_by_more_than_the_tolerance_fails(compare, made, arguments, code):
    ended, _, error = compare(made.folder, *arguments)

    assert ended == code
    worse = (
        r"error: accuracy of before \(\w+\): worse than workspace by .*, got a change of -(\d+\.\d\d) to -(\d+\.\d\d)\)"
    )
    found = re.match(worse, error)
    assert bool(found) == (code == 1)
    assert not found or float(found[1]) > 25 > float(found[2])  # the lower end first


def test_a_tolerance_in_points_gives_equivalence_and_a_plan_is_for_points(compare, made):
    code, printed, _ = compare(made.folder, "before", "--tolerance", "40", "--plan", "5", "--format", "json")

    found = json.loads(printed)
    assert (code, found["accuracy"]["verdict"]) == (0, "equivalent")
    assert (found["tolerance"], found["plan"]["change"], found["plan"]["seconds"]) == (0.4, 0.05, None)


@pytest.mark.fault("a plan that costs what another kind of training took")
def test_what_a_plan_costs_is_what_training_took_here(compare, project, monkeypatch):
    """Both sides have 60 images, and a kind of network that took 0.5 seconds for each epoch. In a subfolder."""
    settings = Train.model_validate(yaml.safe_load((ROOT / "params.yaml").read_bytes())["train"])
    record = {"networks": ["0" * 64], "classes": [], "image_shape": [2, 2], "settings": settings.model_dump()}
    record |= {"versions": {}, "parameters": 1, "untrained_loss": 1.0}
    stages = STAGES | {
        "normalize": STAGES["normalize"] | {"outs": [*STAGES["normalize"]["outs"], "data/normalized/train"]}
    }
    project.write("dvc.yaml", yaml.safe_dump({"stages": stages}).encode())
    project.write("data/training.json", json.dumps(record).encode())
    project.write_array("data/normalized/train/labels.npy", np.zeros(60, np.uint8))
    project.dvc("commit", "--quiet", "--force")
    project.commit("timed")
    monkeypatch.chdir(project.folder)
    durations.write(settings, 60, (2, 2), 8, 4.0)

    (project.folder / "reports").mkdir(exist_ok=True)
    plan = json.loads(compare(project.folder / "reports", "--plan", "5", "--format", "json")[1])["plan"]

    assert plan["seconds"] == pytest.approx(2 * plan["replicates"] * settings.epochs * 0.5)


def test_another_test_set_is_refused(compare, made):
    code, printed, error = compare(made.folder, "before", "other-test-set")

    assert (code, printed) == (2, "")
    assert error.startswith("error: data/normalized/test: before and other-test-set were scored on different test sets")
    fix = "commit a first run on this data set, or name an experiment on it: python -m tools.compare EXPERIMENT "
    assert error.endswith(f"; fix: {fix}other-test-set")


# Pages and contact sheets


def test_a_page_and_a_sheet_are_written_into_new_folders_and_equal_inputs_give_equal_bytes(compare, made, tmp_path):
    page, sheet = tmp_path / "new/compare.html", tmp_path / "other/changed.png"
    arguments = ["before", "after", "--format", "html", "-o", str(page), "--figure", str(sheet)]

    first, second = ((compare(made.folder, *arguments), page.read_bytes(), sheet.read_bytes()) for _ in range(2))

    assert first[0] == (0, "", "")
    assert first == second
    assert b"Better: accuracy of one network, +" in page.read_bytes()
    with Image.open(sheet) as drawn:
        assert drawn.width == 800
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["compare.html", "changed.png"]


def test_any_format_is_written_to_a_file(compare, made, tmp_path):
    for name in blocks.FORMATS:
        printed = compare(made.folder, "before", "after", "--format", name)
        written = compare(made.folder, "before", "after", "--format", name, "--output", str(tmp_path / name))

        assert written == (0, "", "")
        assert (tmp_path / name).read_text(encoding="utf-8") == printed[1]


def test_if_no_image_changed_a_line_says_so_and_an_old_file_is_left_alone(compare, made, tmp_path):
    sheet = tmp_path / "changed.png"
    sheet.write_bytes(b"of somebody")

    code, printed, error = compare(made.folder, "after", "after", "--figure", str(sheet))

    assert code == 0 and "identical" in printed
    assert error == f"{sheet}: not written, as no image is fixed or broken"
    assert sheet.read_bytes() == b"of somebody"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--format", "html"], "--format html: needs a file; fix: add -o build/compare.html"),
        (
            ["--format", "html", "-o", "x", "--metrics-only"],
            "--format html: needs the predictions, which --metrics-only ",
        ),
        (
            ["--figure", "x.png", "--metrics-only"],
            "--figure: needs the predictions, which --metrics-only does not read; ",
        ),
        (
            ["--figure", "x.pdf"],
            "--figure: not the name of a PNG file (expected a name that ends in .png, got x.pdf); fix: --figure x.png",
        ),
    ],
)
def test_pictures_that_cannot_be_made_are_refused(compare, made, arguments, error):
    code, printed, last = compare(made.folder, *arguments)

    assert (code, printed) == (2, "") and last.startswith(f"error: {error}")


def test_test_images_are_fetched_for_pictures_alone(compare, project, tmp_path):
    """From the remote; without it, pictures are refused, and numbers are not."""
    arguments = ["before", "workspace", "--format", "html", "-o"]
    images = project.folder / "data/normalized/test/images.npy"
    digest = hashlib.md5(images.read_bytes()).hexdigest()
    cached = project.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]

    images.unlink()
    cached.unlink()
    assert compare(project.folder, *arguments, str(tmp_path / "page"))[0] == 0
    cached.unlink(missing_ok=True)
    project.dvc("remote", "remove", "storage")
    code, _, error = compare(project.folder, *arguments, str(tmp_path / "another"))

    assert code == 3 and "data/normalized/test/images.npy: not on this machine; " in error
    assert error.endswith(", or leave out --format html and --figure")
    assert not (tmp_path / "another").exists()
    assert compare(project.folder, "before", "workspace")[0] == 0


# Data that are elsewhere or nowhere


def test_predictions_come_from_the_remote_if_workspace_and_cache_have_none(compare, project):
    expected = compare(project.folder, "before", "workspace")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data/predictions")

    assert compare(project.folder, "before", "workspace") == expected


TARGETS = "data/predictions data/normalized/test data/normalized/classes.json"


@pytest.mark.parametrize(
    ("name", "command"),
    [("before", f"dvc fetch --all-commits {TARGETS}"), ("poor", "dvc exp pull origin poor")],
)
def test_predictions_that_are_nowhere_are_an_error_with_the_command_that_fetches_them(compare, project, name, command):
    """The command is run, too, once the remote is there."""
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
    what = "neither on this machine nor in the remote"
    assert error.startswith(f"error: {name}: data/predictions/probabilities.npy: {what}; fix: {command}, or ")
    assert metrics_code == 0
    remote.with_name("hidden").rename(remote)
    project.dvc(*command.split()[1:])
    remote.rename(remote.with_name("hidden"))
    assert compare(project.folder, name, name)[0] == 0


def test_the_reason_why_a_remote_serves_nothing_is_told(compare, project):
    project.dvc("remote", "modify", "storage", "url", "http://127.0.0.1:9/")
    shutil.rmtree(project.folder / ".dvc/cache")

    code, _, error = compare(project.folder, "before", "after")

    assert code == 3 and "neither on this machine nor in the remote: http://127.0.0.1:9/" in error
    assert "Cannot connect to host 127.0.0.1:9" in error


def test_without_a_remote_no_fetch_is_advised(compare, project):
    project.dvc("remote", "remove", "storage")
    shutil.rmtree(project.folder / ".dvc/cache")
    shutil.rmtree(project.folder / "data")

    code, _, error = compare(project.folder, "before", "before")
    of_workspace, _, last = compare(project.folder, "workspace", "workspace")
    of_metrics, printed, _ = compare(project.folder, "before", "workspace", "--metrics-only")

    assert code == of_workspace == 3
    assert error.endswith(
        ": not on this machine; fix: add --run, which trains it, or --metrics-only, without verdicts and pictures"
    )
    assert last.endswith(": not on this machine; fix: add --run, which trains it, or dvc repro")
    assert of_metrics == 0 and "accuracy of one network, +2" in printed and "packages" not in printed


# From the reports alone


def test_metrics_alone_give_no_verdict_but_the_recall_of_each_class_by_its_name(compare, made):
    """As with predictions: the class without images is left out."""
    code, printed, _ = compare(made.folder, "before", "after", "--metrics-only")
    failing, _, error = compare(made.folder, "before", "after", "--metrics-only", "--fail-on", "worse")
    found = json.loads(compare(made.folder, "before", "after", "--format", "json", "--metrics-only")[1])["recalls"]

    assert code == 0 and failing == 2
    assert printed.startswith("Unknown whether chance: accuracy of one network, +2")
    assert "recall of any class." in " ".join(printed.split()) and "no evidence" not in printed.lower()
    assert error.startswith("error: --fail-on: needs the predictions")
    assert list(found) == sorted(CLASSES[:3])
    assert [score["base"] for score in found.values()] == pytest.approx([0.7] * 3, abs=0.05)
    assert [score["new"] for score in found.values()] == pytest.approx([0.95] * 3, abs=0.05)


@pytest.mark.fault("a commit older than the table of classes is compared by the reports alone")
def test_a_commit_older_than_the_table_of_classes_is_one_line_of_error(compare, project):
    evaluate = {key: value for key, value in STAGES["evaluate"].items() if key != "plots"}
    project.write("dvc.yaml", yaml.safe_dump({"stages": STAGES | {"evaluate": evaluate}}).encode())
    project.dvc("commit", "--quiet", "--force", "evaluate")
    project.commit("older")

    code, printed, error = compare(project.folder, "older", "before", "--metrics-only")

    assert (code, printed) == (2, "")
    assert error == "error: older: classes.csv: the commit is older than this table; fix: leave out --metrics-only"
    assert compare(project.folder, "older", "before")[0] == 0


# A workspace that was edited, or is damaged


def test_a_workspace_edited_since_its_run_is_noted_and_gets_no_verdict(compare, project):
    project.write("params.yaml", json.dumps({"train": {"epochs": 9, "replicates": 3}}).encode())
    changed = yaml.safe_load((project.folder / "dvc.yaml").read_text(encoding="utf-8"))
    changed["stages"]["evaluate"]["cmd"] = "false"
    project.write("dvc.yaml", yaml.safe_dump(changed).encode())

    noted, printed, _ = compare(project.folder, "before")
    code, nothing, error = compare(project.folder, "before", "--fail-on", "worse")

    older = "the predictions of the workspace are older than dvc.yaml (cmd of evaluate), params.yaml (train)"
    assert noted == 0 and f"Run dvc repro: {older}." in " ".join(printed.split())
    assert (code, nothing) == (2, "")
    assert error == f"error: --fail-on: no verdict, as {older}; fix: dvc repro"


def test_predictions_are_not_older_than_data_that_are_not_checked_out_but_than_code_that_is_gone(compare, project):
    """As in a clone that fetched only what it needs."""
    shutil.rmtree(project.folder / "data")
    _, without_data, _ = compare(project.folder)
    (project.folder / "stages/code.py").unlink()
    _, without_code, _ = compare(project.folder)

    assert "older" not in without_data
    assert "older than stages/code.py." in " ".join(without_code.split())


@pytest.mark.parametrize(
    ("path", "code", "error"),
    [
        ("dvc.yaml", 4, "error: workspace: dvc.yaml: damaged: contains the markers of a merge conflict"),
        ("params.yaml", 2, "error: params.yaml: not YAML; fix: repair the file (git status shows an unfinished merge"),
        (".dvc/config", 2, "error: .dvc/config: config file error: "),
    ],
)
def test_a_file_with_an_unfinished_merge_is_named(compare, project, path, code, error):
    project.write(path, b"<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n")

    ended, printed, last = compare(project.folder)

    assert (ended, printed) == (code, "")
    assert last.startswith(error)


def test_a_damaged_cache_decides_nothing(compare, project):
    """The damaged file is still an array of the same shape."""
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


ANOTHER = "name another revision: git log --oneline -- dvc.lock lists them"


@pytest.mark.parametrize(
    ("recorded", "what"),
    [(False, "damaged (expected MD5 "), (True, "this version of the tool can't read it: train: Field required; ")],
)
def test_metrics_that_were_edited_or_written_by_another_version_of_the_code_are_refused(
    compare, project, recorded, what
):
    project.write("reports/metrics.json", b'{"test": {"accuracy": 1}}')
    if recorded:
        project.dvc("commit", "--quiet", "--force", "evaluate")
    project.commit("other")

    code, printed, error = compare(project.folder, "before", "other", "--metrics-only")

    assert (code, printed) == (4, "")
    assert error.startswith(f"error: other: reports/metrics.json: {what}")
    assert error.endswith(f"; fix: {ANOTHER}")


@pytest.mark.parametrize(
    ("path", "command"),
    [("data/predictions", "dvc checkout --force"), ("reports/metrics.json", "git checkout --")],
)
def test_files_that_are_not_those_of_dvc_lock_are_refused(compare, project, path, command):
    project.write("data/predictions/probabilities.npy" if path == "data/predictions" else path, b"{}")

    code, printed, error = compare(project.folder)

    assert (code, printed) == (4, "")
    assert error == f"error: {path}: not the file that dvc.lock records; fix: {command} {path}, or dvc repro"


def test_the_record_of_an_interrupted_run_is_refused(compare, project):
    """The run ended between normalize and evaluate: a new test set under old predictions, or no predictions at all."""
    record = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    record["stages"]["normalize"]["outs"][1]["md5"] = "f" * 32 + ".dir"
    project.write("dvc.lock", yaml.safe_dump(record).encode())

    code, _, error = compare(project.folder)

    what = "the predictions were made for another version of data/normalized/test"
    assert (code, error) == (4, f"error: workspace: dvc.lock: {what}; fix: dvc repro")

    del record["stages"]["evaluate"]
    project.write("dvc.lock", yaml.safe_dump(record).encode())
    code, _, error = compare(project.folder)
    assert (code, error) == (4, "error: workspace: dvc.lock: records no run of evaluate; fix: dvc repro")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nowhere"], "revision nowhere: unknown Git revision 'nowhere'; fix: name a branch"),
        (["HEAD^{tree}"], "revision HEAD^{tree}: not a commit; fix: name a branch"),
        (["\udcff"], "revision \\udcff: not a commit; fix: name a branch"),
        (["main", ""], "python -m tools.compare: argument new: expected a name, got an empty text"),
        (["-o", ""], "python -m tools.compare: argument -o/--output: expected a name, got an empty text"),
        (["--help-me"], "python -m tools.compare: unrecognized arguments: --help-me; fix: "),
        (
            ["--run", "--metrics-only"],
            "--run: needs the predictions, which --metrics-only does not read; fix: leave out",
        ),
        (["--tolerance", "0", "--metrics-only"], "--tolerance: needs the predictions"),
        (["--tolerance", "nan", "--fail-on", "worse"], "python -m tools.compare: argument --tolerance: expected 0 to"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_of_error(compare, made, arguments, error):
    ended, printed, last = compare(made.folder, *arguments)

    assert (ended, printed) == (2, "")
    assert last.startswith(f"error: {error}")


def test_the_stages_and_the_names_of_the_outputs_are_those_of_the_pipeline():
    """From evaluate up along dependencies, without validate, which only stamps."""
    declared = pipeline.read((ROOT / "dvc.yaml").read_bytes())
    made_by = {output.path: output.stage for output in declared.outputs}
    record = lock.read((ROOT / "dvc.lock").read_bytes())
    found, pending = set(), ["evaluate"]
    while pending:
        found.add(name := pending.pop())
        pending += [made_by[dep.path] for dep in record.stages[name].deps if dep.path in made_by]

    assert found - {"validate"} == set(MADE_BY)
    assert {made_by[declared.path(name)] for name in (*READ, "raw", "train", "model", "history.csv")} == set(MADE_BY)
