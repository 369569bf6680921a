"""A command timed from outside: how long it took, the most memory it had, and when it printed what."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from stages.command import Problem, StageError

# Peak memory comes in KiB from Linux and in bytes from macOS (getrusage(2) of each).
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Process(NamedTuple):
    """A process that has ended well: wall time in seconds, peak memory in MB, and its lines with the second of each."""

    seconds: float
    peak_mb: float
    lines: list[tuple[float, str]]

    def at(self, beginning: str) -> list[float]:
        """Return when, in seconds after the start, the lines were printed that begin so."""
        return [second for second, line in self.lines if line.startswith(beginning)]


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Run a command in a folder and time it. Raises StageError, with what it printed, where it fails."""
    start = perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),  # or lines come late
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    with process.stdout:
        lines = [(perf_counter() - start, line.rstrip()) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        printed = " | ".join(line for _, line in lines[-5:])
        raise StageError(Problem(" ".join(command), "failed", printed, "exit code 0", str(process.returncode)))
    return Process(seconds, usage.ru_maxrss * PEAK_UNIT / 1e6, lines)


def machine() -> str:
    """Return this machine's processor, its cores and the versions of what matters, in words."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy", "dvc"))
    return f"{model}, {len(os.sched_getaffinity(0))} cores; Python {platform.python_version()}, {packages}"


def summary(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, and in brackets the smallest and the largest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
