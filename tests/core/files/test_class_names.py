import pytest

from core.cli.errors import DataError
from core.files import class_names


def test_names_keep_their_order_and_their_letters(tmp_path):
    class_names.write(tmp_path / "classes.json", ["Ärmel", "服", "<a>"])

    assert class_names.read(tmp_path / "classes.json") == ["Ärmel", "服", "<a>"]


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"[]", b'["a", 1]'])
def test_a_damaged_file_is_refused(tmp_path, data):
    (tmp_path / "classes.json").write_bytes(data)

    with pytest.raises(DataError, match=r"classes\.json: damaged: "):
        class_names.read(tmp_path / "classes.json")
