"""Read YAML files with DVC's own reader, set as DVC sets it.

DVC decides from its reading of params.yaml what runs again. With another reader, `no`, `1e-3` or `010` could have one
value in training and another in dvc.lock.
"""

import re
from pathlib import Path

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError

from core.cli.errors import InputError, Problem


def parse(text: str) -> object:
    """Return the value of a YAML text. Raises ValueError, with the line if known, if it is not YAML."""
    if re.search("^<{7} ", text, re.MULTILINE):
        raise ValueError("contains the markers of a merge conflict, <<<<<<<")
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        quotes = ": put a text with a colon in quotes" * ("mapping values are not allowed" in str(error.problem))
        raise ValueError(f"{place}{error.problem or error.context}{quotes}") from error
    except YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def load(path: Path) -> dict:
    """Return the mapping that a YAML file holds.

    Raises InputError, with the line if known, if the file is missing, is not UTF-8 or not YAML, has a key twice, or
    holds no mapping.
    """
    fix = f"edit {path}, then dvc repro"
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        fix = f"git checkout -- {path}, or run from the folder that holds it"
        raise InputError(Problem(str(path), "no such file", fix=fix)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(Problem(str(path), f"line {line}: not UTF-8", fix=fix)) from error
    except ValueError as error:
        raise InputError(Problem(str(path), " ".join(str(error).split()), fix=fix)) from error
    if not isinstance(value, dict):
        raise InputError(Problem(str(path), "not a mapping of keys to values", fix=fix))
    return value
