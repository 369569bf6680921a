"""Pillow, which decodes and draws pictures: other versions may give other pixels, so its version is an input."""

import re
from pathlib import Path

import PIL

from core.cli.errors import InputError, Problem


def require_locked(lock: Path) -> None:
    """Raise InputError unless the lock names the installed version; it names one for each group of Python versions.

    DVC sees a change of the lock, and not what `pip install --upgrade` does.
    """
    installed, locked = PIL.__version__, re.findall(r"^pillow==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if installed not in locked:
        fix = f"python -m pip install --require-hashes -r {lock}, then dvc repro"
        raise InputError(
            Problem("Pillow", f"not the version of {lock}", expected=" or ".join(locked), got=installed, fix=fix)
        )
