"""Damage to a record is one line, with the place of the first problem."""

import pytest
from pydantic import BaseModel

from core.cli.errors import DataError
from core.files import records


class Model(BaseModel):
    scores: dict[str, float]


@pytest.mark.parametrize(
    ("parse", "data", "reason"),
    [
        (int, b"1\n2", r"invalid literal for int() with base 10: b'1\n2'"),
        (lambda data: data.decode("utf-8"), b"\xe4", "'utf-8' codec can't decode byte 0xe4 in position 0: "),
        (Model.model_validate_json, b'{"scores": {"loss": "x"}}', "scores.loss: Input should be a valid number"),
        (Model.model_validate_json, b'{"scores"', "Invalid JSON: EOF while parsing"),
    ],
)
@pytest.mark.fault("records of the run that are damaged or gone")
def test_a_damaged_record_is_one_line(tmp_path, parse, data, reason):
    path = tmp_path / "record"
    path.write_bytes(data)

    with pytest.raises(DataError) as caught:
        records.read(path, parse)
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{path}: damaged: {reason}")
    assert "; fix: python -m tools.verify" in line
