"""Replicates on the machines of a Ray cluster: a task each, with the same result as here.

Used where RAY_ADDRESS names a cluster; nobody else needs `ray`, or waits for its import. The images go to the cluster's
object store once, and tasks on one machine share that machine's copy. The code of the stages goes along: what a machine
of the cluster needs is `ray` and the packages of requirements.lock. With other versions than here it is refused, as its
networks would have other bytes. The replicate of a machine that is lost is trained again on another.
"""

import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from core.cli.errors import NetworkError, Problem, StageError
from core.config.params import Train
from core.files.arrays import Split
from core.networks.runtime import share_operations
from stages.train import loop, memory, trainer
from stages.train.history import Row, line

# What a task imports. The first three may show in the networks; without the others it could not start.
PACKAGES = ("keras", "numpy", "tensorflow", "pydantic", "pyyaml")
# How often a replicate is begun again when its machine is lost: one that ends machines has to end itself.
RETRIES = 5
# Ray itself gives up after two minutes, and says so in its own way.
TIMEOUT_S = 5
CODE = Path(__file__).parents[2]
ELSEWHERE = "unset RAY_ADDRESS to train on this machine"

Fitted = tuple[list[np.ndarray], list[Row]]


def fit(split: Split, classes: int, settings: Train, address: str) -> list[trainer.Run]:
    """Return what `trainer.fit` does, trained on the cluster at `address`, a value of RAY_ADDRESS.

    Raises what `trainer.fit` does; NetworkError where no cluster answers; StageError where `ray` is not installed, a
    machine has other packages than this one, or the cluster fails.
    """
    with _connected(address) as ray:
        # As a mapped array, which is a subclass, pickle would copy it, and each task would again.
        images, labels = ray.put(np.asarray(split.images)), ray.put(np.asarray(split.labels))
        task = ray.remote(_task()).options(num_cpus=settings.threads, max_retries=RETRIES)
        given = {name: version(name) for name in PACKAGES}, images, labels, classes, settings.model_dump()
        replicates = {task.remote(*given, replicate): replicate for replicate in range(settings.replicates)}
        if settings.threads > max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]):
            print(f"waiting for a machine of {settings.threads} cores: so far the cluster has none")
        runs = {}
        for finished, (values, history) in _finished(ray, list(replicates)):
            replicate = replicates[finished]
            for row in history[1:]:
                print(line(replicate, settings.epochs, row))
            runs[replicate] = trainer.restore(split.images.shape[1:], classes, settings, replicate, values, history)
    return [runs[replicate] for replicate in range(settings.replicates)]


def fit_replicate(images: np.ndarray, labels: np.ndarray, classes: int, settings: Train, replicate: int) -> Fitted:
    """Return what `trainer.restore` makes a run of, in a process of the cluster."""
    share_operations(settings.threads)
    (run,) = trainer.fit(Split(images, labels), classes, settings, [replicate])
    return loop.values(run.model.variables), run.history


def _task() -> Callable[..., dict[str, str] | Fitted]:
    """Return the task: the result of a replicate, or the versions found where they are not those wanted.

    A function within a function is sent as code, others as a name to import; but `stages` can't be imported where
    packages are missing.
    """

    def task(wanted, images, labels, classes, settings, replicate):
        from importlib.metadata import distributions

        found = {name: next((each.version for each in distributions(name=name)), "none") for name in wanted}
        if found != wanted:
            return found
        from core.config.params import Train
        from stages.train import cluster

        return cluster.fit_replicate(images, labels, classes, Train(**settings), replicate)

    return task


def _finished(ray: Any, pending: list) -> Iterator[tuple[Any, Fitted]]:
    """Yield each task and its result as they come in. Raises the StageError of the first that fails."""
    while pending:
        (first, *_), pending = ray.wait(pending)
        try:
            result = ray.get(first)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        if isinstance(result, dict):
            raise _other_packages(result)
        yield first, result


def _other_packages(found: dict[str, str]) -> StageError:
    what, fix = "a machine of the cluster has other packages", f"install requirements.lock there, or {ELSEWHERE}"
    differing = [name for name in PACKAGES if found[name] != version(name)]
    expected = ", ".join(f"{name} {version(name)}" for name in differing)
    got = ", ".join(f"{name} {found[name]}" for name in differing)
    return StageError(Problem("RAY_ADDRESS", what, expected=expected, got=got, fix=fix))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Yield the module `ray`, connected. To disconnect ends the tasks that are still running."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or else Ray announces a change in what it does to GPUs
    }
    try:
        import ray
    except ModuleNotFoundError as error:
        fix = f"pip install 'ray[client]' in the cluster's version, or {ELSEWHERE}, then dvc repro"
        raise StageError(Problem("RAY_ADDRESS", "names a Ray cluster, but ray is not installed", fix=fix)) from error
    _check_reachable(address)
    try:
        _connect(ray, address)
        yield ray
    except ray.exceptions.RayError as error:
        what = f"the cluster at {address} failed: {str(error).strip().splitlines()[0]}"
        raise StageError(
            Problem("RAY_ADDRESS", what, fix=f"mend the cluster, or {ELSEWHERE}, then dvc repro")
        ) from error
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for floor in ("core", "stages"):
            shutil.copytree(CODE / floor, Path(folder) / floor, ignore=shutil.ignore_patterns("__pycache__"))
        # As working_dir and not as py_modules: before these a machine looks into its own folder of this one's name.
        said = {name: os.environ[name] for name in [memory.LIMIT] if name in os.environ}
        environment = {"working_dir": folder, "env_vars": said}
        given = {"runtime_env": environment, "log_to_driver": False, "logging_level": logging.ERROR}
        try:
            ray.init(address, **given)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _unreachable(address, error) from error


def _check_reachable(address: str) -> None:
    """Raise NetworkError where an address that names a host and a port leads nowhere."""
    found = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address)
    if not found:
        return
    try:
        socket.create_connection((found[1], int(found[2])), TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> NetworkError:
    what = f"no cluster to train on at {address}: {' '.join(str(error).split())}"
    return NetworkError(Problem("RAY_ADDRESS", what, fix=f"start it, or {ELSEWHERE}, then dvc repro"))
