"""A stage needs nothing but what it declares: run where there is nothing else, it makes the bytes of dvc.lock.

DVC skips a stage as long as its declared inputs did not change. If a stage reads anything else, its results get stale
and `dvc status` finds nothing wrong. Two such lies are planted here, and found.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import snapshot
from tests.project import ALL, Project, copy, within

pytestmark = pytest.mark.slow


def rerun(project: Project, stage: str, folder: Path) -> list[str]:
    """Run a stage in a new folder that holds its deps and params alone, with an empty home and, if the system allows
    it, no network. Return what differs from its entry in dvc.lock, a line each.
    """
    locked = project.lock()[stage]
    for dep in locked["deps"]:
        copy(project.folder / dep["path"], folder / dep["path"])
    for name, content in locked.get("params", {}).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    if stage == "validate":  # it looks whether the folder is there, before DVC does: a dependency would take seconds
        (folder / "sources/garments").mkdir(parents=True)
    before = snapshot(folder)
    home = folder.with_name(f"home of {stage}")
    home.mkdir()
    environment = {"PATH": str(Path(sys.executable).parent), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*network_cut(), "/bin/sh", "-c", locked["cmd"]]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    after, outs = snapshot(folder), {out["path"]: out["md5"] for out in locked["outs"]}
    found = [ended.stderr.strip().rpartition("\n")[2]] if ended.returncode else []
    found += [f"{name}: changed" for name, data in before.items() if after.get(name) != data]
    found += [f"{name}: not declared" for name in after.keys() - before.keys() if not within(name, outs)]
    return found + [f"{path}: other bytes" for path, digest in outs.items() if md5(after, path) != digest]


def md5(found: dict[str, bytes], path: str) -> str:
    """Return the hash by which DVC knows a file or a folder."""
    if path in found:
        return hashlib.md5(found[path]).hexdigest()
    inside = sorted(name for name in found if within(name, [path]))
    entries = [{"md5": hashlib.md5(found[name]).hexdigest(), "relpath": name[len(path) + 1 :]} for name in inside]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def network_cut() -> list[str]:
    """Return the beginning of a command line that cuts off the network, or nothing if the system does not allow it."""
    unshare = shutil.which("unshare")
    allowed = unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0
    return [str(unshare), "-rn", "--"] if allowed else []


@pytest.mark.parametrize("stage", ALL)
@pytest.mark.fault("a stage reads, runs or writes what it does not declare")
def test_a_stage_makes_the_same_of_what_it_declares_alone(baseline, tmp_path, stage):
    assert rerun(baseline, stage, tmp_path / "project") == []


def test_an_undeclared_input_and_an_undeclared_output_are_found(pipeline, tmp_path):
    """Both are added to `normalize`, and DVC runs and records it."""
    lies = """
    import os
    os.path.exists("names.json") and __import__("shutil").copy("names.json", classes)
    Path("data/statistics.txt").write_text(str(names))
"""
    pipeline.edit("stages/normalize/__main__.py", "\n\n\nif __name__", f"\n{lies}\n\nif __name__")
    (pipeline.folder / "names.json").write_text('["a", "b"]', encoding="utf-8")
    pipeline.dvc("repro", "--single-item", "normalize")
    (pipeline.folder / "names.json").write_text('["c", "d"]', encoding="utf-8")
    assert json.loads(pipeline.dvc("status", "--json", "normalize")) == {}, "DVC sees nothing"

    found = rerun(pipeline, "normalize", tmp_path / "rerun")

    assert found == ["data/statistics.txt: not declared", "data/normalized/classes.json: other bytes"]


@pytest.mark.fault("no cache, no remote")
@pytest.mark.fault("all stages forced to run again")
def test_a_fresh_clone_with_an_empty_cache_makes_the_same_bytes(baseline, tmp_path):
    baseline.git("clone", "--quiet", str(baseline.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert not (clone.folder / ".dvc/cache").exists()

    clone.dvc("repro")

    assert clone.git("status", "--porcelain") == ""  # dvc.lock and reports/ as committed
