"""Records are read wholly or refused in one line; what they say is held against Python's own readers."""

import csv
import json
import math
import tracemalloc
from typing import Annotated

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from core.cli.errors import DataError
from core.config.schema import Strict
from core.files import records
from tests.anything import ANYTHING

FIX = "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"


class Score(Strict):
    accuracy: Annotated[float, Field(ge=0, le=1)]
    images: Annotated[int, Field(ge=1, le=10**30)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record"


@pytest.fixture
def lines(path):
    """A function that returns what is said of a file with the given bytes, without its name and the remedy."""

    def lines(data, read, *arguments):
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            read(path, *arguments)
        texts = [str(problem) for problem in caught.value.problems]
        assert all(text.startswith(f"{path}: ") and text.endswith(FIX) and len(text) < 500 for text in texts)
        return [text.removeprefix(f"{path}: ").removesuffix(FIX) for text in texts]

    return lines


def test_json_is_read_as_its_model(path):
    path.write_text('{"accuracy": 1, "images": 10000}\n', encoding="utf-8")

    assert records.read_json(path, Score) == Score(accuracy=1.0, images=10_000)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "not plain JSON (expected JSON, got Expecting value: line 1 column 1 (char 0))"),
        (b"\0", "not plain JSON (expected JSON, got Expecting value: line 1 column 1 (char 0))"),
        (b"{}{}", "not plain JSON (expected JSON, got Extra data: line 1 column 3 (char 2))"),
        (b'{"accuracy": 0.5,\n"acc', "not plain JSON (expected JSON, got Unterminated string starting at: "),
        (b'{"accuracy": NaN}', "not plain JSON (expected JSON, got NaN where a finite number is due)"),
        (b'{"accuracy": -Infinity}', "not plain JSON (expected JSON, got -Infinity where a finite number is due)"),
        (b'{"accuracy": 1e400}', "not plain JSON (expected JSON, got 1e400 where a finite number is due)"),
        (b'{"images": 1%s}' % (b"0" * 400), "not plain JSON (expected JSON, got an integer of 401 digits)"),
        (b'{"images": 1%s}' % (b"0" * 5000), "not plain JSON (expected JSON, got an integer of 5001 digits)"),
        (b'{"a": 1, "b": 2, "a": 1}', "not plain JSON (expected JSON, got key 'a' twice)"),
        (b"[" * 100_000, "not plain JSON (expected JSON, got nested too deeply)"),
        (b'{"a":' * 100_000, "not plain JSON (expected JSON, got nested too deeply)"),
        (b"\xef\xbb\xbf{}", "not plain JSON (expected JSON, got Unexpected UTF-8 BOM "),
        (b'{"accuracy":\n "\xe4"}', "not UTF-8 on line 2 (expected a text, got byte e4)"),
        (b"[]", "wrong value (expected a mapping, got [])"),
        (b"null", "wrong value (expected a mapping, got null)"),
        (b" " * (1 << 20) + b"{}", "too large (expected at most 1048576 bytes, got more)"),
        (b'{"accuracy": 1.5, "images": 1}', "accuracy: wrong value (expected less than or equal to 1, got 1.5)"),
        (b'{"accuracy": "1", "images": 1}', 'accuracy: wrong value (expected a valid number, got "1")'),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else None,
)
def test_what_is_no_such_json_gives_one_line(lines, data, line):
    [said] = lines(data, records.read_json, Score)

    assert said == line or (said.startswith(line) and line[-1] in ": ")


def test_all_problems_of_a_json_file_are_reported_together(lines):
    assert lines(b'{"accuracy": -1, "other": 0}', records.read_json, Score) == [
        "accuracy: wrong value (expected greater than or equal to 0, got -1)",
        "images: missing",
        "other: unknown key",
    ]


HEADERS = ["a", "b"], ["a", "b", "c"]


def test_a_table_is_read_row_by_row(path):
    path.write_bytes(b'a,b\n0,-1.5\n"3",2e-3\n')

    table = records.read_csv(path, *HEADERS)

    assert table.dtype.names == ("a", "b")
    assert table["a"].tolist() == [0.0, 3.0]
    assert table["b"].tolist() == [-1.5, 0.002]


def test_either_header_will_do(path):
    path.write_bytes(b"a,b,c\r\n1,2,3")

    assert records.read_csv(path, *HEADERS).tolist() == [(1.0, 2.0, 3.0)]


COLUMNS = "not the columns that are needed (expected a,b or a,b,c, got "


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", f"{COLUMNS})"),
        (b"\n1,2\n", f"{COLUMNS})"),
        (b"a\n1\n", f"{COLUMNS}a)"),
        (b"b,a\n1,2\n", f"{COLUMNS}b,a)"),
        (b"a,a\n1,2\n", f"{COLUMNS}a,a)"),
        (b"a,b,c,d\n1,2,3,4\n", f"{COLUMNS}a,b,c,d)"),
        (b"\xef\xbb\xbfa,b\n1,2\n", f"{COLUMNS}\\ufeffa,b)"),
        (b"<!DOCTYPE html>", f"{COLUMNS}<!DOCTYPE html>)"),
        (b"a,b\n", "no rows (expected at least one, got none)"),
        (b"a,b\n1\n", "line 2: not a row of the table (expected numbers, got 1 of 2 columns)"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: not a row of the table (expected numbers, got 3 of 2 columns)"),
        (b"a,b\n1,2\n\n", "line 3: not a row of the table (expected numbers, got 0 of 2 columns)"),
        (b"a,b\n1,x\n", "line 2: not a row of the table (expected numbers, got 'x')"),
        (b"a,b\n1,\n", "line 2: not a row of the table (expected numbers, got '')"),
        (b"a,b\n1,nan\n", "line 2: not a row of the table (expected numbers, got 'nan')"),
        (b"a,b\n1,inf\n", "line 2: not a row of the table (expected numbers, got 'inf')"),
        (
            b"a,b\n1,1e999\n",
            "line 2: not a row of the table (expected numbers, got 1e999 where a finite number is due)",
        ),
        (b"a,b\n1,1_0\n", "line 2: not a row of the table (expected numbers, got '1_0')"),
        ("a,b\n1,\u0663\n".encode(), "line 2: not a row of the table (expected numbers, got '\u0663')"),
        (b"a,b\n1, 2\n", "line 2: not a row of the table (expected numbers, got ' 2')"),
        (b'a,b\n1,"2', "line 2: not a row of the table (expected numbers, got unexpected end of data)"),
        (b'a,b\n1,"2"3\n', "line 2: not a row of the table (expected numbers, got ',' expected after '\"')"),
        (b"a,b\n1,%s\n" % (b"2" * 200_000), "line 2: not a row of the table (expected numbers, got field larger than "),
        (b"a,b\n1,\xff\n", "not UTF-8 on line 2 (expected a text, got byte ff)"),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else None,
)
def test_what_is_no_such_table_gives_one_line(lines, data, line):
    [said] = lines(data, records.read_csv, *HEADERS)

    assert said == line or (said.startswith(line) and line.endswith("than "))


def test_a_table_that_is_too_large_is_not_read(lines, monkeypatch):
    monkeypatch.setattr(records, "MOST_CSV_BYTES", 9)

    assert lines(b"a,b\n1,2\n1,", records.read_csv, *HEADERS) == ["too large (expected at most 9 bytes, got more)"]


@pytest.mark.parametrize("read", [records.read_json, records.read_csv])
def test_a_missing_file_is_named(path, read):
    with pytest.raises(FileNotFoundError) as caught:
        read(path, dict)

    assert str(caught.value.filename) == str(path)


@given(st.one_of(st.binary(max_size=60), ANYTHING.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_give_what_json_reads_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        value = records.read_json(path, object)
    except DataError:
        return
    theirs = json.loads(data)
    assert value == theirs
    assert "NaN" not in json.dumps(theirs) and "Infinity" not in json.dumps(theirs)


CELLS = st.one_of(st.floats().map(repr), st.integers().map(str), st.text("0123456789.,e+-\"' \r\n_na", max_size=4))


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.tuples(CELLS, CELLS), max_size=4).map(
            lambda rows: "".join(f"{','.join(row)}\n" for row in [("a", "b"), *rows]).encode()
        ),
    )
)
@example(b"a,b\n1,2\n")
def test_any_bytes_give_what_csv_and_float_read_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        table = records.read_csv(path, *HEADERS)
    except DataError:
        return
    columns, *rows = csv.reader(data.decode().splitlines(keepends=True))
    assert list(table.dtype.names) == columns
    assert table.tolist() == [tuple(map(float, row)) for row in rows]
    assert all(math.isfinite(value) for row in table.tolist() for value in row)


def test_a_table_takes_no_more_memory_than_a_few_times_its_file(path):
    data = b"a,b\n" + b"1,2\n" * 20_000
    path.write_bytes(data)

    tracemalloc.start()
    table = records.read_csv(path, *HEADERS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert table.shape == (20_000,)
    assert np.array_equal(table["b"], np.full(20_000, 2.0))
    assert peak < 16 * len(data)
