"""Small files that one program writes and other programs read, such as JSON and CSV.

Each such file has one module or model with its schema. Its `parse` takes the bytes of the file, wherever they come
from, and raises ValueError if they are damaged.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from core.cli.errors import MEND, DataError, Problem

Record = TypeVar("Record")


def read(path: Path, parse: Callable[[bytes], Record]) -> Record:
    """Return what `parse` makes of a file. Raises DataError if it raises ValueError."""
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise DataError(Problem(str(path), f"damaged: {reason(error)}", fix=MEND)) from error


def damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    """Return the error for a file that an earlier stage wrote and that is not as it wrote it."""
    return DataError(Problem(str(path), what, expected=expected, got=got, fix=MEND))


def reason(error: ValueError) -> str:
    """Return in one line what is wrong; for a pydantic model, the first problem and its place."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
