"""What reruns after which change. The stages are spelt out here by hand: `dvc status` must name exactly them.

It names what a change touches directly. What follows depends on whether these stages make other bytes.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.project import ALL, ROOT, copy, tracked, within

pytestmark = pytest.mark.slow

EVERY = " ".join(ALL)


# An edit of a param of each section, or of a card; params.yaml names fashion_mnist: the file, the old text, the new
# text, and the stages that depend on it.
EDITS = {
    "the data set": ("params.yaml", "name: fashion_mnist", "name: mnist", "validate download render"),
    "train": ("params.yaml", "epochs: 10", "epochs: 7", "validate train render"),
    "evaluate": ("params.yaml", "batch_size: 1000", "batch_size: 7", "validate evaluate render"),
    "render": ("params.yaml", "mistakes: 15", "mistakes: 7", "validate render"),
    "a comment": ("params.yaml", "mistakes: 15", "mistakes: 15  # changed", "validate"),
    "a mirror": ("datasets/fashion_mnist.yaml", "zalandoresearch", "nobody", "validate download render"),
    "a hash": ("datasets/fashion_mnist.yaml", '"3aede38d', '"00000000', "validate download render"),
    "a hash of another data set": ("datasets/mnist.yaml", '"440fcabf', '"00000000', "validate"),
}

FILES = {
    "core/cli": EVERY,
    "core/config": EVERY,
    "core/files": EVERY,
    "core/formats": "download",
    "core/images": "download evaluate render",
    "core/networks": "validate train evaluate",
    "core/scores": "evaluate render",
    "core/sources": "validate download render",
    **{f"stages/{stage}": stage for stage in ALL},
    "requirements.lock": "train evaluate render",
    "requirements-pillow.lock": "download",
}

# What a stage makes: the stage itself, and those that read it.


STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
OUTPUTS = [
    item if isinstance(item, str) else next(iter(item))
    for stage in STAGES
    for kind in ("outs", "plots", "metrics")
    for item in stage.get(kind, [])
]


class Tree:
    """A copy of the files that git tracks, with a stand-in for each output, which DVC has recorded."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in tracked():
            copy(ROOT / name, folder / name)
        for name in [*OUTPUTS, "data/raw/preparation.json"]:
            file = folder / name if Path(name).suffix or name == "data/validated" else folder / name / "made.txt"
            if not (folder / name).exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("made", encoding="utf-8")
        from dvc.repo import Repo  # takes half a second, also where no test of this file runs

        own = {"core": {"no_scm": True, "site_cache_dir": str(folder.parent / "site")}}
        self.repo = Repo(str(folder), config=own)
        self.repo.commit(force=True)

    def stale(self) -> str:
        """Return the stages that `dvc status` names, in the order of the pipeline."""
        return " ".join(sorted((name.rpartition(":")[2] for name in self.repo.status()), key=ALL.index))

    def stale_after(self, name: str, change: Callable[[bytes], bytes]) -> str:
        """Return the stages that are stale while a file is changed."""
        path = self.folder / name
        if path.is_dir():
            path = min(each for each in path.rglob("*") if each.is_file() and each.name != "__init__.py")
        old = path.read_bytes()
        path.write_bytes(change(old))
        try:
            return self.stale()
        finally:
            path.write_bytes(old)


def commented(content: bytes) -> bytes:
    return content + b"\n# changed\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Iterator[Tree]:
    folder = tmp_path_factory.mktemp("mutation") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # as DVC insists
        tree = Tree(folder)
        assert tree.stale() == ""
        yield tree
        tree.repo.close()


@pytest.mark.fault("each declared thing is changed: the stages of its row, and no others")
def test_a_changed_param_or_data_set_touches_the_stages_that_read_it(tree):
    def change(content: bytes, old: str, new: str) -> bytes:
        assert content.count(old.encode()) == 1
        return content.replace(old.encode(), new.encode())

    found = {
        what: tree.stale_after(file, partial(change, old=old, new=new)) for what, (file, old, new, _) in EDITS.items()
    }

    assert found == {what: stages for what, (*_, stages) in EDITS.items()}


@pytest.mark.fault("a file of the data set is added, changed or removed")
def test_a_file_of_the_chosen_data_set_touches_the_stage_that_reads_it(tree):
    """What README.md says of the files is none of them."""
    folder = tree.folder / "sources/fashion_mnist"
    assert tree.stale_after("sources/fashion_mnist/README.md", commented) == ""

    (folder / "pictures/hat").mkdir(parents=True)
    (folder / "pictures/hat/1.png").write_bytes(b"a picture")
    assert tree.stale() == "download"
    shutil.rmtree(folder / "pictures")
    assert tree.stale() == ""


def test_changed_code_touches_the_stages_that_import_its_folder(tree):
    assert {name: tree.stale_after(name, commented) for name in FILES} == FILES


@pytest.mark.fault("all else is changed: no stage")
def test_a_change_of_anything_else_touches_nothing(tree):
    others = [name for name in tracked() if not within(name, [*FILES, *OUTPUTS, "params.yaml", "datasets"])]
    assert {name.split("/")[0] for name in others} >= {"README.md", "dvc.yaml", "tests", "tools", "benchmarks"}

    for name in others:
        (tree.folder / name).write_bytes(commented((tree.folder / name).read_bytes()))
    for name in (
        "sources/mnist/new.gz",
        "notes.txt",
        "core/new.py",
        "stages/train/__pycache__/loop.cpython-311.pyc",
        "data/model.txt",
    ):
        (tree.folder / name).parent.mkdir(exist_ok=True)
        (tree.folder / name).write_bytes(b"new")

    assert tree.stale() == ""
