"""Print the page of faults: what can go wrong, and the tests that make it go wrong.

    python -m tests.faults > tests/FAULTS.md

A test says which faults it shows to be harmless by `@pytest.mark.fault("...")`; the page is made from these markers.
"""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """# Faults, and the tests that show them harmless

Made from the markers `@pytest.mark.fault("...")` by `python -m tests.faults`. A section is a folder of tests.
"""


def marked(path: Path) -> list[tuple[str, str]]:
    """Return the faults of a file of tests, each with the name of its test, in the order of the tests."""
    tests = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    return [
        (ast.literal_eval(mark.args[0]), test.name)
        for test in tests
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault"
    ]


def page(root: Path = ROOT) -> str:
    """Return the page: for each folder of tests its faults, for each fault its tests."""
    sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((root / "tests").glob("**/test_*.py")):
        for fault, test in marked(path):
            sections[path.parent.relative_to(root / "tests").as_posix()][fault].append(f"`{path.name}::{test}`")
    lines = [HEAD]
    for folder, faults in sorted(sections.items()):
        lines += [f"## {folder}", "", "| Fault | Tests |", "| --- | --- |"]
        lines += [f"| {fault} | {', '.join(tests)} |" for fault, tests in faults.items()]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
