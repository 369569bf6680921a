"""An interrupted run is never trusted: after a kill at any point, `dvc repro` gives the bytes of an undisturbed run.

All of it runs under real DVC. The kills come at the events of tests/faults, which no clock moves.
"""

import json
import os
import re
import select
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.project import ROOT

pytestmark = pytest.mark.slow

FAULTS = ROOT / "tests/faults"
REPRO = (sys.executable, "-m", "dvc", "repro")


@pytest.fixture(scope="session")
def reference(baseline):
    return baseline.results()


def forget(project, stage):
    """Make a stage run again, as if its code had been different before."""
    lock = project.folder / "dvc.lock"
    before, entry, after = re.split(rf"(?ms)(^  {stage}:\n.*?(?=^  \w|\Z))", lock.read_text(encoding="utf-8"))
    other = re.sub(r"(?<=path: core/cli\n      hash: md5\n      md5: )\w+", "f" * 32, entry)
    assert other != entry
    lock.write_text(before + other + after, encoding="utf-8")
    shutil.rmtree(project.folder / ".dvc/cache/runs")


def start(project, **fault):
    """Start `dvc repro` with a fault in one of its processes."""
    return project.start(
        *REPRO, PYTHONPATH=str(FAULTS), FAULT=json.dumps(fault), ACTED=str(project.folder.parent / "acted")
    )


def befall(project, **fault):
    """Run `dvc repro` with a fault, and return its exit code and what all its processes printed."""
    acted = project.folder.parent / "acted"
    acted.unlink(missing_ok=True)
    with start(project, **fault) as process:
        printed = process.stdout.read()  # to the end of the pipe, which an orphan holds open too
    assert acted.exists(), f"the fault never came: {printed}"
    return process.returncode, printed


def failure(project):
    """Run `dvc repro`, which must fail, and return what it prints."""
    with project.start(*REPRO) as process:
        printed = process.stdout.read()
    assert process.returncode, printed
    return printed


def fault(program, act, event="", having="", count=1):
    return {"program": program, "event": event, "having": having, "count": count, "act": act}


@pytest.mark.parametrize(
    ("program", "act", "event", "having"),
    [
        ("stages.download", "SIGTERM self", "open", "test/.images.npy."),  # a temporary file has been opened
        ("stages.normalize", "SIGINT group", "os.rename", "labels.npy"),  # one file of an output exists
        ("stages.normalize", "SIGKILL self", "os.rename", "classes.json"),  # one output exists, the next does not
        ("dvc", "SIGKILL group", "open", "dvc.lock', 'w"),  # all outputs exist, and the record of them is being written
        ("stages.train", "limit 2000", "", ""),  # the disk is full, first for Keras, which saves outside the checkout
    ],
)
@pytest.mark.fault("the run after a failed one")
@pytest.mark.fault("a stage fails or is killed with half an output written")
@pytest.mark.fault("a full disk while the network is saved")
@pytest.mark.fault("a temporary file is whole and not renamed; renamed and no more; between two outputs; in download")
@pytest.mark.fault("what they leave in DVC's cache")
def test_a_killed_run_is_repaired_by_the_next(pipeline, reference, program, act, event, having):
    project = pipeline
    forget(project, "normalize" if program == "dvc" else program.removeprefix("stages."))
    code, printed = befall(project, **fault(program, act, event, having))

    assert code and "Traceback" not in printed, printed
    if act.startswith("limit"):
        assert re.search(r"^error: \S+: File too large; fix: mend that, then dvc repro$", printed, re.M)
    elif act in ("SIGTERM self", "SIGINT group"):
        assert f"\nerror: {program}: interrupted; fix: dvc repro starts this stage again\n" in printed
    if program == "dvc":
        project.git("checkout", "--", "dvc.lock")
    project.dvc("repro")
    assert project.results() == reference
    # The results may be right while DVC's cache holds damaged bytes for the next run.
    project.run(sys.executable, "-m", "tools.verify")


@pytest.mark.fault("the first run of all, killed twice")
@pytest.mark.fault("no cache, no remote")
def test_a_first_run_that_is_killed_twice_is_repaired_by_the_third(pipeline, reference):
    """There is no dvc.lock, no cache and no result at the beginning."""
    project = pipeline
    project.git("clean", "-d", "--force", "-x", "--quiet")
    project.git("rm", "--quiet", "-r", "dvc.lock", "reports")
    for program, having in (("stages.download", "test/labels.npy"), ("stages.normalize", "labels.npy")):
        code, printed = befall(project, **fault(program, "SIGKILL group", "os.rename", having))
        assert code == -signal.SIGKILL, printed

    project.dvc("repro")
    assert project.results() == reference


class Held:
    """A `dvc repro` of which a stage waits before it renames a file, until told to go on."""

    def __init__(self, project, program="stages.train", having="0.keras"):
        self.folder = Path(tempfile.mkdtemp(dir=project.folder.parent))
        for name in ("held", "go"):
            os.mkfifo(self.folder / name)
        self.process = start(project, **fault(program, f"hold {self.folder}", "os.rename", having))
        fifo = os.open(self.folder / "held", os.O_RDONLY | os.O_NONBLOCK)
        assert select.select([fifo], [], [], 120)[0], "the stage did not come to that event"
        self.stage = int(os.read(fifo, 20))
        os.close(fifo)

    def __enter__(self):
        return self

    def go(self):
        """Let the stage go on, and return what it and DVC have printed at their end."""
        (self.folder / "go").write_bytes(b"")
        return self.process.stdout.read()

    def __exit__(self, *_):
        with self.process, suppress(ProcessLookupError):  # if all have ended by themselves
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("act", ["SIGKILL group", "SIGINT group"])
@pytest.mark.fault("a training is interrupted after some epochs, and its change undone")
def test_undoing_a_change_brings_back_the_history_of_which_half_was_overwritten(pipeline, reference, act):
    project, history = pipeline, pipeline.folder / "reports/history.csv"
    project.edit("params.yaml", "learning_rate: 0.001", "learning_rate: 0.5")
    code, printed = befall(project, **fault("stages.train", act, "open", "reports/.history.csv.", count=2))

    assert code, printed
    if act == "SIGKILL group":
        table = history.read_text(encoding="utf-8").splitlines()
        assert table[0] == "replicate,epoch,train_loss,train_accuracy" and re.match("[01],0,", table[1])
    else:
        assert not history.exists()
    project.edit("params.yaml", "learning_rate: 0.5", "learning_rate: 0.001")
    assert "Running stage 'train'" not in project.dvc("repro")
    assert project.results() == reference
    project.run(sys.executable, "-m", "tools.verify")


@pytest.mark.fault("DVC alone is killed")
@pytest.mark.fault("an orphan, and a run with another learning rate")
def test_an_orphan_is_not_overtaken(pipeline, reference):
    """DVC alone is killed, and started again with another learning rate. Without the lock, the orphan would write its
    model late, beside a dvc.lock that records the other rate.
    """
    project = pipeline
    forget(project, "train")
    with Held(project) as held:
        held.process.kill()
        held.process.wait()
        project.edit("params.yaml", "learning_rate: 0.001", "learning_rate: 0.5")
        assert (
            "\nerror: .dvc/tmp/stage.lock: a stage of an earlier run is still running (expected none, got process "
            f"{held.stage}); fix: wait until it ends, or run kill {held.stage}; then dvc repro\n"
        ) in failure(project)
        held.go()

    project.dvc("repro", "train")
    assert project.results()["data/model/0.keras"] != reference["data/model/0.keras"]
    project.run(sys.executable, "-m", "tools.verify")


@pytest.mark.fault("two runs at once")
def test_of_two_runs_at_once_one_wins_and_the_other_names_it(pipeline, reference):
    project = pipeline
    forget(project, "normalize")
    with Held(project, "stages.normalize", "labels.npy") as held:
        printed = failure(project)
        assert "is busy, it is being blocked by:" in printed and f"(PID {held.process.pid}): " in printed
        assert "Use `dvc push`" in held.go()
        assert held.process.wait() == 0

    assert project.results() == reference


@pytest.mark.fault("DVC's own lock is damaged")
def test_a_damaged_lock_of_dvc_is_repaired_by_deleting_it(pipeline, reference):
    project = pipeline
    (project.folder / ".dvc/tmp/rwlock").write_bytes(b'{"write": {')
    forget(project, "validate")

    assert "Unable to read RWLock-file" in failure(project)
    (project.folder / ".dvc/tmp/rwlock").unlink()
    project.dvc("repro")
    assert project.results() == reference
