"""Run a command and measure it from outside: its time, its peak memory, and when it prints each line. Linux only."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any, NamedTuple

from core.cli.errors import Problem, StageError
from core.config import yaml
from core.files import atomic
from core.sources import datasets
from stages.download import __main__ as download
from stages.download import fetch
from tools import blocks, scratch

RESULTS = Path(__file__).parent
ARCHIVES = scratch.CHECKOUT / "build" / "archives"  # fetched once, and then a DATASET_MIRROR for copies of the pipeline
PYTHON = sys.executable
DVC = [PYTHON, "-m", "dvc"]
# Hides packages that only the tests need: Keras would import them too.
PLAIN = "import runpy, sys; sys.modules |= dict.fromkeys(('pandas', 'scipy', 'sklearn')); "
PLAIN += "runpy.run_module('benchmarks.plain', run_name='__main__', alter_sys=True)"


class Process(NamedTuple):
    """A process that succeeded: its wall time in seconds, and its lines with the second of each.

    peak_mb: its peak memory, with libraries and mapped files (VmHWM). own_mb: the peak of the memory that is in no file
    (RssAnon, looked at fifty times a second).
    """

    seconds: float
    peak_mb: float
    own_mb: float
    lines: list[tuple[float, str]]

    def at(self, beginning: str) -> list[float]:
        """Return the seconds at which lines with this beginning were printed."""
        return [second for second, line in self.lines if line.startswith(beginning)]


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, cores: int | None = None
) -> Process:
    """Run a command in a folder and measure it. Raises StageError, with the last lines, if it fails.

    cores: how many of this process's cores it may use; by default all.
    """
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(ours)[:cores])  # the command inherits them
    start = time.perf_counter()
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},  # or lines come late
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
    finally:
        os.sched_setaffinity(0, ours)
    memory = [(0, 0)]
    watch = Thread(target=_watch, args=(process, memory))
    watch.start()
    with process:
        lines = [(time.perf_counter() - start, line.rstrip()) for line in process.stdout or ()]
    seconds = time.perf_counter() - start
    watch.join()
    if process.returncode:
        got, printed = str(process.returncode), " | ".join(line for _, line in lines[-5:])
        raise StageError(Problem(" ".join(command), "failed", expected="exit code 0", got=got, fix=printed))
    peak, own = (max(kib) * 1024 / 1e6 for kib in zip(*memory, strict=True))
    return Process(seconds, peak, own, lines)


def _watch(process: subprocess.Popen, memory: list[tuple[int, int]]) -> None:
    """Add a process's peak memory and its own memory, in KiB, again and again until it has ended."""
    while process.returncode is None:
        time.sleep(0.02)
        with suppress(OSError):  # the process ended a moment ago
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            found = dict(re.findall(r"^(VmHWM|RssAnon):\s+([0-9]+) kB", status, re.MULTILINE))
            if len(found) == 2:  # a process that has ended has neither
                memory.append((int(found["VmHWM"]), int(found["RssAnon"])))


def stage(name: str) -> list[str]:
    """Return the command of a stage, as dvc.yaml has it."""
    stages = yaml.load(scratch.CHECKOUT / "dvc.yaml")["stages"]
    return [PYTHON, *stages[name]["cmd"].split()[1:]]


def archives(dataset: str) -> Path:
    """Return the folder with the archives of a data set. Those that it lacks are fetched."""
    card = datasets.load(dataset)
    if isinstance(card, datasets.FromFiles):
        for file, pin in card.archives.items():
            if not (ARCHIVES / dataset / file).exists():
                fetch.fetch(file, pin, download.addresses(dataset, card, file), ARCHIVES / dataset / file)
    return ARCHIVES / dataset


def plain() -> Process:
    """Run the plain Keras script."""
    command = [PYTHON, "-c", PLAIN, str(archives("fashion_mnist"))]
    return run(command, scratch.CHECKOUT, {"TF_CPP_MIN_LOG_LEVEL": "3"})


def write(name: str, results: dict[str, Any], page: str) -> None:
    """Write the results beside this module, as JSON and as Markdown, and print the Markdown."""
    atomic.write_json(RESULTS / f"{name}.json", results)
    atomic.write_text(RESULTS / f"{name}.md", page)
    print(page)


def processor() -> str:
    """Return the name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def machine() -> str:
    """Return this machine's processor, its cores, and the versions of the main packages, in words."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy", "dvc"))
    return f"{processor()}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}, {packages}"


def summary(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, and in brackets the smallest and the largest value."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    return blocks.table(columns, rows) + "\n"
