"""Training on a Ray cluster gives what training here does, also where a machine is lost. The quick tests have a
stand-in for `ray` that calls the tasks where they are; the slow ones have real nodes, on the loopback interface.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from core.cli.errors import InputError, NetworkError, StageError
from core.files import arrays, atomic
from core.files.arrays import Split
from stages.train import __main__ as stage
from stages.train import cluster

ROOT = Path(__file__).parents[3]
HERE, THERE, OUTPUTS = "here", "there", ("model", "training.json", "history.csv")
MARK = "NODE_OF_THIS_TEST"
real = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")


@pytest.fixture
def small(project, assign):
    """Twenty batches of images of three classes, and two small networks to be fitted to them."""
    images = np.random.RandomState(0).uniform(size=(640, 28, 28)).astype(np.float32)
    arrays.write_split(Path("train"), Split(images, np.arange(640, dtype=np.uint8) % 3))
    atomic.write_json(Path("classes.json"), ["a", "b", "c"])
    for name, value in {"hidden_units": "8", "dropout": "0.2", "epochs": "2", "replicates": "2"}.items():
        assign("params.yaml", f"train.{name}", value)


def paths(folder):
    return ["train", "classes.json", *(f"{folder}/{name}" for name in OUTPUTS)]


def results(files, folder):
    return {
        path.removeprefix(f"{folder}/"): content for path, content in files.items() if path.startswith(f"{folder}/")
    }


class _TaskError(Exception):
    def __init__(self, cause):
        self.cause = cause


@pytest.fixture
def stand_in(monkeypatch):
    """A module `ray` whose tasks are run when their results are asked for; the last one begun is the first to end."""

    def get(call):
        function, arguments = call
        try:
            return function(*arguments)
        except Exception as error:
            raise _TaskError(error) from error

    def remote(function):
        task = SimpleNamespace(remote=lambda *arguments: (function, Arguments(arguments)))
        return SimpleNamespace(options=lambda **given: calls.append(given) or task)

    class Arguments(tuple):
        __slots__ = ()
        __hash__, __eq__ = object.__hash__, object.__eq__

    calls: list = []
    ray = ModuleType("ray")
    ray.calls, ray.get, ray.remote, ray.put = calls, get, remote, lambda value: value
    ray.init = lambda address, *, runtime_env, **given: calls.append((address, runtime_env["env_vars"]))
    ray.shutdown = lambda: calls.append("shutdown")
    ray.wait = lambda pending: (pending[-1:], pending[:-1])
    ray.nodes = lambda: [{"Alive": True, "Resources": {}}, {"Alive": False, "Resources": {"CPU": 64.0}}]
    ray.exceptions = SimpleNamespace(RayTaskError=_TaskError, RayError=ZeroDivisionError)
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


def run(folder):
    stage.main(*map(Path, paths(folder)))
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.mark.fault("replicates that end in another order")
def test_results_are_put_in_order_and_have_the_same_bytes(small, stand_in, monkeypatch, capsys, assign):
    """Each task is told how many threads share an operation, as its machine does not know."""
    assign("params.yaml", "train.threads", "2")
    shared = []
    monkeypatch.setattr(stage.runtime, "share_operations", shared.append)
    monkeypatch.setattr(cluster, "share_operations", shared.append)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    here = run(HERE)
    said = capsys.readouterr().out.splitlines()
    assert stand_in.calls == []
    assert shared == [2]
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    there = run(THERE)

    assert len(here) == 4
    assert there == here
    assert shared == [2, 2, 2, 2]
    notice, *lines = capsys.readouterr().out.splitlines()
    assert notice == "waiting for a machine of 2 cores: so far the cluster has none"
    assert sorted(lines) == sorted(2 * said)  # by the tasks, whose output stays on their machines, and by the stage
    assert stand_in.calls == [("auto", {}), {"num_cpus": 2, "max_retries": 5}, "shutdown"]


def test_how_much_memory_images_may_take_is_said_to_the_tasks(small, stand_in, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setenv("MEMORY_LIMIT_MB", "1")
    run(THERE)

    assert stand_in.calls[0] == ("auto", {"MEMORY_LIMIT_MB": "1"})


@pytest.mark.fault("bad params, or an interrupt, while a cluster trains")
def test_what_a_task_raises_is_raised_here(small, stand_in, monkeypatch, assign):
    assign("params.yaml", "train.batch_size", "641")
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with pytest.raises(InputError, match="larger than the images to train on"):
        run(THERE)
    assert stand_in.calls[-1] == "shutdown"
    assert not Path(THERE).exists()


@pytest.mark.fault("a machine of the cluster with other packages, ray not installed")
def test_a_machine_with_other_packages_is_refused(small, stand_in, monkeypatch):
    monkeypatch.setattr(cluster, "version", lambda name: {"keras": "0.1"}.get(name) or version(name))
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with pytest.raises(
        StageError, match=f"expected keras 0.1, got keras {version('keras')}.; fix: install requirements"
    ):
        run(THERE)


@pytest.mark.fault("a cluster that nobody answers for, or that fails")
def test_an_address_where_nobody_listens_is_said_before_ray_is_asked(small, stand_in, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for scheme in ("", "ray://"):
        monkeypatch.setenv("RAY_ADDRESS", f"{scheme}127.0.0.1:{port}")
        with pytest.raises(NetworkError, match=f"no cluster to train on at {scheme}127.0.0.1:{port}: "):
            run(THERE)
    assert stand_in.calls == []


@pytest.mark.fault("a cluster that nobody answers for, or that fails")
def test_a_cluster_that_fails_or_refuses_is_one_line_and_is_let_go(small, stand_in, monkeypatch):
    """Amid the training, as where its first machine is lost, and at the start."""
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    def fail(error):
        raise error

    monkeypatch.setattr(stand_in, "wait", lambda pending: fail(ZeroDivisionError("\nthe head is gone\nand more")))
    with pytest.raises(
        StageError, match=r"^RAY_ADDRESS: the cluster at auto failed: the head is gone; fix: mend the cluster"
    ) as caught:
        run(THERE)
    assert caught.value.exit_code == 1

    monkeypatch.setattr(stand_in, "init", lambda *arguments, **given: fail(ConnectionError("no\n answer")))
    with pytest.raises(NetworkError, match=r"^RAY_ADDRESS: no cluster to train on at auto: no answer; fix: start it"):
        run(THERE)
    assert stand_in.calls.count("shutdown") == 2
    assert not Path(THERE).exists()


@pytest.mark.fault("a machine of the cluster with other packages, ray not installed")
def test_without_ray_there_is_a_line_that_says_how_to_get_it(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with pytest.raises(StageError, match="ray is not installed; fix: pip install 'ray") as caught:
        run(THERE)
    assert caught.value.exit_code == 1


def processes(mark):
    """Return the ids of the processes begun with this value of MARK in their environment, or in that of a parent."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:  # it has ended meanwhile, or is not ours
            continue
    return found


def kill(mark):
    """Kill all processes of a node at once, as if its machine had lost power, and see them go."""
    until(lambda: not [_killed(process) for process in processes(mark)])


def _killed(process):
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def until(condition):
    """Wait for what another process brings about, and for no longer than any machine takes."""
    deadline = time.monotonic() + 90
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


class Cluster:
    """Two nodes of one core each. The driver's is the first, so the second can be lost."""

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
        with open(self.folder / f"{number}.log", "w", encoding="utf-8") as log:  # no pipe: its daemons would hold it
            subprocess.run(
                [*command, *common], env=environment, cwd=self.folder, stdout=log, stderr=log, check=True, timeout=120
            )

    def add(self):
        self.start(1, f"--address={self.address}", "--node-ip-address=127.0.0.2")

    def said(self, number):
        """Return what the tasks on a node have printed."""
        logs = (self.folder / str(number)).glob("session_2*/logs/worker-*.out")
        return [line for log in logs for line in log.read_text(encoding="utf-8").splitlines() if "epoch" in line]


@pytest.fixture
def nodes():
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets lie below it: their paths may not be long
    try:
        yield Cluster(folder)
    finally:
        for number in range(2):
            kill(f"{folder}/{number}")
        shutil.rmtree(folder, ignore_errors=True)


def start_stage(nodes):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": nodes.address, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "stages.train", *paths(THERE)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def stated(complaints):
    """Return what is on stderr without Ray's log: where there is no network, it complains of that at its start."""
    return "".join(line for line in complaints.splitlines(keepends=True) if not line.startswith("[20"))


@real
@pytest.mark.slow
@pytest.mark.fault("a machine of the cluster is lost")
def test_the_loss_of_a_machine_changes_no_byte(small, assign, run_stage, nodes):
    assign("params.yaml", "train.replicates", "4")
    assign("params.yaml", "train.epochs", "200")
    nodes.add()
    with start_stage(nodes) as driver:
        begun = until(lambda: nodes.said(1))[0].split()[1]
        kill(nodes.marks[1])
        said, complaints = driver.communicate(timeout=240)
    lost, kept = nodes.said(1), nodes.said(0)
    here = run_stage("stages.train", *paths(HERE))
    files = {str(path): path.read_bytes() for path in Path(THERE).rglob("*") if path.is_file()}

    assert driver.returncode == 0, complaints
    assert stated(complaints) == ""
    assert not [line for line in lost if "epoch 200/200" in line]
    assert [line for line in kept if line.startswith(f"replicate {begun} ") and "epoch 200/200" in line]
    assert here.code == 0, here.stderr
    assert sorted(results(here.after, HERE)) == sorted(
        [*(f"model/{replicate}.keras" for replicate in range(4)), "training.json", "history.csv"]
    )
    assert results(files, THERE) == results(here.after, HERE)
    lines = [line for line in said.splitlines() if line.startswith("replicate ")]  # Ray tells of the loss besides
    assert sorted(lines) == sorted(here.stdout.splitlines())


@real
@pytest.mark.slow
@pytest.mark.fault("bad params, or an interrupt, while a cluster trains")
def test_a_failure_is_said_as_here_and_an_interrupt_ends_the_tasks(small, assign, run_stage, nodes):
    assign("params.yaml", "train.batch_size", "641")
    here, there = run_stage("stages.train", *paths(HERE)), start_stage(nodes)
    said, complaints = there.communicate(timeout=120)

    assert (there.returncode, said, stated(complaints)) == (here.code, here.stdout, here.stderr) == (2, "", here.stderr)

    assign("params.yaml", "train.batch_size", "32")
    assign("params.yaml", "train.epochs", "10000")
    there = start_stage(nodes)
    until(lambda: nodes.said(0))
    there.send_signal(signal.SIGINT)
    said, complaints = there.communicate(timeout=60)

    assert there.returncode == 130
    assert said == ""
    assert stated(complaints) == "error: stages.train: interrupted; fix: dvc repro starts this stage again\n"
    until(lambda: not tasks(nodes))
    assert not Path(THERE).exists()


def tasks(nodes):
    """Return the names of the processes in which a task runs."""
    lines = []
    for process in processes(nodes.marks[0]):
        try:
            lines.append(Path(f"/proc/{process}/cmdline").read_bytes())
        except OSError:
            continue
    return [line for line in lines if line.startswith(b"ray::task")]
