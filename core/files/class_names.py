"""classes.json: the class names, in the order of the labels."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from core.config.schema import ClassNames
from core.files import atomic, records

parse = TypeAdapter[list[str]](ClassNames).validate_json


def write(path: Path, names: Sequence[str]) -> None:
    atomic.write_json(path, list(names))


def read(path: Path) -> list[str]:
    """Return the names. Raises DataError if the file is damaged."""
    return records.read(path, parse)
