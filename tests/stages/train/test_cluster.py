"""Training on a Ray cluster. The slow tests have a cluster of two nodes on the loopback interface."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import NetworkError, StageError
from core.files import arrays, atomic
from core.files.arrays import Split
from stages.train import __main__ as stage
from stages.train import cluster
from tests.conftest import ROOT, write_split

HERE, THERE, OUTPUTS = "here", "there", ("model", "training.json", "history.csv")
MARK = "NODE_OF_THIS_TEST"
real = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")


@pytest.fixture
def small(project, assign):
    """Twenty batches of colour images of three classes, validation images, and two small networks."""
    images = np.random.RandomState(0).uniform(size=(700, 16, 16, 3)).astype(np.float32)
    labels = (np.arange(700) % 3).astype(np.uint8)
    write_split(Path("train"), Split(images[:640], labels[:640]))
    write_split(Path("train", arrays.VALIDATION), Split(images[640:], labels[640:]))
    atomic.write_json(Path("classes.json"), ["a", "b", "c"])
    for name, value in {"hidden_units": "8", "dropout": "0.2", "epochs": "2", "replicates": "2"}.items():
        assign("params.yaml", f"train.{name}", value)


def paths(folder):
    return ["train", "classes.json", *(f"{folder}/{name}" for name in OUTPUTS)]


def results(files, folder):
    return {
        path.removeprefix(f"{folder}/"): content for path, content in files.items() if path.startswith(f"{folder}/")
    }


@pytest.mark.parametrize("scheme", ["", "ray://"])
@real
@pytest.mark.fault("a cluster that nobody answers for, or that fails")
def test_an_address_where_no_cluster_answers_is_refused_at_once(small, monkeypatch, scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)

    with pytest.raises(NetworkError, match=f"^RAY_ADDRESS: no cluster to train on at {address}: .*; fix: start it, or"):
        stage.main(*map(Path, paths(THERE)))
    assert not Path(THERE).exists()


@pytest.mark.fault("a machine of the cluster with other packages, ray not installed")
def test_without_ray_the_error_says_how_to_install_it(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with pytest.raises(StageError, match="ray is not installed; fix: pip install 'ray"):
        stage.main(*map(Path, paths(THERE)))


@pytest.mark.fault("a machine of the cluster with other packages, ray not installed")
def test_a_task_returns_the_versions_of_a_machine_with_other_packages():
    wanted = {name: version(name) for name in cluster.PACKAGES}

    assert cluster._task()(wanted | {"keras": "0.1", "nowhere": "1"}, *[None] * 5) == wanted | {"nowhere": "none"}


def processes(mark):
    """Return the ids of the processes that were started with this value of MARK, and of their children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or belongs to another user
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def kill(mark):
    """Kill all processes of a node at once, as if its machine had lost power."""

    def gone():
        for process in (found := processes(mark)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not found

    until(gone)


def until(condition):
    """Wait until a condition is true, and return its value."""
    deadline = time.monotonic() + 90
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


class Cluster:
    """Two nodes of one core each. The driver connects to the first, so the second can be lost."""

    def __init__(self, folder: Path):
        self.folder, self.marks = folder, [f"{folder}/{number}" for number in range(2)]
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self.start(0, "--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--include-dashboard=false")

    def start(self, number, *options):
        (self.folder / str(number)).mkdir()
        command = [Path(sys.executable).parent / "ray", "start", *options, f"--temp-dir={self.marks[number]}"]
        common = ["--num-cpus=1", f"--object-store-memory={10**8}", "--min-worker-port=0", "--max-worker-port=0"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "PYTHON"))}
        environment |= {MARK: self.marks[number], "RAY_USAGE_STATS_ENABLED": "0"}
        with open(self.folder / f"{number}.log", "w", encoding="utf-8") as log:  # its daemons would keep a pipe open
            subprocess.run(
                [*command, *common], env=environment, cwd=self.folder, stdout=log, stderr=log, check=True, timeout=120
            )

    def add(self):
        self.start(1, f"--address={self.address}", "--node-ip-address=127.0.0.2")

    def printed(self, number):
        """Return the lines that the tasks on a node have printed."""
        logs = (self.folder / str(number)).glob("session_2*/logs/worker-*.out")
        return [line for log in logs for line in log.read_text(encoding="utf-8").splitlines() if "epoch" in line]

    def tasks(self):
        """Return the processes of the first node in which a task runs."""
        lines = []
        for process in processes(self.marks[0]):
            with suppress(OSError):
                lines.append(Path(f"/proc/{process}/cmdline").read_bytes())
        return [line for line in lines if line.startswith(b"ray::task")]


@pytest.fixture
def nodes():
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # the paths of sockets below it must be short
    try:
        yield Cluster(folder)
    finally:
        for number in range(2):
            kill(f"{folder}/{number}")
        shutil.rmtree(folder, ignore_errors=True)


def start_stage(nodes):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": nodes.address, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "stages.train", *paths(THERE)]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # A shell that runs the tests in the background makes them ignore SIGINT.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def without_log(stderr):
    """Return stderr without Ray's log: without a network, Ray complains when it starts."""
    return "".join(line for line in stderr.splitlines(keepends=True) if not line.startswith("[20"))


@real
@pytest.mark.slow
@pytest.mark.fault("a machine of the cluster is lost")
@pytest.mark.fault("replicates that end in another order")
def test_the_loss_of_a_machine_changes_no_byte(small, assign, run_stage, nodes):
    assign("params.yaml", "train.replicates", "4")
    assign("params.yaml", "train.epochs", "200")
    nodes.add()
    with start_stage(nodes) as driver:
        begun = until(lambda: nodes.printed(1))[0].split()[1]
        kill(nodes.marks[1])
        stdout, stderr = driver.communicate(timeout=240)
    lost, kept = nodes.printed(1), nodes.printed(0)
    here = run_stage("stages.train", *paths(HERE))
    files = {str(path): path.read_bytes() for path in Path(THERE).rglob("*") if path.is_file()}

    assert driver.returncode == 0, stderr
    assert without_log(stderr) == ""
    assert not [line for line in lost if "epoch 200/200" in line]
    assert [line for line in kept if line.startswith(f"replicate {begun} ") and "epoch 200/200" in line]
    assert here.code == 0, here.stderr
    models = [f"model/{replicate}.keras" for replicate in range(4)]
    assert sorted(results(here.after, HERE)) == sorted([*models, "training.json", "history.csv"])
    assert results(files, THERE) == results(here.after, HERE)
    assert b"validation_loss" in files[f"{THERE}/history.csv"]
    lines = [line for line in stdout.splitlines() if line.startswith("replicate ")]  # Ray prints that it lost a machine
    assert sorted(lines) == sorted(here.stdout.splitlines())


@real
@pytest.mark.slow
@pytest.mark.fault("bad params, or an interrupt, while a cluster trains")
def test_an_error_of_a_task_is_raised_here_and_an_interrupt_ends_the_tasks(small, assign, run_stage, nodes):
    assign("params.yaml", "train.batch_size", "641")
    here, there = run_stage("stages.train", *paths(HERE)), start_stage(nodes)
    stdout, stderr = there.communicate(timeout=120)

    assert (there.returncode, stdout, without_log(stderr)) == (here.code, here.stdout, here.stderr)
    assert (here.code, here.stdout) == (2, "")

    assign("params.yaml", "train.batch_size", "32")
    assign("params.yaml", "train.epochs", "10000")
    there = start_stage(nodes)
    until(lambda: nodes.printed(0))
    there.send_signal(signal.SIGINT)
    stdout, stderr = there.communicate(timeout=60)

    assert (there.returncode, stdout) == (130, "")
    assert without_log(stderr) == "error: stages.train: interrupted; fix: dvc repro starts this stage again\n"
    until(lambda: not nodes.tasks())
    assert not Path(THERE).exists()
