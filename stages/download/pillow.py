"""Check Pillow, which decodes and draws pictures: another version may give other pixels, so the version is an input."""

import re
from pathlib import Path

import PIL

from core.cli.errors import InputError, Problem


def require_locked(lock: Path) -> None:
    """Raise InputError unless the lock names the installed version; it has one for each group of Python versions.

    DVC notices a changed lock, but not a `pip install --upgrade`.
    """
    installed, locked = PIL.__version__, re.findall(r"^pillow==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if installed not in locked:
        what, expected = f"not the version of {lock}", " or ".join(locked)
        fix = f"python -m pip install --require-hashes -r {lock}, then dvc repro"
        raise InputError(Problem("Pillow", what, expected=expected, got=installed, fix=fix))
