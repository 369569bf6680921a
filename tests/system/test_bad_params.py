"""A bad params.yaml or datasets.yaml costs nothing: `validate` says what is wrong with it, and under `dvc repro`, too,
every result stays as it was.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from core.cli import command
from stages.validate.__main__ import main
from tests.project import ROOT, Project

STAMP = "data/validated"
Change = Callable[[str], str | bytes | None]


def put(key: str, value: str) -> Change:
    """Return what gives a key, such as `train.epochs`, another value in the text of a file."""

    def change(text: str) -> str:
        lines, place = text.splitlines(), -1
        for depth, part in enumerate(key.split(".")):
            start = "  " * depth + part + ":"
            place = next(i for i in range(place + 1, len(lines)) if lines[i].startswith(start))
        inner = ("  " * (depth + 1), "  " * depth + "- ")
        below = [not line.startswith(inner) for line in lines[place + 1 :]]
        end = place + 1 + (below.index(True) if any(below) else len(below))
        return "\n".join([*lines[:place], f"{start} {value}", *lines[end:]]) + "\n"

    return change


def swap(old: str, new: str) -> Change:
    """Return what puts `new` in the first place where `old` stands."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def whole(data: str | bytes | None) -> Change:
    """Return what makes this the whole file; None: there is no file."""
    return lambda text: data


def latin(text: str) -> bytes:
    return f"# B\xfccher\n{text}".encode("latin-1")


DIFFER = "line N: YAML readers differ on"
LABELS = "fashion_mnist.archives.test_labels"
EPOCHS = "an integer 1 <= x <= 10000"

# How the file comes to be bad, and how each line that is said of it goes on after its name.
PARAMS: list[tuple[Change, list[str]]] = [
    (whole(None), ["no such file"]),
    (whole(""), ["not a mapping of keys to values (expected a mapping, got nothing)"]),
    (whole("- 1\n"), ["not a mapping of keys to values (expected a mapping, got a list)"]),
    (whole("fast\n"), ["not a mapping of keys to values (expected a mapping, got a single value)"]),
    (whole("a: " + "[" * 3000), ["line N: nested more than 20 levels deep"]),
    (whole("#" * 65_537), ["too large (expected at most 65536 bytes, got more)"]),
    (whole("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"), ["line N: anchors and aliases are not used here"]),
    (swap("  epochs: 10", "  epochs: [10"), ["line N: expected ',' or ']', but got '<scalar>'"]),
    (swap("  epochs: 10", "\tepochs: 10"), ["line N: found character '\\t' that cannot start any token"]),
    (swap("  epochs: 10", "  epochs: 10\n  epochs: 11"), ["line N: key 'epochs' stands twice, also on line N"]),
    (latin, ["not UTF-8 on line N"]),
    (lambda text: f"# \0\n{text}", ["line N: not used here: \\x00"]),
    (lambda text: f"{text}---\na: 1\n", ["line N: but found another document"]),
    (lambda text: f"%YAML 1.1\n---\n{text}", ["line N: not used here: %YAML"]),
    (swap("  name: fashion_mnist", "  nmae: fashion_mnist"), ["dataset.name: missing", "dataset.nmae: unknown key"]),
    (
        swap("  epochs: 10", "  epcohs: 10"),
        ["train.epochs: missing", "train.epcohs: unknown key: did you mean epochs?"],
    ),
    (swap("\nevaluate:\n", "\nevaluat:\n"), ["evaluate: missing", "evaluat: unknown key: did you mean evaluate?"]),
    (swap("  dpi: 100", "  fast: true\n  dpi: 100"), ["render.fast: unknown key"]),
    (put("dataset", "mnist"), ["dataset: wrong type"]),
    (put("dataset.name", "mnits"), ["dataset.name: no such data set: did you mean mnist?"]),
    (put("dataset.name", "../mnist"), ["dataset.name: wrong form"]),
    (put("dataset.name", '"a\\u202eb"'), ["dataset.name: wrong form"]),
    (put("dataset.name", "7"), ["dataset.name: wrong type: put it in quotes"]),
    (put("train.network", "dens"), ["train.network: unknown choice: did you mean dense?"]),
    (put("train.optimizer", "{class_name: SGD}"), ["train.optimizer: unknown choice"]),
    (put("train.output", "!!python/object/apply:os.system ['touch canary']"), ["line N: tags are not used here"]),
    (put("train.hidden_units", "1000000000"), ["train.hidden_units.0: out of range"]),
    (put("train.learning_rate", ".nan"), ["train.learning_rate: not a finite number"]),
    (put("train.learning_rate", ".inf"), ["train.learning_rate: not a finite number"]),
    (put("train.learning_rate", "1e400"), ["train.learning_rate: not a finite number"]),
    (put("train.learning_rate", "0"), ["train.learning_rate: out of range"]),
    (put("train.learning_rate", "1.5"), ["train.learning_rate: out of range"]),
    (put("train.learning_rate", "-.5"), [f"{DIFFER} -.5"]),
    (put("train.learning_rate", "fast"), ["train.learning_rate: wrong type"]),
    (put("train.epochs", "0"), [f"train.epochs: out of range (expected {EPOCHS}, got 0)"]),
    (put("train.epochs", "10001"), ["train.epochs: out of range"]),
    (put("train.epochs", "true"), ["train.epochs: wrong type"]),
    (put("train.epochs", "10.0"), ["train.epochs: wrong type"]),
    (put("train.epochs", '"10"'), ["train.epochs: wrong type"]),
    (put("train.epochs", "010"), [f"{DIFFER} 010"]),
    (put("train.epochs", "1:30"), [f"{DIFFER} 1:30"]),
    (put("train.epochs", "0o10"), [f"{DIFFER} 0o10"]),
    (put("train.epochs", "9" * 5000), ["line N: an integer of 5000 digits: put it in quotes"]),
    (put("train.augmentation_flip", "yes"), [f"{DIFFER} yes"]),
    (swap("  epochs: 10", "  epochs: 010\n  faster: yes"), [f"{DIFFER} 010", f"{DIFFER} yes"]),
    (put("train.validation_fraction", "1"), ["train.validation_fraction: out of range"]),
    (put("train.early_stopping_patience", "3"), ["train.early_stopping_patience: needs validation images"]),
    (put("train.seed", "-1"), ["train.seed: out of range"]),
    (put("render.examples", "[]"), ["render.examples: out of range"]),
    (put("render.examples", "[0, a]"), ["render.examples.1: wrong type"]),
    (put("render.dpi", "1000"), ["render.dpi: out of range"]),
]
DATASETS: list[tuple[Change, list[str]]] = [
    (whole(None), ["no such file"]),
    (whole("- 1\n"), ["not a mapping of keys to values (expected a mapping, got a list)"]),
    (latin, ["not UTF-8 on line N"]),
    (swap("  title: MNIST", "  title: [MNIST"), ["line N: expected ',' or ']', but got ':'"]),
    (swap("  title: MNIST", "\ttitle: MNIST"), ["line N: found character '\\t' that cannot start any token"]),
    (swap("  title: MNIST", "  title: MNIST\n  title: MNIST"), ["line N: key 'title' stands twice, also on line N"]),
    (swap("  title: MNIST", "  title: !!python/name:os.system MNIST"), ["line N: tags are not used here"]),
    (swap("\nmnist:", "\n../mnist:"), ["../mnist: wrong form"]),
    (
        swap("    test_labels:", "    test_label:"),
        [
            "fashion_mnist.archives.test_labels: missing",
            "fashion_mnist.archives.test_label: unknown key: did you mean test_labels?",
        ],
    ),
    (put("mnist.source", "upload"), ["mnist.source: unknown choice"]),
    (put(f"{LABELS}.sha256", "7" * 64), [f"{LABELS}.sha256: wrong type: put it in quotes"]),
    (put(f"{LABELS}.sha256", "12e34"), [f"{LABELS}.sha256: wrong type: put it in quotes"]),
    (put(f"{LABELS}.sha256", f'"{"A" * 64}"'), [f"{LABELS}.sha256: wrong form"]),
    (put(f"{LABELS}.size", "0"), [f"{LABELS}.size: out of range"]),
    (put(f"{LABELS}.size", "true"), [f"{LABELS}.size: wrong type"]),
    (put(f"{LABELS}.file", "../labels.gz"), [f"{LABELS}.file: wrong form"]),
    (
        put(f"{LABELS}.file", "TRAIN-labels-idx1-ubyte.gz"),
        ["fashion_mnist.archives: train_labels and test_labels have"],
    ),
    (
        put(f"{LABELS}.sha256", '"346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"'),
        ["fashion_mnist.archives: test_images and test_labels have the same sha256"],
    ),
    (put("mnist.mirrors", "[http://a.example/]"), ["mnist.mirrors: mirror 0 is not an https address"]),
    (put("mnist.mirrors", "[https://me:secret@a.example/]"), ["mnist.mirrors: mirror 0 has a user name or a password"]),
    (
        put("mnist.mirrors", "[http://a.example/, https://me:secret@a.example/]"),
        ["mnist.mirrors: mirror 0 is not an https address", "mnist.mirrors: mirror 1 has a user name or a password"],
    ),
    (put("mnist.mirrors", "https://me:secret%40a.example/"), ["mnist.mirrors: wrong type"]),
    (put("mnist.mirrors", "https://a.example/data?token=secret"), ["mnist.mirrors: wrong type"]),
    (put("mnist.mirrors", "!<https://me:secret@a.example> []"), ["line N: tags are not used here"]),
    (put("mnist.mirrors", "[]"), ["mnist.mirrors: out of range"]),
    (put("garments.classes", "[coat, Coat]"), ["garments.classes: classes 0 and 1 have the same name: Coat"]),
    (put("garments.classes", '["a\\u202eb", c]'), ["garments.classes: class 0 has characters that can't be shown"]),
    (put("garments.classes", "[a, b, c]"), ["garments.classes: 10 kinds of clothing are drawn, and 3 are named"]),
    (put("garments.image_shape", "[32, 32]"), ["garments.image_shape: what is drawn has a shape of [28, 28]"]),
    (put("garments.images", "{train: 12000}"), ["garments.images.test: missing"]),
]
CASES = [("params.yaml", *case) for case in PARAMS] + [("datasets.yaml", *case) for case in DATASETS]


# What DVC can't read, or lacks for dvc.yaml's ${dataset.name}, it refuses before it starts a stage, in its own words.
NO_NAME, UNREAD = "Could not find 'dataset.name'", "unable to read: 'params.yaml'"
UNREAD_DATASETS = {"no such file": "failed to reproduce 'validate': .*No such file or directory: '.*/datasets.yaml'"}
UNREAD_PARAMS = {
    "no such file": NO_NAME,
    "not a mapping of keys to values (expected a mapping, got nothing)": NO_NAME,
    "not a mapping of keys to values (expected a mapping, got a list)": "got 'list' in file 'params.yaml'",
    "not a mapping of keys to values (expected a mapping, got a single value)": "got 'str' in file 'params.yaml'",
    "line N: nested more than 20 levels deep": "maximum recursion depth exceeded",
    "line N: an integer of 5000 digits: put it in quotes": "Exceeds the limit",
    "too large (expected at most 65536 bytes, got more)": NO_NAME,
    "dataset.name: missing": NO_NAME,
    "dataset: wrong type": NO_NAME,
    "line N: anchors and aliases are not used here": NO_NAME,
    "line N: but found another document": UNREAD,
    "line N: not used here: \\x00": UNREAD,
    "not UTF-8 on line N": UNREAD,
    "line N: tags are not used here": UNREAD,
    "line N: expected ',' or ']', but got '<scalar>'": UNREAD,
    "line N: found character '\\t' that cannot start any token": UNREAD,
    "line N: key 'epochs' stands twice, also on line N": UNREAD,
}


def spoil(file: str, change: Change) -> None:
    data = change((ROOT / file).read_text(encoding="utf-8"))
    if data is None:
        os.remove(file)
    else:
        Path(file).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without DVC's own temporary ones."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if ".dvc/tmp" not in str(path)}


@pytest.mark.parametrize(("file", "change", "said"), CASES)
@pytest.mark.fault("the file or a key is missing")
@pytest.mark.fault("not plain YAML")
def test_a_bad_file_is_refused_in_lines_that_name_the_key(project, capsys, file, change, said):
    spoil(file, change)
    before = snapshot(project)

    with pytest.raises(SystemExit) as ended:
        command.run(main, argv=[STAMP])

    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert snapshot(project) == before  # and so there is no canary
    for line, start in zip(printed.err.splitlines(), said, strict=True):
        assert re.sub(r"line \d+", "line N", line).startswith(f"error: {file}: {start}")
        assert re.search("; fix: (edit|git checkout --|choose one of) ", line)
        assert "secret" not in line


def test_all_problems_of_both_files_are_said_together(project, capsys):
    spoil("params.yaml", swap("  epochs: 10", "  epochs: 0"))
    spoil("datasets.yaml", put("mnist.source", "upload"))

    with pytest.raises(SystemExit):
        command.run(main, argv=[STAMP])

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1:3] for line in lines] == [
        ["params.yaml", "train.epochs"],
        ["datasets.yaml", "mnist.source"],
    ]


@pytest.mark.fault("images too small for the network of params.yaml")
def test_a_network_that_needs_larger_images_is_refused_before_it_is_trained(project, capsys):
    """It takes both files to tell."""
    spoil("params.yaml", put("train.network", "cnn_small"))
    spoil("datasets.yaml", put("fashion_mnist.image_shape", "[9, 28]"))
    before = snapshot(project)

    with pytest.raises(SystemExit) as ended:
        command.run(main, argv=[STAMP])

    what = "cnn_small needs larger images (expected 10 x 10 pixels at least, got 9 x 28); fix: "
    assert (ended.value.code, snapshot(project)) == (2, before)
    assert capsys.readouterr().err.startswith(f"error: params.yaml: train.network: {what}")


STUB = """
import pathlib, sys
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    if not path.suffix:
        path /= "file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
"""


def stubbed(pipeline: dict) -> dict:
    """Return dvc.yaml with every stage but `validate` only writing its outputs: not one of them should run here."""
    for name, stage in pipeline["stages"].items():
        items = [item for kind in ("outs", "plots", "metrics") for item in stage.get(kind, [])]
        outs = [item if isinstance(item, str) else next(iter(item)) for item in items]
        if name != "validate":
            stage["cmd"] = " ".join(["python stub.py", *outs])
    return pipeline


def repro(project: Project) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", "repro"]
    return subprocess.run(command, env=project.environment(), capture_output=True, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.fault("a stage fails under DVC: results stay, and come back from the run-cache")
@pytest.mark.fault("any of these under `dvc repro`: every result stays")
def test_under_dvc_a_bad_file_costs_nothing(project):
    """With the real dvc.yaml and the real `validate`. DVC deletes the stamp of `validate`, a constant, before it starts
    it, and brings it back from its run-cache; what it can't read itself it refuses before that.
    """
    copy = Project.copied(project)
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    Path("dvc.yaml").write_text(yaml.safe_dump(stubbed(pipeline), sort_keys=False), encoding="utf-8")
    Path("stub.py").write_text(STUB, encoding="utf-8")
    copy.git("init", "--quiet")
    copy.dvc("repro")
    results = snapshot(project)
    assert {"dvc.lock", "reports/metrics.json", "data/model/file", STAMP} <= results.keys()

    for file, change, said in CASES:
        spoil(file, change)
        ended = repro(copy)
        printed = re.sub(r"line \d+", "line N", ended.stdout + ended.stderr)
        assert ended.returncode == 255, printed
        if words := (UNREAD_PARAMS if file == "params.yaml" else UNREAD_DATASETS).get(said[0]):
            assert re.search(words, printed)
            assert "Running stage" not in printed
        else:
            errors = [line for line in printed.splitlines() if line.startswith("error: ")]
            for line, start in zip(errors, said, strict=True):
                assert line.startswith(f"error: {file}: {start}")
        after = snapshot(project)
        assert {path for path in results.keys() | after.keys() if results.get(path) != after.get(path)} <= {file, STAMP}
        shutil.copy(ROOT / file, project)

    assert not Path(STAMP).exists()
    ended = repro(copy)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Stage 'validate' is cached" in ended.stdout
    assert snapshot(project) == results
