"""An interrupted run is never trusted: wherever the pipeline is killed, one plain `dvc repro` gives the bytes of a run
that was not. All of it under real DVC; the points are those of tests/faults, which no clock moves.
"""

import json
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from itertools import cycle, islice, product
from pathlib import Path

import pytest

from tests.project import ALL, ROOT, Project

pytestmark = pytest.mark.slow

FAULTS = ROOT / "tests/faults"
REPRO = (sys.executable, "-m", "dvc", "repro")
SMALL = {
    "datasets.yaml": {"{train: 12000, test: 2000}": "{train: 100, test: 40}"},
    "params.yaml": {
        "name: fashion_mnist": "name: garments",
        "hidden_units: 128": "hidden_units: 8",
        "epochs: 10": "epochs: 2",
        "replicates: 5": "replicates: 2",
        "  - 0\n  - 12\n": "  - 0\n",
        "mistakes: 15": "mistakes: 1",
        "dpi: 100": "dpi: 50",
    },
}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The pipeline, run once; and the number of audit events in each of its processes."""
    project = Project.copied(tmp_path_factory.mktemp("baseline") / "project")
    for name, changes in SMALL.items():
        for old, new in changes.items():
            project.edit(name, old, new)
    project.git("init", "--quiet")
    project.commit("pipeline")
    project.events = counted(project)
    assert set(project.events) == {"dvc", *(f"stages.{name}" for name in ALL)}
    project.commit("run")
    again = copy(project, tmp_path_factory.mktemp("again"))
    forget(again, "normalize")
    project.events["dvc"] = counted(again)["dvc"]  # where one stage runs and the others are skipped
    return project


def counted(project):
    folder = project.folder.parent / "events"
    folder.mkdir()
    with project.start(*REPRO, PYTHONPATH=str(FAULTS), EVENTS=str(folder)) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    return {file.name: int(file.read_text(encoding="utf-8")) for file in folder.iterdir()}


def copy(project, folder):
    shutil.copytree(project.folder, folder / "project", symlinks=True)
    return Project(folder / "project")


def forget(project, stage):
    """Let a stage run anew: as if it had been run with other code, and never with this."""
    lock = project.folder / "dvc.lock"
    before, entry, after = re.split(rf"(?ms)(^  {stage}:\n.*?(?=^  \w|\Z))", lock.read_text(encoding="utf-8"))
    other = re.sub(r"(?<=core/cli/command.py\n      hash: md5\n      md5: )\w+", "f" * 32, entry)
    assert other != entry
    lock.write_text(before + other + after, encoding="utf-8")
    shutil.rmtree(project.folder / ".dvc/cache/runs")


@pytest.fixture
def project(baseline, tmp_path):
    """A copy of the baseline that a test may change."""
    return copy(baseline, tmp_path)


@pytest.fixture(scope="module")
def reference(baseline):
    return results(baseline)


def results(project):
    """Return the bytes of dvc.lock and of all that the stages write, temporary files and whatever else is there too."""
    folders = (project.folder / "data", project.folder / "reports")
    files = [project.folder / "dvc.lock", *(path for folder in folders for path in folder.rglob("*") if path.is_file())]
    return {path.relative_to(project.folder).as_posix(): path.read_bytes() for path in files}


def start(project, *targets, **fault):
    """Start `dvc repro`, a process of which the fault befalls."""
    return project.start(
        *REPRO, *targets, PYTHONPATH=str(FAULTS), FAULT=json.dumps(fault), ACTED=str(project.folder.parent / "acted")
    )


def befall(project, **fault):
    """Run `dvc repro` into a fault, and return its exit code and what was printed by the end of all its processes."""
    acted = project.folder.parent / "acted"
    acted.unlink(missing_ok=True)
    with start(project, **fault) as process:
        printed = process.stdout.read()  # to the end of the pipe, which an orphan holds as well
    assert acted.exists(), f"the fault never came: {printed}"
    return process.returncode, printed


def verify(project):
    """Let tools.verify look into DVC's cache too: a run may be right and leave behind what poisons the next."""
    with project.start(sys.executable, "-m", "tools.verify", PYTHONPATH=str(ROOT)) as process:
        printed = process.stdout.read()
    assert process.returncode == 0, printed


def fault(program, act, *, event="", having="", count=1):
    return {"program": program, "event": event, "having": having, "count": count, "act": act}


def drawn():
    """Return 20 kill points: 6 of DVC and 14 of the stages in turn, each signal to each target, and when by chance, of
    a seed.
    """
    chance, signals = random.Random(20), ["SIGKILL", "SIGTERM", "SIGINT"]
    of_dvc = zip(cycle(["dvc"]), product(signals, ["self", "group"]), strict=False)
    of_stages = zip(
        cycle(f"stages.{name}" for name in ALL), cycle(product(signals, ["self", "parent", "group"])), strict=False
    )
    for number, (program, (name, target)) in enumerate([*of_dvc, *islice(of_stages, 14)]):
        act = f"{name} {target}"
        yield pytest.param(program, act, chance.uniform(0.02, 0.98), id=f"{number}-{program}-{act}".replace(" ", "-"))


@pytest.mark.parametrize(("program", "act", "share"), list(drawn()))
@pytest.mark.fault("twenty, of a seed: each of three signals to a stage, to DVC and to the group, and when by chance")
@pytest.mark.fault("what they leave in DVC's cache")
def test_a_run_killed_anywhere_is_made_good_by_the_next(project, baseline, reference, program, act, share):
    forget(project, "normalize" if program == "dvc" else program.removeprefix("stages."))
    code, printed = befall(project, **fault(program, act, count=round(share * baseline.events[program])))

    # While a stage runs, DVC itself does not heed Ctrl-C.
    assert code or act == "SIGINT parent", printed
    project.dvc("repro")
    assert results(project) == reference
    verify(project)


@pytest.mark.parametrize(
    ("program", "act", "event", "having"),
    [
        ("stages.train", "SIGKILL self", "os.rename", "0.keras"),  # a temporary file is whole, and not yet renamed
        ("stages.train", "SIGKILL parent", "os.rename", "1.keras"),  # one file of an output is there, the other is not
        ("stages.train", "SIGTERM self", "os.rename", "history.csv"),  # one output is there, the next is not
        ("stages.train", "SIGKILL group", "os.remove", "training.json"),  # all outputs are there, and no more happened
        ("stages.download", "SIGTERM self", "open", ".t10k-images-idx3-ubyte.gz."),  # a temporary file was just opened
        ("stages.normalize", "SIGINT group", "os.rename", "labels.npy"),
        ("stages.normalize", "limit 2000", "", ""),  # as when the disk is full
        ("stages.train", "limit 2000", "", ""),  # already for Keras, which saves to a file elsewhere
        ("stages.evaluate", "limit 3000", "open", ".probabilities.npy."),
    ],
)
@pytest.mark.fault("the run after a failed one")
@pytest.mark.fault("a full disk while the network is saved")
@pytest.mark.fault("a temporary file is whole and not renamed; renamed and no more; between two outputs; in download")
@pytest.mark.fault("what they leave in DVC's cache")
def test_a_run_killed_amid_its_writing_is_made_good_by_the_next(project, reference, program, act, event, having):
    forget(project, program.removeprefix("stages."))
    recorded = (project.folder / "dvc.lock").read_bytes()
    code, printed = befall(project, **fault(program, act, event=event, having=having))

    assert code and "Traceback" not in printed, printed
    assert (project.folder / "dvc.lock").read_bytes() == recorded
    if act.startswith("limit"):
        assert re.search(
            r"^error: (data/.+\.npy|stages\.train): File too large; fix: mend that, then dvc repro$", printed, re.M
        )
    elif act in ("SIGTERM self", "SIGINT group"):
        assert f"\nerror: {program}: interrupted; fix: dvc repro starts this stage again\n" in printed
    project.dvc("repro")
    assert results(project) == reference
    verify(project)


@pytest.mark.fault("the first run of all, killed twice")
def test_a_first_run_that_is_killed_twice_is_made_good_by_the_third(project, baseline, reference):
    """Nothing is there to begin with: no dvc.lock, no cache, no results."""
    project.git("clean", "-d", "--force", "-x", "--quiet")
    project.git("rm", "--quiet", "-r", "dvc.lock", "reports")
    for program in ("stages.normalize", "dvc"):
        code, printed = befall(project, **fault(program, "SIGKILL group", count=baseline.events[program] // 2))
        assert code == -signal.SIGKILL, printed

    project.dvc("repro")
    assert results(project) == reference


@pytest.mark.fault("killed in an epoch")
def test_training_killed_in_an_epoch_starts_from_the_beginning(project, reference):
    """Not from what it had learned. The number of epochs leaves it no time to end before it is killed."""
    project.edit("params.yaml", "epochs: 2", "epochs: 10000")
    recorded = project.lock()["train"]
    with project.start(*REPRO) as process:
        while "epoch" not in (line := process.stdout.readline()):
            assert line, "no epoch was told of"
        os.kill(holder(project), signal.SIGKILL)
        assert "failed to reproduce 'train'" in process.stdout.read()

    assert project.lock()["train"] == recorded
    project.edit("params.yaml", "epochs: 10000", "epochs: 2")
    forget(project, "train")
    project.dvc("repro")
    assert results(project) == reference


def holder(project):
    """Return the process that has the lock."""
    return int((project.folder / ".dvc/tmp/stage.lock").read_text(encoding="utf-8"))


class Held:
    """A `dvc repro` whose training has come to an event, and waits there until let go."""

    def __init__(self, project, *targets, event="os.rename", having="0.keras"):
        self.folder = Path(tempfile.mkdtemp(dir=project.folder.parent))
        for name in ("held", "go"):
            os.mkfifo(self.folder / name)
        waits = fault("stages.train", f"hold {self.folder}", event=event, having=having)
        self.process = start(project, *targets, **waits)
        fifo = os.open(self.folder / "held", os.O_RDONLY | os.O_NONBLOCK)
        assert select.select([fifo], [], [], 120)[0], "training did not come to that event"
        self.stage = int(os.read(fifo, 20))
        os.close(fifo)

    def __enter__(self):
        return self

    def go(self):
        """Let the stage go on, and return what was printed by its end and that of DVC."""
        (self.folder / "go").write_bytes(b"")
        return self.process.stdout.read()

    def __exit__(self, *_):
        with self.process, suppress(ProcessLookupError):  # where all have ended by themselves
            os.killpg(self.process.pid, signal.SIGKILL)


def failure(project):
    """Run `dvc repro`, which is to fail, and return what is printed."""
    with project.start(*REPRO) as process:
        printed = process.stdout.read()
    assert process.returncode == 255, printed
    return printed


@pytest.mark.parametrize("rate", ["0.001", "0.5"])
@pytest.mark.fault("DVC alone is killed")
@pytest.mark.fault("an orphan, and a run with another learning rate")
def test_an_orphan_is_not_overtaken(project, baseline, reference, tmp_path_factory, rate):
    """DVC alone is killed, and started again at once, with another learning rate or the same. The lock apart, what the
    orphan writes late would stand beside what dvc.lock says of the later run: a model of another rate than recorded.
    """
    if rate != "0.001":
        other = copy(baseline, tmp_path_factory.mktemp("undisturbed"))
        other.edit("params.yaml", "learning_rate: 0.001", f"learning_rate: {rate}")
        other.dvc("repro")
        assert results(other)["data/model/0.keras"] != reference["data/model/0.keras"]
        reference = results(other)
    forget(project, "train")
    with Held(project) as held:
        held.process.kill()
        held.process.wait()
        project.edit("params.yaml", "learning_rate: 0.001", f"learning_rate: {rate}")
        assert (
            "\nerror: .dvc/tmp/stage.lock: a stage of an earlier run still goes on "
            f"(expected none, got process {held.stage}); fix: wait for it, or kill {held.stage}; then dvc repro\n"
        ) in failure(project)
        held.go()

    project.dvc("repro")
    assert results(project) == reference


@pytest.mark.fault("DVC alone is killed")
@pytest.mark.fault("an orphan that ends between DVC's deleting of outputs and the start of their stage")
def test_an_orphan_that_ends_amid_the_imports_of_the_next_run_leaves_nothing_in_it(project, reference):
    """It makes two networks, and the later run but one. DVC had deleted both; the lock is free when it is asked for."""
    forget(project, "train")
    with Held(project, event="os.mkdir", having="data/model") as orphan:
        orphan.process.kill()
        orphan.process.wait()
        project.edit("params.yaml", "replicates: 2", "replicates: 1")
        with Held(project, "--single-item", "train", event="import", having="'keras'") as later:
            orphan.go()
            printed = later.go()
            assert later.process.wait() == 255, printed

    what = "there already, by a stage of an earlier run that ended only now; fix: dvc repro"
    names = ("data/model", "data/training.json", "reports/history.csv")
    assert "".join(f"error: {name}: {what}\n" for name in names) in printed
    project.edit("params.yaml", "replicates: 1", "replicates: 2")
    project.dvc("repro")
    assert results(project) == reference


@pytest.mark.fault("two runs at once")
def test_of_two_runs_at_once_one_wins_and_the_other_names_it(project, reference):
    forget(project, "train")
    with Held(project) as held:
        printed = failure(project)
        assert "is busy, it is being blocked by:" in printed and f"(PID {held.process.pid}): " in printed
        assert "Use `dvc push`" in held.go()
        assert held.process.wait() == 0

    assert results(project) == reference


def test_what_an_orphan_writes_over_a_run_that_was_restored_is_seen_and_mended(project, reference):
    """No stage runs then that could find the lock taken: DVC brings the earlier results from its cache."""
    project.edit("params.yaml", "learning_rate: 0.001", "learning_rate: 0.5")
    with Held(project, event="os.mkdir", having="data/model") as held:
        held.process.kill()
        held.process.wait()
        project.edit("params.yaml", "learning_rate: 0.5", "learning_rate: 0.001")
        assert project.repro() == ([], ["validate", "train"])
        assert results(project) == reference
        held.go()
    assert results(project)["data/model/0.keras"] != reference["data/model/0.keras"]

    assert re.search(r"modified:\s+data/model", project.dvc("status"))
    project.dvc("repro")
    assert results(project) == reference


@pytest.mark.fault("DVC's own lock is damaged")
def test_the_lock_file_of_dvc_damaged_by_a_kill_is_mended_by_removing_it(project, reference):
    (project.folder / ".dvc/tmp/rwlock").write_bytes(b'{"write": {')
    forget(project, "validate")

    assert "Unable to read RWLock-file" in failure(project)
    (project.folder / ".dvc/tmp/rwlock").unlink()
    project.dvc("repro")
    assert results(project) == reference


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"", "'./dvc.lock' validation failed"),
        (
            b"<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '2.0'\n>>>>>>> other\n",
            "'./dvc.lock' is invalid (possible merge conflicts)",
        ),
    ],
)
@pytest.mark.fault("dvc.lock is empty, or has the marks of a merge")
def test_a_damaged_dvc_lock_is_mended_by_taking_that_of_a_commit(project, reference, damage, said):
    (project.folder / "dvc.lock").write_bytes(damage)
    assert said in failure(project)

    project.git("checkout", "--", "dvc.lock")
    assert "Data and pipelines are up to date." in project.dvc("repro")
    assert results(project) == reference


@pytest.mark.fault("no git repository")
def test_without_git_dvc_is_told_so(project, reference):
    """As in the archive of the source that a git host offers."""
    shutil.rmtree(project.folder / ".git")

    with project.start(*REPRO) as process:
        assert "is not a git repository" in process.stdout.read()
    assert process.returncode
    project.dvc("config", "--local", "core.no_scm", "true")
    project.dvc("repro")
    assert results(project) == reference
