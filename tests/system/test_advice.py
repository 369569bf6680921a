"""The advice after `fix:` works: a case makes a fault, does as the printed line says, and does not meet the line again.

The cases are those in which the advice is a command, a text to write, or a step that could lead back to the same line.
To undo a slip, such as a mistyped param, is no case. test_advice_under_dvc.py has those that need the pipeline.
"""

import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from core.cli import command
from tests.conftest import ROOT

VALIDATE, DESCRIBE = "stages.validate data/validated", "tools.describe own"
DOWNLOAD = "stages.download datasets/own.yaml sources/own requirements-pillow.lock data/raw"
CARD, FOLDER = Path("datasets/own.yaml"), Path("sources/own")
TEXTS = {"title": "Own", "description": "of the tests", "licence": "none"}
CLASSES = ["bag", "hat"]
IMAGES = np.random.RandomState(0).randint(0, 256, (40, 5, 4), np.uint8)
LABELS = np.arange(40, dtype=np.uint8) % 2
ROLES = {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"}


class Case(NamedTuple):
    """A function that makes a fault, the command that meets it, words of its fix, and a function that does as it says.

    `act` gets each line with these words.
    """

    fault: Callable[[], object]
    command: str
    words: str
    act: Callable[[str], object]


def run(line: str) -> list[str]:
    """Return the lines of error of a stage or a tool that is run in this process."""
    name, *arguments = shlex.split(line)
    is_package = ROOT.joinpath(*name.split(".")).is_dir()
    module = importlib.import_module(f"{name}.__main__" if is_package else name)
    declare = getattr(module, "declare", None)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as printed, pytest.raises(SystemExit) as ended:
        command.run(module.main, declare, argv=arguments)
    lines = printed.getvalue().splitlines()
    assert bool(ended.value.code) == bool(lines), lines
    return lines


def said(lines: list[str]) -> set[str]:
    """Return subject and problem of each line, without numbers and advice."""
    return {line.partition("; fix: ")[0].partition(" (expected ")[0] for line in lines}


def shell(line: str) -> None:
    """Run a command line as the user's shell does, with this environment's python first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, line + ended.stdout + ended.stderr


# Cards


def choose(**keys: object) -> None:
    """Write a card, and choose its data set."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    CARD.write_text(json.dumps(TEXTS | keys), encoding="utf-8")  # JSON is YAML
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("name: fashion_mnist", "name: own", 1), encoding="utf-8")


def put(**keys: object) -> Callable[..., None]:
    """Return a function that gives keys of the card other values; None removes a key."""

    def act(*_: str) -> None:
        card = json.loads(CARD.read_text(encoding="utf-8")) | keys
        CARD.write_text(json.dumps({key: value for key, value in card.items() if value is not None}), encoding="utf-8")

    return act


# Arrays


def arrays(*missing: str, card: dict[str, object] | None = None, **given: np.ndarray) -> Callable[[], None]:
    """Return a function that makes a sound data set of four arrays, except for the given and the missing ones."""

    def make() -> None:
        choose(**{"format": "npz", "classes": CLASSES} | (card or {}))
        save(*missing, **given)

    return make


def save(*missing: str, **given: np.ndarray) -> None:
    sound = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[::-1, ::-1], "y_test": LABELS[::-1]}
    np.savez(FOLDER / "own.npz", **{name: array for name, array in (sound | given).items() if name not in missing})


def resave(name: str, expression: str, array: np.ndarray) -> Callable[[str], None]:
    """Return a function that saves an array as an expression in the line says."""

    def act(line: str) -> None:
        assert expression in line
        variables = {"np": np, "x": array, "labels": array}
        save(**{name: eval(expression, variables)})

    return act


ONE_HOT = np.eye(2, dtype=np.uint8)[LABELS]
OBJECTS = np.array([*IMAGES.astype(object)], object)
THREE = np.arange(40, dtype=np.uint8) % 3
SWAPPED = {role: f"own.npz/{name}" for role, name in ROLES.items()}
SOUND = dict(SWAPPED)
SWAPPED["train_images"], SWAPPED["train_labels"] = SWAPPED["train_labels"], SWAPPED["train_images"]
# Somebody's own mirror that is down: nobody listens on this port.
UNREACHED = {"mirrors": ["http://127.0.0.1:9/"], "archives": {"own.npz": {"size": 1, "sha256": "0" * 64}}}


def unreached() -> None:
    """Make a card of an archive that the mirror does not serve, and which lies in a folder."""
    arrays()()
    size, sha256 = (FOLDER / "own.npz").stat().st_size, subprocess.check_output(["sha256sum", FOLDER / "own.npz"])
    pin = {"size": size, "sha256": sha256.split()[0].decode()}
    put(mirrors=UNREACHED["mirrors"], archives={"own.npz": pin})()
    shell(f"mkdir -p mirrors/own && mv {FOLDER}/own.npz mirrors/own")


def table(name: str, images: np.ndarray, labels: np.ndarray | None) -> None:
    columns = [f"pixel{number}" for number in range(images[0].size)]
    rows = images.reshape(len(images), -1)
    if labels is not None:
        columns, rows = ["label", *columns], np.column_stack([labels, rows])
    (FOLDER / name).write_text("\n".join(",".join(map(str, row)) for row in [columns, *rows]) + "\n", encoding="utf-8")


def kaggle() -> None:
    """Make the two tables of a contest: the test images have no labels."""
    choose(format="csv", classes=CLASSES, files={"train": "train.csv", "test": "test.csv"})
    squares = np.random.RandomState(0).randint(0, 256, (40, 5, 5), np.uint8)
    table("train.csv", squares, LABELS)
    table("test.csv", squares[:9], None)


# Pictures


def picture(name: str, value: int = 0, suffix: str = ".png") -> None:
    path = FOLDER / (name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(value, value + 6, dtype=np.uint8).reshape(2, 3)).save(path)


def pictures(*more: str, spoil: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """Return a function that makes a sound folder of two classes with further pictures, and spoils it."""

    def make() -> None:
        choose(format="pictures")
        for number, split in enumerate(("train", "test")):
            for name in CLASSES:
                picture(f"{split}/{name}/1", 10 * number)
        for name in more:
            picture(name, 50)
        spoil()

    return make


def gifs() -> None:
    os.remove(FOLDER / "test/hat/1.png")
    picture("test/hat/1", 10, suffix=".gif")


def rename(line: str) -> None:
    old, folder = re.search(r"error: (\S+): .*; fix: rename this file, and (\S+) with it", line).groups()
    shell(f"mv {old} datasets/mine.yaml && mv {folder} sources/mine")


def misnamed() -> None:
    arrays()()
    shell("mv datasets/own.yaml datasets/Own.yaml && mv sources/own sources/Own")


CASES = {
    "a name that no data set can have": Case(misnamed, VALIDATE, "rename this file", rename),
    "no files": Case(
        lambda: (arrays()(), shell("mv sources/own mine")),
        VALIDATE,
        "put the files of own there",
        lambda _: shell("mkdir sources/own && mv mine/* sources/own"),
    ),
    "no mirror that answers": Case(
        unreached,
        DOWNLOAD,
        "set DATASET_MIRROR to a folder that holds <data set>/",
        lambda _: os.environ.update(DATASET_MIRROR="mirrors"),
    ),
    "exchanged": Case(arrays(card={"files": SWAPPED}), DOWNLOAD, "correct files in the card", put(files=SOUND)),
    "floats": Case(
        arrays(x_train=IMAGES / 255),
        DOWNLOAD,
        "if they end at 1",
        resave("x_train", 'np.rint(x * 255).astype("uint8")', IMAGES / 255),
    ),
    "labels of one column for each class": Case(
        arrays(y_train=ONE_HOT), DOWNLOAD, "labels.argmax", resave("y_train", "labels.argmax(axis=1)", ONE_HOT)
    ),
    "objects": Case(
        arrays(x_train=OBJECTS),
        DOWNLOAD,
        "save numbers",
        resave("x_train", 'np.array(x.tolist()).astype("uint8")', OBJECTS),
    ),
    "columns before rows": Case(
        arrays(x_train=np.asfortranarray(IMAGES)),
        DOWNLOAD,
        "save np.ascontiguousarray(x)",
        resave("x_train", "np.ascontiguousarray(x)", np.asfortranarray(IMAGES)),
    ),
    "labels from 1": Case(
        arrays(y_train=LABELS + 1, y_test=LABELS[::-1] + 1), DOWNLOAD, "set first_label: 1", put(first_label=1)
    ),
    "labels from 1, described": Case(
        arrays(y_train=LABELS + 1, y_test=LABELS[::-1] + 1), DESCRIBE, "set first_label: 1", put(first_label=1)
    ),
    "more classes": Case(
        arrays(y_train=THREE, y_test=THREE), DOWNLOAD, "list 3 classes", put(classes=[*CLASSES, "shoe"])
    ),
    "no class names": Case(
        arrays(card={"classes": None}),
        DOWNLOAD,
        "list classes, one for each label from 0 to 1, in datasets/own.yaml",
        put(classes=CLASSES),
    ),
    "another shape": Case(
        arrays(card={"image_shape": [4, 5]}), DOWNLOAD, "set image_shape: [5, 4]", put(image_shape=[5, 4])
    ),
    "no test images": Case(
        arrays("x_test", "y_test"), DOWNLOAD, "set test_fraction, such as 0.2", put(test_fraction=0.2)
    ),
    "test images and a fraction": Case(
        arrays(card={"test_fraction": 0.2}), DOWNLOAD, "remove test_fraction in", put(test_fraction=None)
    ),
    "test images that are training images": Case(
        arrays(x_test=IMAGES[:4], y_test=LABELS[:4]), DOWNLOAD, "name other test images", lambda _: save()
    ),
    "a test table without labels": Case(
        kaggle,
        DOWNLOAD,
        "take this one out of the card's files and set test_fraction: 0.2",
        put(files={"train": "train.csv"}, test_fraction=0.2),
    ),
    "a folder in a class": Case(
        pictures("train/bag/red/2"),
        DOWNLOAD,
        "move its pictures into the class folder",
        lambda _: shell(f"mv {FOLDER}/train/bag/red/* {FOLDER}/train/bag && rmdir {FOLDER}/train/bag/red"),
    ),
    "a picture outside the class folders": Case(
        pictures("train/2"),
        DOWNLOAD,
        "move it into a class folder",
        lambda _: shell(f"mv {FOLDER}/train/2.png {FOLDER}/train/bag"),
    ),
    "a class of another kind of pictures": Case(
        pictures(spoil=gifs),
        DOWNLOAD,
        "make PNG files of them",
        lambda line: shell(line[line.index("python -c ") :].removesuffix(", then dvc repro")),
    ),
    "pictures in two places": Case(
        pictures(spoil=lambda: shell(f"cd {FOLDER} && python -m zipfile -c old.zip train test")),
        DOWNLOAD,
        "name one as folder in the card",
        put(folder="old.zip"),
    ),
    "a linked class folder": Case(
        pictures(spoil=lambda: shell(f"mv {FOLDER}/train/bag . && ln -s ../../../bag {FOLDER}/train/bag")),
        DOWNLOAD,
        "copy the folder to this place instead",
        lambda _: shell(f"rm {FOLDER}/train/bag && cp -r bag {FOLDER}/train/bag"),
    ),
    "a link out of a tar file": Case(
        pictures(
            spoil=lambda: shell(
                f"mkdir kept && mv {FOLDER}/* kept && mv kept/train/bag . && ln -s ../../bag kept/train/bag && "
                f"tar -cf {FOLDER}/own.tar -C kept ."
            )
        ),
        DOWNLOAD,
        "pack the archive again with tar --dereference",
        lambda _: shell(f"tar --dereference -cf {FOLDER}/own.tar -C kept ."),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_advice_mends_the_fault(project, monkeypatch, case):
    monkeypatch.setenv("DATASET_MIRROR", "")  # to be put back
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    shell("git init --quiet && git add params.yaml datasets")
    fault, command_line, words, act = CASES[case]
    fault()

    first = run(command_line)

    asked = [line for line in first if words in line.partition("; fix: ")[2]]
    assert asked, first
    for line in asked:
        act(line)
    if case == "a name that no data set can have":
        text = Path("params.yaml").read_text(encoding="utf-8")
        Path("params.yaml").write_text(text.replace("name: own", "name: mine"), encoding="utf-8")
    assert run(command_line) == []
