"""Train replicates on a Ray cluster, a task for each, with the same result as on this machine.

This is used if RAY_ADDRESS names a cluster; otherwise `ray` is not imported and need not be installed. The images go to
the cluster's object store once. The code goes along, so a machine of the cluster needs only `ray` and the packages of
requirements.lock. A machine with other versions is refused, because its networks would have other bytes. The replicates
of a machine that is lost are trained again on another.
"""

import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from core.cli.errors import NetworkError, Problem, StageError
from core.config.params import Train
from core.files.arrays import Split
from core.networks.runtime import share_operations
from stages.train import live, loop, memory, trainer
from stages.train.progress import Report, Row

# The packages that a task imports. The first three may change the networks; without the others a task cannot start.
PACKAGES = ("keras", "numpy", "tensorflow", "pydantic", "ruamel.yaml")
RETRIES = 5  # of a replicate whose machine was lost; a replicate that crashes its machines has to end at some time
TIMEOUT_S = 5  # Ray itself gives up only after two minutes
CODE = Path(__file__).parents[2]
ELSEWHERE = "unset RAY_ADDRESS to train on this machine"

Trained: TypeAlias = tuple[list[np.ndarray], list[Row]]  # the values of a network's variables, and its history


def fit(
    split: Split, classes: int, settings: Train, validation: Split | None = None, *, report: Report, address: str
) -> list[trainer.Run]:
    """Return what `trainer.fit` returns, trained on the cluster at `address`, a value of RAY_ADDRESS.

    report: is called with all rows of a replicate when the replicate has ended.
    Raises what `trainer.fit` raises; NetworkError if no cluster answers; StageError if `ray` is not installed, if a
    machine has other packages than this one, or if the cluster fails.
    """
    with _connected(address) as ray:
        # asarray, because pickle would copy the mapped array for each task.
        data = [ray.put(np.asarray(array)) for array in (*split, *(validation or ()))]
        task = ray.remote(_task()).options(num_cpus=settings.threads, max_retries=RETRIES)
        versions = {name: version(name) for name in PACKAGES}
        given = versions, classes, settings.model_dump()
        replicates = {task.remote(*given, number, *data): number for number in range(settings.replicates)}
        if settings.threads > max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]):
            print(f"waiting for a machine of {settings.threads} cores: so far the cluster has none")
        trained: dict[int, Trained] = {}
        for finished, (values, history) in _finished(ray, list(replicates), versions):
            replicate = replicates[finished]
            for row in history:
                report(replicate, row)
            trained[replicate] = values, history
    # In their order, as `trainer.fit` builds them: Keras numbers layers that have no name of their own.
    shape = split.images.shape[1:]
    return [trainer.restore(shape, classes, settings, number, *trained[number]) for number in sorted(trained)]


def fit_replicate(classes: int, settings: Train, replicate: int, *data: np.ndarray) -> Trained:
    """Return the replicate as `trainer.restore` takes it; called in a process of the cluster.

    data: images and labels to train on, and those of the official validation split, if there is one.
    """
    share_operations(settings.threads)
    split, validation = Split(*data[:2]), Split(*data[2:]) if data[2:] else None
    report = partial(live.print_line, settings.epochs)
    (run,) = trainer.fit(split, classes, settings, validation, [replicate], report)
    return loop.values(run.model.variables), run.history


def _task() -> Callable[..., dict[str, str] | Trained]:
    """Return the task: it returns the trained replicate, or the installed versions if they are not the wanted ones.

    Ray sends a function within a function as code, but other functions as a name to import. `stages` cannot be imported
    on a machine that lacks packages.
    """

    def task(wanted, classes, settings, replicate, *data):
        from importlib.metadata import distributions

        found = {name: next((each.version for each in distributions(name=name)), "none") for name in wanted}
        if found != wanted:
            return found
        from core.config.params import Train
        from stages.train import cluster

        return cluster.fit_replicate(classes, Train(**settings), replicate, *data)

    return task


def _finished(ray: Any, pending: list, versions: dict[str, str]) -> Iterator[tuple[Any, Trained]]:
    """Yield each task and its result as they come in. Raises the error of the first task that fails."""
    while pending:
        (first, *_), pending = ray.wait(pending)
        try:
            result = ray.get(first)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        if isinstance(result, dict):
            differing = [name for name in versions if result[name] != versions[name]]
            expected, got = (", ".join(f"{name} {of[name]}" for name in differing) for of in (versions, result))
            what = "a machine of the cluster has other packages"
            fix = f"install requirements.lock there, or {ELSEWHERE}"
            raise StageError(Problem("RAY_ADDRESS", what, expected=expected, got=got, fix=fix))
        yield first, result


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Yield the module `ray`, connected to the cluster. Leaving the block ends all tasks that still run."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # without this, Ray prints a notice about GPUs
    }
    try:
        import ray
    except ModuleNotFoundError as error:
        what = "names a Ray cluster, but ray is not installed"
        fix = f"pip install 'ray[client]' in the cluster's version, or {ELSEWHERE}, then dvc repro"
        raise StageError(Problem("RAY_ADDRESS", what, fix=fix)) from error
    try:
        _connect(ray, address)
        yield ray
    except ray.exceptions.RayError as error:
        what = f"the cluster at {address} failed: {str(error).strip().splitlines()[0]}"
        raise StageError(Problem("RAY_ADDRESS", what, fix=f"repair it, or {ELSEWHERE}, then dvc repro")) from error
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    """Connect to the cluster, and send it the code. Raises NetworkError if no cluster answers."""
    with tempfile.TemporaryDirectory() as folder:
        for floor in ("core", "stages"):
            shutil.copytree(CODE / floor, Path(folder) / floor, ignore=shutil.ignore_patterns("__pycache__"))
        # A working_dir, since py_modules come after a folder `stages` that the machine itself may have.
        variables = {memory.LIMIT: os.environ[memory.LIMIT]} if memory.LIMIT in os.environ else {}
        environment = {"working_dir": folder, "env_vars": variables}
        try:
            if named := re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d+)", address):
                socket.create_connection((named[1], int(named[2])), TIMEOUT_S).close()
            ray.init(address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, OverflowError, RuntimeError, ValueError) as error:
            what = f"no cluster to train on at {address}: {' '.join(str(error).split())}"
            fix = f"start it, or {ELSEWHERE}, then dvc repro"
            raise NetworkError(Problem("RAY_ADDRESS", what, fix=fix)) from error
