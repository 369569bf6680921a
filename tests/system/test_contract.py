"""dvc.yaml against the code: what a stage declares is what it uses. DVC skips a stage whose declared inputs did not
change, so each thing read and not declared is a stale result to come.
"""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = PIPELINE["stages"]
NAMES = list(STAGES)
FLOORS = ["core", "stages", "tools", "benchmarks"]  # each imports itself and those before it
CODE = ("core/", "stages/")

# The files that a stage reads under a name that is the same everywhere, and the stamp that only orders two stages.
NOT_ON_THE_COMMAND_LINE = {"params.yaml", "datasets.yaml", "data/validated", "requirements.lock"}


def paths(stage: str, *kinds: str) -> list[str]:
    """Return what a stage lists under `deps`, `outs`, `plots` or `metrics`, without the options of each."""
    listed = [item for kind in kinds for item in STAGES[stage].get(kind, [])]
    return [item if isinstance(item, str) else next(iter(item)) for item in listed]


def outputs(stage: str) -> list[str]:
    return paths(stage, "outs", "plots", "metrics")


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(path: Path) -> set[str]:
    """Return the top-level names of all that a file imports."""
    found: set[str] = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {name.partition(".")[0] for name in names}
    return found


def imported(path: Path) -> set[Path]:
    """Return the files of this project that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide what is imported"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            module = ROOT.joinpath(*name.split("."))
            found |= {file for file in (module.with_suffix(".py"), module / "__init__.py") if file.exists()}
    return found


def closure(stage: str) -> set[str]:
    """Return all files of this project that a stage runs, found from the imports, relative to the root."""
    pending = set((ROOT / "stages" / stage).glob("**/*.py"))
    seen: set[Path] = set()
    while pending:
        file = pending.pop()
        seen.add(file)
        pending |= imported(file) - seen
    return {file.relative_to(ROOT).as_posix() for file in seen}


def calls(stage: str, module: str, function: str) -> list[ast.Call]:
    files = (ROOT / "stages" / stage).glob("**/*.py")
    return [
        node
        for file in files
        for node in ast.walk(syntax(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) == (module, function)
    ]


def test_the_folder_listing_is_the_pipeline():
    packages = {path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")}

    assert set(NAMES) == packages


@pytest.mark.parametrize("stage", NAMES)
def test_code_deps_are_the_package_and_the_folders_of_core_that_it_imports(stage):
    declared = [path for path in paths(stage, "deps") if path.startswith(CODE)]

    assert declared == sorted({"/".join(file.split("/")[:2]) for file in closure(stage)})


@pytest.mark.parametrize("stage", NAMES)
def test_no_stage_imports_another(stage):
    others = tuple(f"stages/{name}/" for name in NAMES if name != stage)

    assert not [file for file in closure(stage) if file.startswith(others)]


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_one_above(floor):
    above = FLOORS[FLOORS.index(floor) + 1 :]

    files = [path for path in (ROOT / floor).glob("**/*.py") if imported(path)]
    assert files and not {
        f"{path.relative_to(ROOT)} imports {found.relative_to(ROOT)}"
        for path in files
        for found in imported(path)
        if found.relative_to(ROOT).parts[0] in above
    }


def test_tensorflow_is_imported_in_train_and_evaluate_alone():
    importers = {
        file.relative_to(ROOT).as_posix()
        for floor in FLOORS[:2]
        for file in (ROOT / floor).glob("**/*.py")
        if modules(file) & {"tensorflow", "keras"}
    }

    assert importers == {"core/networks/runtime.py"}
    assert {stage for stage in NAMES if "core/networks/runtime.py" in closure(stage)} == {"train", "evaluate"}


@pytest.mark.parametrize("stage", NAMES)
@pytest.mark.fault("true for 1, which DVC takes for the same")
def test_params_are_the_sections_that_the_code_asks_for(stage):
    """`validate` reads both files whole, and depends on them as files: a type may be wrong where the value is equal."""
    sections = {call.args[0].attr.lower() for call in calls(stage, "params", "section")}
    entry = [{"datasets.yaml": ["${dataset.name}"]}] if calls(stage, "datasets", "entry") else []
    whole = {f"{module}.yaml" for module in ("params", "datasets") if calls(stage, module, "load")}

    declared = STAGES[stage].get("params", [])
    assert {name for name in declared if isinstance(name, str)} == (set() if "params.yaml" in whole else sections)
    assert [name for name in declared if not isinstance(name, str)] == entry
    assert whole == {path for path in paths(stage, "deps") if path in ("params.yaml", "datasets.yaml")}


def test_what_is_calculated_or_drawn_by_packages_depends_on_their_versions():
    assert [stage for stage in NAMES if "requirements.lock" in paths(stage, "deps")] == ["train", "evaluate", "render"]


@pytest.mark.fault("another version of Pillow, locked or merely installed")
def test_what_is_decoded_or_drawn_by_pillow_depends_on_its_version():
    """Or on those of all packages, as what is calculated does. What `validate` writes is a constant."""
    users = {stage for stage in NAMES if any("PIL" in modules(ROOT / file) for file in closure(stage))} - {"validate"}
    pinned = {stage: {"requirements.lock", "requirements-pillow.lock"} & set(paths(stage, "deps")) for stage in NAMES}

    assert users == {"download", "evaluate", "render"}
    assert {stage: pinned[stage] for stage in users} == {
        "download": {"requirements-pillow.lock"},
        "evaluate": {"requirements.lock"},
        "render": {"requirements.lock"},
    }


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
@pytest.mark.fault("another version of Pillow, locked or merely installed")
def test_the_lock_of_pillow_is_what_the_other_locks_say_of_it(lock):
    def pins(name: str) -> list[str]:
        return re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").rstrip("\n"))

    of_pillow = [pin for pin in pins(lock) if pin.startswith("pillow==")]

    assert of_pillow and "--hash=sha256:" in of_pillow[0]
    assert pins("requirements-pillow.lock") == of_pillow


@pytest.mark.parametrize("stage", NAMES)
def test_the_command_line_is_the_inputs_then_the_outputs(stage):
    inputs = [path for path in paths(stage, "deps") if not path.startswith(CODE)]
    given = [path for path in inputs if path not in NOT_ON_THE_COMMAND_LINE]

    assert STAGES[stage]["cmd"] == " ".join(["python -m", f"stages.{stage}", *given, *outputs(stage)])
    assert STAGES[stage]["desc"]


PAGE = "reports/report.html"


def test_make_repro_ends_with_the_paths_of_the_report():
    command = ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/installed", "repro"]
    *_, last = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()

    written = [path for path in outputs("render") if "report." in path]
    assert last.startswith("echo ") and len(written) == 2 and all(path in last for path in written)


def test_data_and_the_page_for_browsers_are_dvcs_and_the_other_reports_are_gits():
    for stage in NAMES:
        for kind in ("outs", "plots", "metrics"):
            for item in STAGES[stage].get(kind, []):
                path = item if isinstance(item, str) else next(iter(item))
                cached = isinstance(item, str) or item[path].get("cache", True)
                ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0
                assert cached == ignored == (path.startswith("data/") or path == PAGE), path


def test_what_is_in_reports_is_tracked_by_git():
    listed = subprocess.run(["git", "ls-files", "reports"], cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = listed.stdout.splitlines()

    for stage in NAMES:
        for path in outputs(stage):
            if path.startswith("reports/") and path != PAGE:
                assert any(file == path or file.startswith(path + "/") for file in tracked), path


def test_there_is_no_road_from_the_test_images_to_training():
    makers = {path: stage for stage in NAMES for path in outputs(stage)}
    seen, pending = set(), paths("train", "deps")
    while pending:
        path = pending.pop()
        seen.add(path)
        if path in makers and makers[path] != "normalize":  # which makes both splits, each from its own archives
            pending += paths(makers[path], "deps")

    assert "data/normalized/train" in seen
    assert not [path for path in seen if path.startswith(("data/normalized/test", "data/predictions", "data/raw"))]
