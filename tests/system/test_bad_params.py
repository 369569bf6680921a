"""Under `dvc repro`, a bad params.yaml or datasets.yaml costs nothing: every result stays as it was."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, Project

STAMP = "data/validated"

# The file, the text in it, the text or the bytes put in its place, and the line of `validate`.
VALIDATED = [
    ("params.yaml", "  epochs: 10", "  epochs: 0", "train.epochs: wrong value"),
    ("params.yaml", "  epochs: 10", "  epochs: true", "train.epochs: wrong value"),
    ("params.yaml", "  epochs: 10", "  epochs: ten", "train.epochs: wrong value"),
    ("params.yaml", "  epochs: 10", "  epocs: 10", "train.epochs: missing"),
    ("params.yaml", "  learning_rate: 0.001", "  learning_rate: .nan", "train.learning_rate: wrong value"),
    ("params.yaml", "name: fashion_mnist", "name: mnits", "dataset.name: no such data set: did you mean mnist?"),
    ("datasets.yaml", "  seed: 0", "  seed: -1", "garments.seed: wrong value"),
    ("datasets.yaml", "  title: MNIST", "\ttitle: MNIST", "line N: found character '\\t'"),
]
# DVC reads params.yaml itself before it starts a stage, and refuses these in its own words.
REFUSED_BY_DVC = [
    ("  epochs: 10", "  epochs: [10", "unable to read: 'params.yaml'"),
    ("  epochs: 10", "  epochs: 10\n  epochs: 11", "unable to read: 'params.yaml'"),
    ("  epochs: 10", b"  epochs: 10  # B\xfccher", "unable to read: 'params.yaml'"),
    ("  name: fashion_mnist", "  nmae: fashion_mnist", "Could not find 'dataset.name'"),
]

STUB = """
import pathlib, sys
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    if not path.suffix:
        path /= "file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
"""


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without DVC's own temporary files."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if ".dvc/tmp" not in str(path)}


def stubbed(pipeline: dict) -> dict:
    """Return dvc.yaml with stages that only write their outputs, apart from `validate`."""
    for name, stage in pipeline["stages"].items():
        items = [item for kind in ("outs", "plots", "metrics") for item in stage.get(kind, [])]
        outs = [item if isinstance(item, str) else next(iter(item)) for item in items]
        if name != "validate":
            stage["cmd"] = " ".join(["python stub.py", *outs])
    return pipeline


def spoil(file: str, old: str, new: str | bytes) -> None:
    data = (ROOT / file).read_bytes()
    assert old.encode() in data
    Path(file).write_bytes(data.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1))


@pytest.mark.slow
@pytest.mark.fault("a stage fails under DVC: results stay, and come back from the run-cache")
@pytest.mark.fault("any of these under `dvc repro`: every result stays")
def test_under_dvc_a_bad_file_costs_nothing(project):
    """DVC deletes the stamp of `validate` before it runs the stage, and restores it from its run-cache afterwards."""
    copy = Project.copied(project)
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    Path("dvc.yaml").write_text(yaml.safe_dump(stubbed(pipeline), sort_keys=False), encoding="utf-8")
    Path("stub.py").write_text(STUB, encoding="utf-8")
    copy.git("init", "--quiet")
    copy.dvc("repro")
    results = snapshot(project)
    assert {"dvc.lock", "reports/metrics.json", "data/model/file", STAMP} <= results.keys()

    def repro(file: str) -> str:
        """Let `dvc repro` fail on a bad file; return what it printed, and put the file right."""
        command = [sys.executable, "-m", "dvc", "repro"]
        ended = subprocess.run(command, env=copy.environment(), capture_output=True, encoding="utf-8")
        assert ended.returncode == 255
        after = snapshot(project)
        assert {path for path in results.keys() | after.keys() if results.get(path) != after.get(path)} <= {file, STAMP}
        shutil.copy(ROOT / file, project)
        return ended.stdout + ended.stderr

    for old, new, words in REFUSED_BY_DVC:
        spoil("params.yaml", old, new)
        printed = repro("params.yaml")
        assert words in printed and "Running stage" not in printed
    for file, old, new, line in VALIDATED:
        spoil(file, old, new)
        printed = re.sub(r"line \d+", "line N", repro(file))
        assert f"\nerror: {file}: {line}" in printed and "Running stage 'download'" not in printed

    assert not Path(STAMP).exists()
    assert "Stage 'validate' is cached" in copy.dvc("repro")
    assert snapshot(project) == results
