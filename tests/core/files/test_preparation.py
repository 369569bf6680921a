"""preparation.json: what was done to the images."""

import pytest

from core.cli.errors import DataError
from core.files import preparation
from core.files.preparation import Preparation


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = Preparation(images=3, done={"made grey": 2})

    preparation.write(tmp_path / "preparation.json", record)

    assert preparation.read(tmp_path / "preparation.json") == record


@pytest.mark.parametrize("text", ["", '{"images": 0, "done": {}}', '{"images": 3, "done": {"made grey": "2"}}'])
@pytest.mark.fault("records of the run that are damaged or gone")
def test_a_damaged_record_is_refused(tmp_path, text):
    (tmp_path / "preparation.json").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=r"preparation\.json: damaged: "):
        preparation.read(tmp_path / "preparation.json")
