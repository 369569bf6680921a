"""FAULTS.md against the tests: each fault has tests that exist by the names it gives, or a reason why it has none."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"\| (?P<fault>[^|]+) \| (?P<proof>[^|]+) \|")
NODE = re.compile(r"`(?P<path>[\w/]+\.py)::(?P<name>\w+)`")
REASON = re.compile(r"none: \S.{15,}")
Row = tuple[str, str]


def read(text: str) -> dict[str, list[Row]]:
    """Return the rows of each section's table: what is wrong, and what proves that it does no harm."""
    sections: dict[str, list[Row]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            rows = sections.setdefault(line.removeprefix("## "), [])
        elif line.startswith("|") and line not in ("| Fault | Tests |", "| --- | --- |"):
            row = ROW.fullmatch(line)
            assert row, f"not a row of two cells: {line}"
            rows.append((row["fault"], row["proof"]))
    return sections


def names_in(path: Path) -> set[str]:
    """Return the tests of a file, found without running any of it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def findings(sections: dict[str, list[Row]]) -> list[str]:
    """Return what is wrong with the document, a line each."""
    rows = [(section, *row) for section, of_section in sections.items() for row in of_section]
    nodes = [(fault, node["path"], node["name"]) for _, fault, proof in rows for node in NODE.finditer(proof)]
    paths = {path for _, path, _ in nodes}
    there = {path: names_in(ROOT / path) for path in paths if (ROOT / path).is_file()}
    found = [f"{section}: has no rows" for section, of_section in sections.items() if not of_section]
    found += [
        f"{fault}: neither tests alone nor a reason"
        for _, fault, proof in rows
        if NODE.sub("", proof).strip(", ") and not REASON.fullmatch(proof)
    ]
    found += [f"{fault}: stands twice in {section}" for section, fault in _twice([row[:2] for row in rows])]
    return found + [f"{fault}: no {path}::{name}" for fault, path, name in nodes if name not in there.get(path, ())]


def _twice(items: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted({item for item in items if items.count(item) > 1})


def test_each_fault_has_tests_that_exist_or_a_reason_why_it_has_none():
    sections = read((ROOT / "tests/FAULTS.md").read_text(encoding="utf-8"))

    assert findings(sections) == []
    assert len(sections) >= 17 and sum(map(len, sections.values())) >= 200


HERE = "`tests/test_faults.py::test_each_kind_of_gap_is_found`"


@pytest.mark.parametrize(
    ("proof", "found"),
    [
        (HERE, []),
        (f"{HERE}, {HERE}", []),
        ("none: nobody can tell it from the real thing", []),
        ("none: why", ["a: neither tests alone nor a reason"]),
        ("by and by", ["a: neither tests alone nor a reason"]),
        (f"{HERE} and others", ["a: neither tests alone nor a reason"]),
        ("`tests/test_faults.py::test_gone`", ["a: no tests/test_faults.py::test_gone"]),
        ("`tests/test_faults.py::read`", ["a: no tests/test_faults.py::read"]),
        ("`tests/gone/test_gone.py::test_gone`", ["a: no tests/gone/test_gone.py::test_gone"]),
    ],
)
def test_each_kind_of_gap_is_found(proof, found):
    assert findings(read(f"## one\n| Fault | Tests |\n| --- | --- |\n| a | {proof} |\n")) == found


def test_empty_sections_faults_twice_and_rows_of_other_cells_are_found():
    assert findings(read(f"## one\n| a | {HERE} |\n| a | {HERE} |\n## two\n")) == [
        "two: has no rows",
        "a: stands twice in one",
    ]
    with pytest.raises(AssertionError, match="not a row of two cells"):
        read("## one\n| a |  |\n")
