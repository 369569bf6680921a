"""Small files, such as JSON and CSV, that one program writes and other programs read.

Each file has one module with its schema, its writer and its `parse`. `parse` takes the bytes of the file, from the disk
or from git, and raises ValueError if they are damaged.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from core.cli.errors import MEND, DataError, Problem

Record = TypeVar("Record")


def read(path: Path, parse: Callable[[bytes], Record]) -> Record:
    """Parse a file. Raises DataError if `parse` raises ValueError."""
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise DataError(Problem(str(path), f"damaged: {reason(error)}", fix=MEND)) from error


def damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    """Return the error for a file that has changed since an earlier stage wrote it."""
    return DataError(Problem(str(path), what, expected=expected, got=got, fix=MEND))


def reason(error: ValueError) -> str:
    """Describe the error in one line; of a pydantic model, the first problem and its location."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
