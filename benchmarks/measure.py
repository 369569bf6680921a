"""A command timed from outside: how long it took, the most memory it had, and when it printed what."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import NamedTuple

from core.cli.errors import Problem, StageError

# Peak memory comes in KiB from Linux and in bytes from macOS (getrusage(2) of each).
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Process(NamedTuple):
    """A process that has ended well: wall time in seconds, peak memory in MB, and its lines with the second of each.

    own_mb: the most memory that was its own and in no file, as seen fifty times a second; 0 where this is no Linux.
    """

    seconds: float
    peak_mb: float
    lines: list[tuple[float, str]]
    own_mb: float = 0

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
    ended, seen = Event(), [(0, 0)]
    watch = Thread(target=_watch, args=(process.pid, ended, seen))
    watch.start()
    with process.stdout:
        lines = [(perf_counter() - start, line.rstrip()) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    ended.set()
    watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        printed = " | ".join(line for _, line in lines[-5:])
        raise StageError(
            Problem(" ".join(command), "failed", expected="exit code 0", got=str(process.returncode), fix=printed)
        )
    peak, own = (max(kib) * 1024 / 1e6 for kib in zip(*seen, strict=True))
    # getrusage counts what this process had when it started the other, which a small one never has.
    return Process(seconds, peak or usage.ru_maxrss * PEAK_UNIT / 1e6, lines, own)


def _watch(pid: int, ended: Event, seen: list[tuple[int, int]]) -> None:
    """Note a process's peak memory so far and what of its memory is in no file, in KiB, until it has ended."""
    while not ended.wait(0.02):
        with suppress(OSError):  # it has ended this moment, or this is no Linux
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            found = dict(re.findall(r"^(VmHWM|RssAnon):\s+([0-9]+) kB", status, re.MULTILINE))
            if len(found) == 2:  # or it has ended, and only its status is left
                seen.append((int(found["VmHWM"]), int(found["RssAnon"])))


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
