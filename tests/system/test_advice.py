"""The advice after `fix:` works: a case makes a fault, does as the printed line says, and does not meet the line again.

The cases are those in which the advice is a command, a text to paste, or a step that could lead back to the same line.
To undo a slip, such as a mistyped param, is no case. test_advice_under_dvc.py has those that need the pipeline.
"""

import gzip
import importlib
import io
import os
import re
import shlex
import struct
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
DOWNLOAD = "stages.download requirements-pillow.lock data/raw"
COMMON = """
own:
  title: Own
  description: of the tests
  licence: none
  image_shape: [2, 3]
"""
PICTURED = COMMON + "  source: images\n  folder: pictures\n"
IMAGES, LABELS = np.arange(60, dtype=np.uint8).reshape(10, 2, 3), np.array([0, 1] * 5, np.uint8)


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
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as printed, pytest.raises(SystemExit) as ended:
        command.run(module.main, argv=arguments)
    lines = printed.getvalue().splitlines()
    assert bool(ended.value.code) == bool(lines), lines
    return lines


def said(lines: list[str]) -> set[str]:
    """Return subject and problem of each line, without numbers and advice."""
    return {line.partition("; fix: ")[0].partition(" (expected ")[0] for line in lines}


def read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def edit(name: str, old: str, new: str) -> Callable[..., None]:
    """Return a function that replaces a text in a file; it may be called for several lines."""

    def act(*_: str) -> None:
        assert (old in read(name)) or (new in read(name))
        Path(name).write_text(read(name).replace(old, new), encoding="utf-8")

    return act


def shell(line: str) -> None:
    """Run a command line as the user's shell does, with this environment's python first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, line + ended.stdout + ended.stderr


def choose(entry: str) -> None:
    edit("params.yaml", "name: fashion_mnist", "name: own")()
    with open("datasets.yaml", "a", encoding="utf-8") as file:
        file.write(entry)


# Image folders


def picture(name: str, value: int = 0, suffix: str = ".png") -> None:
    path = Path("pictures", name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(value, value + 6, dtype=np.uint8).reshape(2, 3)).save(path)


def pictures(*more: str, spoil: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """Return a function that makes a sound folder of two classes with further pictures, and spoils it."""

    def make() -> None:
        for number, split in enumerate(("train", "test")):
            for name in ("bag", "hat"):
                picture(f"{split}/{name}/1", 10 * number)
        for name in more:
            picture(name)
        choose(PICTURED)
        spoil()

    return make


def pinned(make: Callable[[], object], spoil: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """Return a function that makes a folder, pins it as `validate` says, and then spoils it."""

    def fault() -> None:
        make()
        for line in run(VALIDATE):
            pin(line)
        assert run(VALIDATE) == []
        spoil()

    return fault


def pin(fix: str) -> None:
    (value,) = re.findall(r'sha256: "\w+"', fix)
    text = re.sub(r'  sha256: "\w+"\n\Z', "", read("datasets.yaml"))
    Path("datasets.yaml").write_text(f"{text}  {value}\n", encoding="utf-8")


def gifs() -> None:
    os.remove("pictures/test/hat/1.png")
    picture("test/hat/1", suffix=".gif")


# Archives


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(array.dtype.newbyteorder(">")).tobytes(), mtime=0)


def archives(pins: bool = False, **given: bytes) -> Callable[[], None]:
    """Return a function that makes an entry of four sound archives in the folder `own`, except for the given ones."""

    def make() -> None:
        sound = {"train_images": idx(IMAGES), "train_labels": idx(LABELS)}
        sound |= {"test_images": idx(IMAGES[1:]), "test_labels": idx(LABELS[1:])}
        entry = f"{COMMON}  source: download\n  classes: [bag, hat]\n  mirrors: [./own/]\n  archives:\n"
        Path("own").mkdir()
        for role, data in (sound | given).items():
            Path("own", role).write_bytes(data)
            entry += f"    {role}: {{file: {role}}}\n"
        choose(entry)
        if pins:
            for line in run(VALIDATE):
                paste(line)

    return make


def paste(line: str) -> None:
    """Add size and sha256 of a line to the entry."""
    role, size, sha256 = re.search(r'archives\.(\w+): .* add (size: \d+) and (sha256: "\w+")', line).groups()
    edit("datasets.yaml", f"file: {role}}}", f"file: {role}, {size}, {sha256}}}")()


def name(role: str, file: str) -> None:
    """Name another file for a role, without pins."""
    new, times = re.subn(rf"(    {role}: \{{file: )[^}}]*", rf"\g<1>{file}", read("datasets.yaml"))
    assert times == 1
    Path("datasets.yaml").write_text(new, encoding="utf-8")


def convert(fix: str) -> None:
    """Run the command of a line, and name the file that it makes."""
    line, _, rest = fix[fix.index("python -c ") :].partition("; name ")
    shell(line)
    new = rest.split()[0]
    name(re.fullmatch(r"converted-(\w+)\.gz", new)[1], new)


def replace(role: str, data: bytes) -> Callable[[str], None]:
    """Return a function that names another file for the role."""

    def act(_: str) -> None:
        Path("own", f"new-{role}").write_bytes(data)
        name(role, f"new-{role}")

    return act


def exchange(line: str) -> None:
    role = "train_images" if "train_images" in line else "train_labels"
    name(role, "train_labels" if role == "train_images" else "train_images")


QMNIST = np.repeat(LABELS[:, None], 8, 1).astype(np.int32)
ROWS = [",".join(map(str, row)) for row in np.hstack([LABELS[:, None], IMAGES.reshape(10, 6)])]
TABLE = "\n".join(["label,a,b,c,d,e,f", *ROWS]).encode()
THREE = np.arange(10, dtype=np.uint8) % 3

CASES = {
    "no pins of archives": Case(archives(), VALIDATE, "size: ", paste),
    "no pin of a folder": Case(pictures(), VALIDATE, "sha256: ", pin),
    "a folder in a class": Case(
        pictures("train/bag/red/2"),
        VALIDATE,
        "move its pictures into the class folder",
        lambda _: shell("mv pictures/train/bag/red/* pictures/train/bag && rmdir pictures/train/bag/red"),
    ),
    "a class of another kind of pictures": Case(
        pictures(spoil=gifs),
        VALIDATE,
        "make PNG files of them",
        lambda line: shell(line[line.index("python -c ") :]),
    ),
    "other pictures": Case(pinned(pictures(), lambda: picture("train/bag/2")), DOWNLOAD, "pin these by sha256", pin),
    "no mirror that answers": Case(
        lambda: (archives(pins=True)(), shell("mkdir mirrors && mv own mirrors/own")),
        DOWNLOAD,
        "set DATASET_MIRROR to a folder that holds <data set>/",
        lambda _: os.environ.update(DATASET_MIRROR="mirrors"),
    ),
    "exchanged": Case(
        archives(train_images=idx(LABELS), train_labels=idx(IMAGES)), VALIDATE, "exchange the two", exchange
    ),
    "int32 labels": Case(archives(train_labels=idx(QMNIST, 12)), VALIDATE, "take the first column", convert),
    "labels from 1": Case(archives(train_labels=idx(LABELS + 1)), VALIDATE, "subtract 1", convert),
    "labels from 1, described": Case(archives(train_labels=idx(LABELS + 1)), DESCRIBE, "subtract 1", convert),
    "tables": Case(archives(train_images=TABLE, train_labels=TABLE), VALIDATE, "convert it, if each row", convert),
    "a ZIP archive": Case(
        archives(train_images=b"PK\3\4"), VALIDATE, "unpack it", replace("train_images", idx(IMAGES))
    ),
    "more classes": Case(
        archives(train_labels=idx(THREE), test_labels=idx(THREE[1:])),
        VALIDATE,
        "list 3 classes",
        edit("datasets.yaml", "[bag, hat]", "[bag, hat, shoe]"),
    ),
    "another shape": Case(
        archives(train_images=idx(IMAGES.reshape(10, 3, 2)), test_images=idx(IMAGES[1:].reshape(9, 3, 2))),
        VALIDATE,
        "set image_shape: [3, 2]",
        edit("datasets.yaml", "[2, 3]", "[3, 2]"),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.fault("labels that no class has, found before the pipeline runs")
def test_the_advice_mends_the_fault(project, monkeypatch, case):
    monkeypatch.setenv("DATASET_MIRROR", "")  # to be put back
    shell("git init --quiet && git add params.yaml datasets.yaml")
    fault, command_line, words, act = CASES[case]
    fault()

    first = run(command_line)

    asked = [line for line in first if words in line.partition("; fix: ")[2]]
    assert asked, first
    for line in asked:
        act(line)
    last = run(command_line)
    assert not said(first) & said(last), last
    assert all("not pinned, so a change of the data would go unnoticed" in line for line in last), last
