"""Records of a run, small JSON and CSV files: the readers beside the writers of `atomic`.

A file is read wholly or refused with DataError: numbers are finite, a key or a column stands there once, and nothing is
missing of what the reader says that it needs.
"""

import csv
import io
import json
import math
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.cli.errors import MEND, DataError, InputError, Problem
from core.config import schema

# Far more than the stages write for 256 classes, and for a million epochs: what is larger is something else.
MOST_JSON_BYTES = 1 << 20
MOST_CSV_BYTES = 1 << 26

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:e[-+]?[0-9]{1,3})?")

Model = TypeVar("Model")


def read_json(path: Path, model: type[Model]) -> Model:
    """Return what a JSON file holds, as a `model`. Raises DataError with every problem in it."""
    text = _read_text(path, MOST_JSON_BYTES)
    try:
        value = json.loads(
            text, object_pairs_hook=_mapping, parse_float=_finite, parse_constant=_finite, parse_int=_integer
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise damaged(path, "not plain JSON", "JSON", reason) from error
    try:
        return schema.check(value, model, path)
    except InputError as error:
        raise DataError(*(replace(problem, fix=MEND) for problem in error.problems)) from error


def read_csv(path: Path, *headers: Sequence[str]) -> np.ndarray:
    """Return a table of numbers as a structured array, a float64 field for each column, of at least one row.

    Raises DataError unless the first line is one of `headers` and each other has a finite number for each column.
    """
    rows = csv.reader(io.StringIO(_read_text(path, MOST_CSV_BYTES), newline=""), strict=True)
    try:
        columns = next(rows, [])
        if columns not in map(list, headers):
            expected = schema.one_of(map(",".join, headers))
            raise damaged(path, "not the columns that are needed", expected, f"{','.join(columns):.80}")
        values = array("d", _numbers(rows, columns))
    except (ValueError, csv.Error) as error:
        raise damaged(path, f"line {rows.line_num}: not a row of the table", "numbers", str(error)) from error
    if not values:
        raise damaged(path, "no rows", "at least one", "none")
    return np.frombuffer(values, [(column, np.float64) for column in columns])


def damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    """Return the error that refuses a file which a stage before this one made."""
    return DataError(Problem(str(path), what, expected=expected, got=got, fix=MEND))


def _read_text(path: Path, most: int) -> str:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > most:
            raise damaged(path, "too large", f"at most {most} bytes", "more")
        data = file.read()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise damaged(path, f"not UTF-8 on line {line}", "a text", f"byte {data[error.start]:02x}") from error


def _mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice!r:.80} twice")
    return mapping


def _finite(text: str) -> float:
    """Return the value of a number with a point or an exponent, or of NaN and Infinity, which Python takes for JSON."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text:.80} where a finite number is due")
    return value


def _integer(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _numbers(rows: Iterator[list[str]], columns: Sequence[str]) -> Iterator[float]:
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} of {len(columns)} columns")
        for cell in row:
            if not _NUMBER.fullmatch(cell):
                raise ValueError(f"{cell!r:.80}")
            yield _finite(cell)
