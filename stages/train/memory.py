"""Whether the images are held in memory while networks learn from them, or brought from their file in parts.

That changes no result, only how long it takes, so it is no param: it is decided by the memory there is, or by the
environment variable MEMORY_LIMIT_MB, which says how much of it the images may take.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.cli.errors import InputError, Problem

LIMIT = "MEMORY_LIMIT_MB"
COPIES = 2  # of an array that TensorFlow makes a tensor of, and keeps
SHARE = 2  # what part of the memory there is may go to images, as a divisor: there is more to training than these

# What Linux says of memory that is free or can be made so, and what a container may use (cgroups of version 2 and 1).
MEMINFO = Path("/proc/meminfo")
CONTAINERS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def fits(images: np.ndarray, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether images may be held in memory. Raises InputError where MEMORY_LIMIT_MB is no number of MB."""
    return COPIES * images.nbytes <= limit(environment)


def limit(environment: Mapping[str, str]) -> int:
    """Return how many bytes of memory images may take. Raises InputError where MEMORY_LIMIT_MB is no number of MB."""
    text = environment.get(LIMIT, "")
    if not text:
        return _available() // SHARE
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        fix = f"unset it, or give a number as in {LIMIT}=4000"
        raise InputError(
            Problem(LIMIT, "not a number of MB", expected="a whole number, 1 to 999999999", got=f"{text:.40}", fix=fix)
        )
    return int(text) * 10**6


def _available() -> int:
    """Return the bytes of memory that this process may hope for."""
    found = re.search(r"^MemAvailable: +([0-9]+) kB$", _read(MEMINFO), re.MULTILINE)
    free = int(found[1]) * 1024 if found else _installed()
    limits = [int(text) for text in map(_read, CONTAINERS) if text.strip().isdecimal()]
    return min([free, *limits])


def _installed() -> int:
    """Return the bytes of memory that the machine has; as many as can be where it does not say, as on Windows."""
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read(path: Path) -> str:
    """Return the text of a file that not every machine has."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
