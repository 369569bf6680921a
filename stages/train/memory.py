"""Decide whether images are held in memory during training, or read from their file in parts.

This changes no result, only the speed, so it is no param. It depends on the available memory, or on the environment
variable MEMORY_LIMIT_MB: how much memory the images may take.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from core.cli.errors import InputError, Problem

LIMIT = "MEMORY_LIMIT_MB"
SHARE = 2  # the images may take half of the available memory: training needs memory for more than images

# Linux: available memory, and the limits of a container (cgroups, versions 2 and 1).
MEMINFO = Path("/proc/meminfo")
CONTAINERS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def limit(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes images may take. Raises InputError if MEMORY_LIMIT_MB is not a number of MB."""
    text = environment.get(LIMIT, "")
    if not text:
        return _available() // SHARE
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        expected, fix = "a whole number, 1 to 999999999", f"unset it, or give a number as in {LIMIT}=4000"
        raise InputError(Problem(LIMIT, "not a number of MB", expected=expected, got=f"{text:.40}", fix=fix))
    return int(text) * 10**6


def _available() -> int:
    """Return the available bytes: all that the machine has if it says no more, and no limit if it does not say that."""
    limits = [int(text) for text in map(_read, CONTAINERS) if text.strip().isdecimal()]
    if found := re.search(r"^MemAvailable: +([0-9]+) kB$", _read(MEMINFO), re.MULTILINE):
        limits.append(int(found[1]) * 1024)
    elif hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=sys.maxsize)


def _read(path: Path) -> str:
    """Return the text of a file, or an empty text on a machine that has no such file."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
