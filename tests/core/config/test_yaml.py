"""Values that our reader and DVC's both read, and the lines for files that are not YAML."""

from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml

from core.cli.errors import InputError
from core.config import yaml

PATH = Path("params.yaml")


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text):
    PATH.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return yaml.load(PATH)


# PyYAML reads each of these as another value, or not at all.
AMBIGUOUS = {
    "1e-3": 0.001,
    "1E5": 100000.0,
    "-.5": -0.5,
    "yes": "yes",
    "off": "off",
    "1:30": "1:30",
    "010": 10,
    "08": 8,
    "0o10": 8,
}


@pytest.mark.parametrize(("text", "value"), AMBIGUOUS.items())
@pytest.mark.fault("a text that our reader and DVC's take for different values")
def test_values_are_those_that_dvc_reads(text, value):
    [read] = load(f"k: {text}").values()

    assert (read, type(read)) == (value, type(value))
    assert load_yaml(PATH) == {"k": value}
    assert load(f"{text}: 1") == load_yaml(PATH) == {value: 1}


@pytest.mark.fault("a byte order mark")
def test_a_byte_order_mark_and_windows_newlines_are_accepted():
    assert load(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - 2\r\n") == {"a": 1, "b": [2]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 'line 4: found duplicate key "b" with value "3" (original value: "1")'),
        ("a: 1\n\tb: 2\n", "line 2: found character '\\t' that cannot start any token"),
        ("a: 1\nb: [1, 2\nc: 3\n", "line 3: expected ',' or ']', but got ':'"),
        ("<<<<<<< HEAD\na: 1\n=======\na: 2\n", "contains the markers of a merge conflict, <<<<<<<"),
        ("a: 1\nb: Bücher\n".encode("latin-1"), "line 2: not UTF-8"),
        ("a: cats: big\n", "line 1: mapping values are not allowed here: put a text with a colon in quotes"),
        ("a: x\0y\n", "unacceptable character #x0000: special characters are not allowed in "),
        ("a: 2026-99-99\n", "month must be in 1..12"),
        ("a: " + "7" * 5000, "Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits; "),
        (
            "a: !!python/object/apply:os.system ['touch canary']",
            "line 1: could not determine a constructor for the tag ",
        ),
        ("", "not a mapping of keys to values"),
        ("adam\n", "not a mapping of keys to values"),
    ],
)
@pytest.mark.fault("bad syntax, a tab, Latin-1, NUL")
@pytest.mark.fault("a key twice")
@pytest.mark.fault("not plain YAML")
def test_a_bad_text_gives_one_line(text, line):
    with pytest.raises(InputError) as caught:
        load(text)

    said = str(caught.value)
    assert said.startswith(f"params.yaml: {line}") and said.endswith("; fix: edit params.yaml, then dvc repro")
    assert "\n" not in said
    assert not Path("canary").exists()
