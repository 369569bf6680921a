"""What reruns after which change: a row for each param, each entry of datasets.yaml, each folder of core,
each stage's own files and all that passes from stage to stage. The stages are spelt out here by hand; `dvc status` must
name exactly them, and for all else in the tree none.

It names what a change touches directly. What follows from that depends on whether the stages named make other bytes.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import hermetic

ROOT = Path(__file__).parents[2]
ALL = "validate download normalize train evaluate render"

# Another value for each param, and the stages that depend on it; `validate` looks at the files as a whole.
PARAMS = {
    "dataset.name": ("mnist", "validate download normalize render"),
    "train.network": ("cnn", "validate train render"),
    "train.hidden_units": ("[128, 64]", "validate train render"),
    "train.dropout": ("0.5", "validate train render"),
    "train.output": ("softmax", "validate train render"),
    "train.optimizer": ("sgd", "validate train render"),
    "train.learning_rate": ("0.5", "validate train render"),
    "train.learning_rate_schedule": ("cosine", "validate train render"),
    "train.weight_decay": ("0.5", "validate train render"),
    "train.batch_size": ("7", "validate train render"),
    "train.epochs": ("7", "validate train render"),
    "train.validation_fraction": ("0.5", "validate train render"),
    "train.early_stopping_patience": ("7", "validate train render"),
    "train.augmentation_shift": ("7", "validate train render"),
    "train.augmentation_flip": ("true", "validate train render"),
    "train.seed": ("7", "validate train render"),
    "train.replicates": ("7", "validate train render"),
    "train.threads": ("7", "validate train render"),
    "evaluate.batch_size": ("7", "validate evaluate render"),
    "evaluate.single_image": ("7", "validate evaluate render"),
    "render.training_image": ("7", "validate render"),
    "render.examples": ("[7]", "validate render"),
    "render.mistakes": ("7", "validate render"),
    "render.dpi": ("77", "validate render"),
}

# An edit of datasets.yaml, of which params.yaml names fashion_mnist, and the stages that depend on it.
ENTRIES = {
    "a title": ("title: Fashion-MNIST", "title: Fashion", "validate download normalize render"),
    "a mirror": ("zalandoresearch", "nobody", "validate download normalize render"),
    "a size": ("size: 26421880", "size: 26421881", "validate download normalize render"),
    "a hash": ('"3aede38d', '"00000000', "validate download normalize render"),
    "a title of an entry not chosen": ("title: MNIST", "title: Digits", "validate"),
    "a hash of an entry not chosen": ('"440fcabf', '"00000000', "validate"),
    "the seed of an entry not chosen": ("seed: 0", "seed: 1", "validate"),
    "the name of an entry not chosen": ("\ngarments:", "\nclothes:", "validate"),
    "a comment": ("# Classes, 1", "# The classes, 1", "validate"),
}

FOLDERS = {
    "core/cli": ALL,
    "core/config": ALL,
    "core/files": ALL,
    "core/formats": "validate download normalize evaluate",
    "core/networks": "validate train evaluate",
    "core/scores": "evaluate render",
}
VERBS = {f"stages/{verb}": verb for verb in ALL.split()}

# What a stage makes: itself, and those that read it.
OUTPUTS = {
    "data/validated": "validate download",
    "data/raw": "download normalize",
    "data/normalized/train": "normalize train evaluate render",
    "data/normalized/test": "normalize evaluate render",
    "data/normalized/classes.json": "normalize train evaluate render",
    "data/model": "train evaluate",
    "data/predictions": "evaluate render",
    "data/familiarity": "evaluate",
    "data/training.json": "train evaluate render",
    "reports/history.csv": "train render",
    "reports/metrics.json": "evaluate render",
    "reports/predictions.csv": "evaluate",
    "reports/reliability.csv": "evaluate",
    "reports/classes.csv": "evaluate",
    "reports/report.md": "render",
    "reports/report.html": "render",
    "reports/figures": "render",
}

# An edit of dvc.yaml, and the stages that it makes others.
PIPELINE = {
    "a comment": ("# The pipeline", "# This pipeline", ""),
    "a description": ("desc: Fit", "desc: To fit", ""),
    "the title of a plot": ("title: Loss by epoch", "title: Loss", ""),
    "a name on a command line": ("normalize data/raw data/normalized/train", "normalize data/raw ./data", "normalize"),
}


class Tree:
    """A copy of all files that git tracks, with something in place of what they make that DVC takes for it."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in tracked():
            hermetic.copy(ROOT / name, folder / name)
        for name in OUTPUTS:
            file = folder / name if Path(name).suffix or name == "data/validated" else folder / name / "made.txt"
            if not (folder / name).exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("made", encoding="utf-8")
        from dvc.repo import Repo  # no quick test needs it, and it takes half a second

        own = {"core": {"no_scm": True, "site_cache_dir": str(folder.parent / "site")}}
        self.repo = Repo(str(folder), config=own)
        self.repo.commit(force=True)

    def stale(self) -> set[str]:
        """Return the stages that `dvc status` names; the command itself would take three times as long."""
        return {address.rpartition(":")[2] for address in self.repo.status()}

    def stale_after(self, name: str, change: Callable[[bytes], bytes]) -> str:
        """Return the stages that are stale while a file is another or, if there is none of that name, a new one."""
        path = self.folder / name
        old = path.read_bytes() if path.exists() else None
        path.write_bytes(change(old or b""))
        try:
            return in_order(self.stale())
        finally:
            path.unlink() if old is None else path.write_bytes(old)


def in_order(stages: set[str]) -> str:
    return " ".join(sorted(stages, key=ALL.split().index))


def tracked() -> list[str]:
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, encoding="utf-8").split("\0")
    return [name for name in listed if name and (ROOT / name).is_file()]


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert content.count(old.encode()) == 1, f"{old!r} stands {content.count(old.encode())} times"
        return content.replace(old.encode(), new.encode())

    return change


def assigned(key: str, value: str) -> Callable[[bytes], bytes]:
    """Return a function that gives a param, such as `train.epochs`, another value."""

    def change(content: bytes) -> bytes:
        section, name = key.encode().split(b".")
        pattern = rb"(?m)(^" + section + rb":\n(?:  .*\n)*?  " + name + rb":)[^#\n]*(#.*)?\n(?:  - .*\n)*"
        changed, times = re.subn(pattern, rb"\1 " + value.encode() + rb"  \2\n", content)
        assert times == 1, f"{key} stands {times} times in params.yaml"
        return changed

    return change


def commented(content: bytes) -> bytes:
    return content + b"\n# changed\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Iterator[Tree]:
    folder = tmp_path_factory.mktemp("mutation") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # DVC insists
        tree = Tree(folder)
        assert tree.stale() == set()
        yield tree
        tree.repo.close()


def test_each_param_has_a_row():
    leaves = hermetic.leaves(hermetic.read_yaml(ROOT / "params.yaml"))

    assert set(PARAMS) == {".".join(path) for path, _ in leaves}


def test_each_folder_of_core_has_a_row():
    assert set(FOLDERS) == {f"core/{path.parent.name}" for path in (ROOT / "core").glob("*/__init__.py")}


def test_each_output_has_a_row():
    stages = hermetic.read_yaml(ROOT / "dvc.yaml")["stages"].values()
    items = [item for stage in stages for kind in ("outs", "plots", "metrics") for item in stage.get(kind, [])]

    assert set(OUTPUTS) == {item if isinstance(item, str) else next(iter(item)) for item in items}


@pytest.mark.slow
@pytest.mark.fault("each declared thing is changed: the stages of its row, and no others")
def test_a_change_of_a_param_touches_the_stages_of_its_row(tree):
    found = {key: tree.stale_after("params.yaml", assigned(key, value)) for key, (value, _) in PARAMS.items()}

    assert found == {key: stages for key, (_, stages) in PARAMS.items()}
    assert tree.stale_after("params.yaml", commented) == "validate"


@pytest.mark.slow
@pytest.mark.fault("each declared thing is changed: the stages of its row, and no others")
def test_a_change_of_an_entry_touches_whom_it_concerns(tree):
    found = {what: tree.stale_after("datasets.yaml", replaced(old, new)) for what, (old, new, _) in ENTRIES.items()}

    assert found == {what: stages for what, (_, _, stages) in ENTRIES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_change_in_a_folder_of_core_touches_those_who_import_it(tree, folder):
    modules = [name for name in tracked() if hermetic.within(name, [folder])]

    assert {tree.stale_after(name, commented) for name in modules} == {FOLDERS[folder]}


@pytest.mark.slow
@pytest.mark.parametrize(("package", "verb"), VERBS.items())
def test_a_change_of_a_stages_own_files_touches_it_alone(tree, package, verb):
    """One file of each kind in each folder, and new ones; by its hash the dependency consists of all files."""
    files = {name: (ROOT / name).read_bytes() for name in tracked() if hermetic.within(name, [package])}
    of_each_kind = {(Path(name).parent, Path(name).suffix): name for name in files}
    changed = [*of_each_kind.values(), f"{package}/new.py", f"{package}/new.txt"]

    assert {name: tree.stale_after(name, commented) for name in changed} == dict.fromkeys(changed, verb)
    recorded = {dep["path"]: dep["md5"] for dep in hermetic.read_yaml(tree.folder / "dvc.lock")["stages"][verb]["deps"]}
    assert recorded[package] == hermetic.md5(files, package)
    assert {kind for _, kind in of_each_kind} == ({".py", ".jinja", ".css", ".js"} if verb == "render" else {".py"})


@pytest.mark.slow
@pytest.mark.fault("a changed bit of an array")
def test_a_change_of_what_a_stage_makes_touches_it_and_its_readers(tree):
    def some_file(name: str) -> str:
        path = tree.folder / name
        return name if path.is_file() else min(path.iterdir()).relative_to(tree.folder).as_posix()

    assert {name: tree.stale_after(some_file(name), commented) for name in OUTPUTS} == OUTPUTS


@pytest.mark.slow
def test_a_change_of_pinned_packages_touches_what_is_calculated_or_drawn_by_them(tree):
    assert tree.stale_after("requirements.lock", commented) == "train evaluate render"
    assert tree.stale_after("requirements-pillow.lock", commented) == "download"


@pytest.mark.slow
def test_a_change_of_the_pipelines_file_touches_a_stage_only_where_it_says_what_to_run(tree):
    found = {what: tree.stale_after("dvc.yaml", replaced(old, new)) for what, (old, new, _) in PIPELINE.items()}

    assert found == {what: stages for what, (_, _, stages) in PIPELINE.items()}


@pytest.mark.slow
@pytest.mark.fault("all else is changed: no stage")
def test_a_change_of_anything_else_touches_nothing(tree):
    """All else at once, and things that lie about; then the command itself is asked, too."""
    rows = [*FOLDERS, *VERBS, *OUTPUTS, "params.yaml", "datasets.yaml", "requirements.lock", "requirements-pillow.lock"]
    others = [name for name in tracked() if not hermetic.within(name, rows)]
    assert {"README.md", "Makefile", "pyproject.toml", "requirements-dev.lock", "dvc.yaml", "dvc.lock"} <= set(others)
    assert {name.split("/")[0] for name in others} >= {"tests", "tools", "benchmarks", ".github", ".dvc", "data"}

    for name in others:
        (tree.folder / name).write_bytes(commented((tree.folder / name).read_bytes()))
    for name in (
        "notes.txt",
        "stages/new.py",
        "core/new.py",
        "stages/train/__pycache__/loop.cpython-311.pyc",
        "data/model.txt",
    ):
        (tree.folder / name).parent.mkdir(exist_ok=True)
        (tree.folder / name).write_bytes(b"new")

    assert tree.stale() == set()
    (tree.folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    environment = hermetic.scrubbed() | {"DVC_SITE_CACHE_DIR": str(tree.folder.parent / "site")}
    assert json.loads(subprocess.check_output(command, cwd=tree.folder, env=environment)) == {}
