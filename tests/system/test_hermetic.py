"""Declared is true: each stage, run where there is nothing but what it declares, makes the bytes that dvc.lock records;
and four lies that DVC believes, each planted in a copy of the real pipeline, are found out by the very same check.
"""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.formats import idx
from stages.download import garments
from tests import hermetic
from tools import scratch

ROOT = Path(__file__).parents[2]
STAGES = ["validate", "download", "normalize", "train", "evaluate", "render"]
TINY = {"dataset.name": "garments", "train.epochs": 1, "train.replicates": 2}


class Project:
    """A copy of all files of the checkout that git tracks, and of what DVC makes of them on a hundred pictures."""

    def __init__(self, folder: Path, notes: Path | None = None):
        self.folder = folder
        self.environment = hermetic.scrubbed() | {"DVC_SITE_CACHE_DIR": str(folder.parent / "site")}
        self.environment |= {"PYTHONPATH": str(notes)} if notes else {}

    def run(self, *command: str, **environment: str) -> str:
        environment = self.environment | environment
        ended = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, encoding="utf-8")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def dvc(self, *arguments: str, **environment: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments, **environment)

    def git(self, *arguments: str) -> str:
        return self.run("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments)

    def status(self, stage: str) -> dict:
        return json.loads(self.dvc("status", "--json", stage))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def lie(self, *lines: str) -> None:
        """Add lines to the end of what `normalize` does, and let DVC run and record it."""
        path = self.folder / "stages/normalize/__main__.py"
        text, last = path.read_text(encoding="utf-8"), "    atomic.write_json(classes, names)\n"
        assert text.count(last) == 1
        path.write_text(text.replace(last, last + "".join(f"    {line}\n" for line in lines)), encoding="utf-8")
        self.dvc("repro", "--single-item", "normalize")


def tiny(folder: Path, notes: Path | None = None, **entries: dict) -> Project:
    """Copy the checkout's tracked files, with few pictures, short training, and further entries of datasets.yaml."""
    for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, encoding="utf-8").split("\0")[:-1]:
        if (ROOT / name).exists() and not name.startswith(("reports/", "dvc.lock")):
            hermetic.copy(ROOT / name, folder / name)
    project = Project(folder, notes)
    scratch.write_params(folder, TINY)
    datasets = hermetic.read_yaml(ROOT / "datasets.yaml")
    datasets["garments"]["images"] = {"train": 100, "test": 100}
    project.write("datasets.yaml", json.dumps(datasets | entries))
    project.git("init", "--quiet")
    return project


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Project:
    """The pipeline run once and committed; what ran of it is noted."""
    notes = tmp_path_factory.mktemp("notes")
    (notes / "sitecustomize.py").write_text(hermetic.NOTES_WHAT_RUNS, encoding="utf-8")
    project = tiny(tmp_path_factory.mktemp("hermetic") / "project", notes)
    project.dvc("repro")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "run")
    return project


@pytest.fixture
def project(baseline, tmp_path) -> Project:
    """A copy of the baseline that a test may change."""
    shutil.copytree(baseline.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("a stage run where there is nothing but what it declares")
def test_a_stage_makes_the_same_of_what_it_declares_alone(baseline, tmp_path, stage):
    assert hermetic.check(baseline.folder, stage, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("code that is run and not declared")
def test_all_code_of_the_project_that_a_stage_ran_is_declared(baseline, stage):
    """With all of the project there, unlike above: what is imported only if it is there would have been."""
    deps = [dep["path"] for dep in hermetic.read_yaml(baseline.folder / "dvc.lock")["stages"][stage]["deps"]]
    notes = Path(baseline.environment["PYTHONPATH"])
    ours = [Path(file) for file in hermetic.ran(notes)[f"stages.{stage}"] if hermetic.under(file, [baseline.folder])]
    names = {file.relative_to(baseline.folder).as_posix() for file in ours}

    assert f"stages/{stage}/__main__.py" in names
    assert [name for name in names if not hermetic.within(name, deps)] == []


@pytest.mark.slow
@pytest.mark.fault("a stage run where there is nothing but what it declares")
def test_downloaded_archives_are_what_the_entry_says_and_come_from_nowhere_else(tmp_path):
    """The one stage that may look outside: into the folder that DATASET_MIRROR names."""
    mirror = tmp_path / "mirror/pictures"
    entry = {"title": "Pictures", "description": "a few", "licence": "none", "source": "download"}
    entry |= {"classes": list("0123456789"), "image_shape": [28, 28], "mirrors": ["https://mirror.invalid/"]}
    entry["archives"] = {}
    for split in ("train", "test"):
        for kind, array in zip(("images", "labels"), garments.draw(50, seed=1, split=split), strict=True):
            file = mirror / f"{split}-{kind}.gz"
            idx.write(file, array)
            data = file.read_bytes()
            described = {"file": file.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            entry["archives"][f"{split}_{kind}"] = described
    project = tiny(tmp_path / "project", pictures=entry)
    scratch.write_params(project.folder, TINY | {"dataset.name": "pictures"})
    served = {"DATASET_MIRROR": str(mirror.parent)}
    project.dvc("repro", "normalize", **served)

    assert hermetic.check(project.folder, "download", tmp_path / "served", **served) == []
    assert hermetic.check(project.folder, "normalize", tmp_path / "normalize") == []
    first, *_ = hermetic.check(project.folder, "download", tmp_path / "not served")
    assert first.startswith("exit code 3: error: train-images.gz: no address serves it")


def test_no_address_is_reached_where_the_network_is_cut():
    """Not even one of this machine, where a server may stand."""
    if not hermetic.network_cut():
        pytest.skip("`unshare -rn` is not allowed here: the hermetic reruns are NOT cut off from the network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = (
            f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), timeout=5).close()"
        )
        assert subprocess.run([sys.executable, "-c", connect]).returncode == 0
        cut = subprocess.run([*hermetic.network_cut(), sys.executable, "-c", connect], capture_output=True, text=True)

    assert "Network is unreachable" in cut.stderr


@pytest.mark.slow
@pytest.mark.fault("a stage reads what it does not declare")
@pytest.mark.fault("four planted lies: a file, a param, an output, an input")
def test_an_undeclared_file_is_found_out(project, tmp_path):
    project.write("names.json", '["a", "b"]')
    project.lie("atomic.write_text(classes, Path('names.json').read_text() if Path('names.json').exists() else '[]')")
    project.write("names.json", '["c", "d"]')
    assert project.status("normalize") == {}

    assert hermetic.check(project.folder, "normalize", tmp_path / "rerun") == [
        "data/normalized/classes.json: not what dvc.lock says it is",
        "names.json: read, but not declared",
    ]


@pytest.mark.slow
@pytest.mark.fault("a stage reads what it does not declare")
@pytest.mark.fault("four planted lies: a file, a param, an output, an input")
def test_an_undeclared_param_is_found_out(project, tmp_path):
    read = "__import__('core.config.yaml').config.yaml.load(params.PATH)"
    project.lie(f"atomic.write_json(classes, [{read}.get('render', {{}}).get('dpi', 'not given')])")
    scratch.write_params(project.folder, TINY | {"render.dpi": 50})
    assert project.status("normalize") == {}
    scratch.write_params(project.folder, TINY)

    assert hermetic.check(project.folder, "normalize", tmp_path / "rerun") == [
        "data/normalized/classes.json: not what dvc.lock says it is",
        "params.yaml: render.dpi: read, but not declared",
    ]


@pytest.mark.slow
def test_a_stray_output_is_found_out(project, tmp_path):
    project.lie("atomic.write_text(Path('data/statistics.txt'), entry.title)")
    assert project.status("normalize") == {}

    assert hermetic.check(project.folder, "normalize", tmp_path / "rerun") == [
        "data/statistics.txt: made, but not declared"
    ]


@pytest.mark.slow
def test_a_changed_input_is_found_out(project, tmp_path):
    """The time in the header of a gzip file, which nobody reads."""
    project.lie(
        "path = raw / 't10k-labels-idx1-ubyte.gz'",
        "data = bytearray(path.read_bytes())",
        "data[4] += 1",
        "path.write_bytes(data)",
    )
    assert project.status("normalize") == {}

    assert hermetic.check(project.folder, "normalize", tmp_path / "rerun") == [
        "data/raw/t10k-labels-idx1-ubyte.gz: there before, and changed by the stage"
    ]


@pytest.mark.slow
def test_undeclared_code_is_found_out(project, tmp_path):
    """By a name that no reader of the code finds."""
    project.lie("__import__('stages.' + 'intervals')")
    assert project.status("normalize") == {}

    first, *others = hermetic.check(project.folder, "normalize", tmp_path / "rerun")
    assert first.startswith("exit code 1: ") and "No module named 'core.scores.intervals'" in first
    assert others[-1] == "core/scores/intervals.py: read, but not declared"


@pytest.mark.slow
@pytest.mark.fault("no cache, no remote")
@pytest.mark.fault("a fresh clone, after which tools.verify finds nothing")
def test_a_fresh_clone_with_an_empty_cache_makes_the_same_bytes(baseline, tmp_path):
    baseline.git("clone", "--quiet", str(baseline.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert not (clone.folder / ".dvc/cache").exists() and not (clone.folder / "data/raw").exists()

    clone.dvc("repro")

    assert clone.git("status", "--porcelain") == ""  # dvc.lock and reports/ as committed
    assert clone.git("ls-files", "dvc.lock", "reports/metrics.json").split() == ["dvc.lock", "reports/metrics.json"]
    assert clone.run(sys.executable, "-m", "tools.verify").endswith("; HEAD has the same\n")


def test_hashes_are_those_that_dvc_recorded_of_the_committed_reports():
    """A folder's among them: our reading of how DVC hashes holds against DVC's own record."""
    files = {f"reports/{name}": data for name, data in hermetic.snapshot(ROOT / "reports").items()}
    outs = [out for stage in hermetic.read_yaml(ROOT / "dvc.lock")["stages"].values() for out in stage["outs"]]
    kept_by_git = {out["path"]: out["md5"] for out in outs if out["path"] in files or out["path"] == "reports/figures"}
    kept_by_git.pop("reports/report.html", None)

    assert kept_by_git["reports/figures"].endswith(".dir") and len(kept_by_git) >= 7
    assert {path: hermetic.md5(files, path) for path in kept_by_git} == kept_by_git


LOCKED = {
    "cmd": "python -m stages.stub",
    "deps": [{"path": "given.txt", "md5": hashlib.md5(b"given").hexdigest()}],
    "outs": [{"path": "made.txt", "md5": hashlib.md5(b"made").hexdigest()}],
}
HONEST = hermetic.Rerun(0, "", {"given.txt": b"given"}, {"given.txt": b"given", "made.txt": b"made"}, [], [])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"code": 2, "stderr": "Working\nerror: no\n"}, ["exit code 2: error: no"]),
        ({"after": {"given.txt": b"given"}}, ["made.txt: declared, but not made"]),
        (
            {"after": {"given.txt": b"given", "made.txt": b"else"}},
            ["made.txt: not what dvc.lock says it is"],
        ),
        ({"after": HONEST.after | {"made.txt2": b""}}, ["made.txt2: made, but not declared"]),
        ({"after": HONEST.after | {"given.txt": b"taken"}}, ["given.txt: there before, and changed by the stage"]),
        ({"after": {"made.txt": b"made"}}, ["given.txt: there before, and changed by the stage"]),
        (
            {"before": {"given.txt": b"old"}, "after": HONEST.after | {"given.txt": b"old"}},
            ["given.txt: not what dvc.lock says it was"],
        ),
        ({"left": [".cache/fonts"]}, [".cache/fonts: left behind outside of the project"]),
        ({"foreign": ["/else/where.py"]}, ["/else/where.py: ran, though it is neither declared nor installed"]),
    ],
)
def test_each_kind_of_lie_has_its_line(change, found):
    assert hermetic.findings(LOCKED, HONEST._replace(**change)) == found


def test_a_stray_link_and_a_stray_folder_are_seen_too(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made/file").write_bytes(b"1")
    before = hermetic.snapshot(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "made/link").symlink_to("file")
    after = hermetic.snapshot(tmp_path)

    assert before == {"made/file": b"1"}
    assert after.items() - before.items() == {
        ("empty/", b""),
        ("dangling", b"a link to nowhere"),
        ("made/link", b"a link to file"),
    }


def test_what_is_withheld_are_the_params_and_files_that_are_not_declared(tmp_path):
    for name in ("core/formats/idx.py", "stages/verb/__main__.py", "notes.txt", "out/made.txt", ".git/config"):
        hermetic.copy(Path(__file__), tmp_path / name)
    (tmp_path / "params.yaml").write_text("verb: {a: 1, b: [2]}\nother: {c: 1e-3}\n", encoding="utf-8")
    (tmp_path / "datasets.yaml").write_text("chosen: {title: A}\nanother: {title: B}\n", encoding="utf-8")
    locked = {
        "deps": [{"path": "stages/verb"}],
        "outs": [{"path": "out"}],
        "params": {"params.yaml": {"verb": {"a": 1, "b": [2]}}, "datasets.yaml": {"chosen": {"title": "A"}}},
    }

    assert hermetic.undeclared_files(tmp_path, locked) == ["notes.txt", "core/formats/idx.py"]
    assert hermetic.undeclared_params(tmp_path, locked) == [
        ("params.yaml", "other", "c"),
        ("datasets.yaml", "another", "title"),
    ]
    assert hermetic.tree(dict(hermetic.leaves(locked["params"]))) == locked["params"]
