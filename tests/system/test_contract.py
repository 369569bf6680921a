"""dvc.yaml against the code: a stage declares what it uses. DVC skips a stage if its declared inputs did not change, so
an input that is read and not declared gives stale results.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.project import ALL, ROOT, within

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
FLOORS = ["core", "stages", "tools", "benchmarks"]  # each imports itself and those before it
CODE = ("core/", "stages/")
PAGE = "reports/report.html"

# Inputs whose names are the same everywhere, and the stamp that only orders two stages.
NOT_ON_THE_COMMAND_LINE = {"params.yaml", "datasets", "data/validated", "requirements.lock"}
CARD = "datasets/${dataset.name}.yaml"


def paths(stage: str, *kinds: str) -> list[str]:
    """Return what a stage lists under `deps`, `outs`, `plots` or `metrics`, without the options of each."""
    listed = [item for kind in kinds for item in STAGES[stage].get(kind, [])]
    return [item if isinstance(item, str) else next(iter(item)) for item in listed]


def outputs(stage: str) -> list[str]:
    return paths(stage, "outs", "plots", "metrics")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def names(path: Path) -> set[str]:
    """Return the full names of all that a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: relative imports hide what is imported"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imported(path: Path) -> set[Path]:
    """Return the files of this project that a file imports."""
    files = (ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names(path))
    return {file for file in files if file.exists()}


@cache
def closure(stage: str) -> set[str]:
    """Return all files of this project that a stage runs, found from the imports."""
    pending, seen = set((ROOT / "stages" / stage).glob("**/*.py")), set()
    while pending:
        file = pending.pop()
        seen.add(file)
        pending |= imported(file) - seen
    return {file.relative_to(ROOT).as_posix() for file in seen}


def calls(stage: str, function: str) -> list[ast.Call]:
    """Return the calls of a function, such as `params.section`, in a stage's own files."""
    files = (ROOT / "stages" / stage).glob("**/*.py")
    found = [node for file in files for node in nodes(file) if isinstance(node, ast.Call)]
    return [node for node in found if ast.unparse(node.func) == function]


@pytest.mark.fault("code that is run and not declared")
@pytest.mark.parametrize("stage", ALL)
def test_code_deps_are_the_package_and_the_folders_of_core_that_it_imports(stage):
    declared = [path for path in paths(stage, "deps") if path.startswith(CODE)]

    assert declared == sorted({"/".join(file.split("/")[:2]) for file in closure(stage)})
    assert declared[-1] == f"stages/{stage}" and "stages/" not in declared[-2], "a stage imports no other"


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_one_above(floor):
    files = list((ROOT / floor).glob("**/*.py"))
    above = FLOORS[FLOORS.index(floor) + 1 :]

    assert any(imported(path) for path in files)
    assert [f"{path}: {name}" for path in files for name in names(path) if name.partition(".")[0] in above] == []


def test_every_init_is_empty():
    assert [path for floor in FLOORS for path in (ROOT / floor).glob("**/__init__.py") if path.read_bytes()] == []


def test_tensorflow_is_imported_in_train_and_evaluate_alone():
    others = [f"stages.{stage}.__main__" for stage in ALL if stage not in ("train", "evaluate")]
    code = f"import sys; sys.modules['core.networks.runtime'] = None; import {', '.join(others)}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.fault("true for 1, which DVC takes for the same")
def test_params_are_the_sections_that_the_code_asks_for(stage):
    """`validate` reads params.yaml whole, and depends on it as a file: a type may be wrong where the value is equal."""
    sections = {call.args[0].attr.lower() for call in calls(stage, "params.section")}
    whole = bool(calls(stage, "params.load"))

    assert set(STAGES[stage].get("params", [])) == (set() if whole else sections)
    assert ("params.yaml" in paths(stage, "deps")) == whole


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.fault("a card is edited: the stages that read it, and no others")
def test_stages_depend_on_the_cards_that_they_read(stage):
    """`validate` reads all of them. A stage that gets the path of the chosen card does not know the name of the set."""
    every, chosen = calls(stage, "datasets.names"), calls(stage, "datasets.load") or calls(stage, "datasets.read")
    declared = [path for path in paths(stage, "deps") if path.startswith("datasets")]

    assert declared == (["datasets"] if every else [CARD] if chosen else [])


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
@pytest.mark.fault("another version of Pillow, locked or merely installed")
def test_the_lock_of_pillow_is_what_the_other_locks_say_of_it(lock):
    def pins(name: str) -> list[str]:
        return re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").rstrip("\n"))

    assert [pin for pin in pins(lock) if pin.startswith("pillow==")] == pins("requirements-pillow.lock")


@pytest.mark.parametrize("stage", ALL)
def test_the_command_line_is_the_inputs_then_the_outputs(stage):
    inputs = [path for path in paths(stage, "deps") if not path.startswith(CODE)]
    by_name = {CARD} if calls(stage, "datasets.load") else set()
    given = [path for path in inputs if path not in NOT_ON_THE_COMMAND_LINE | by_name]

    assert STAGES[stage]["cmd"] == " ".join(["python -m", f"stages.{stage}", *given, *outputs(stage)])
    assert STAGES[stage]["desc"]


def test_git_keeps_the_reports_and_dvc_the_data_and_the_page():
    paths = [path for stage in ALL for path in outputs(stage)]
    by_dvc = {path for path in paths if path.startswith("data/") or path == PAGE}
    ignored = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    kept = subprocess.check_output(["git", "ls-files", *paths], cwd=ROOT, text=True).splitlines()

    assert set(ignored.stdout.splitlines()) == by_dvc
    assert all(any(within(file, [path]) for file in kept) != (path in by_dvc) for path in paths)


@pytest.mark.fault("test images in training")
def test_training_depends_on_nothing_that_is_made_from_test_images():
    makers = {path: stage for stage in ALL for path in outputs(stage)}
    seen, pending = set(), paths("train", "deps")
    while pending:
        path = pending.pop()
        seen.add(path)
        if path in makers and makers[path] != "normalize":  # it makes both splits, each from its own archives
            pending += paths(makers[path], "deps")

    assert "data/normalized/train" in seen
    assert not [path for path in seen if path.startswith(("data/normalized/test", "data/predictions", "data/raw"))]
