"""Every `fix:` is tried: a case makes a fault, runs what meets it, does what the printed line says, and runs it again.

The second run has to go on, or to fail later: a line that comes again after its advice was followed is a loop.
test_advice_under_dvc.py has the cases that take a run of the pipeline.
"""

import ast
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

VALIDATE, DOWNLOAD, DESCRIBE = (
    "stages.validate data/validated",
    "stages.download requirements-pillow.lock data/raw",
    "tools.describe own",
)
NORMALIZE = "stages.normalize data/raw data/train data/test data/classes.json"
PASTE = "the pins that validate prints"
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
    """A fault: what makes it, the command that meets it, words of the fix that it prints, and what does as they say.

    `act` is given each line that has these words. again: the commands that are run then, if not that one alone.
    later: words of all lines in which the last of them may fail; without pins, it does.
    """

    fault: Callable[[], object]
    command: str
    words: str
    act: Callable[[str], object]
    again: tuple[str, ...] = ()
    later: str = "not pinned, so a change of the data would go unnoticed"


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
    """Return of each line what is wrong with what, without numbers and advice."""
    return {line.partition("; fix: ")[0].partition(" (expected ")[0] for line in lines}


def put(name: str, *pairs: str) -> None:
    """Replace texts in a file, each of which stands there once: old, new, old, new."""
    text = Path(name).read_text(encoding="utf-8")
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        text = text.replace(old, new)
    Path(name).write_text(text, encoding="utf-8")


def edit(name: str, *pairs: str) -> Callable[..., None]:
    return lambda *_: put(name, *pairs)


def everywhere(old: str, new: str) -> Callable[[str], None]:
    """Return what edits datasets.yaml; to be called for each line that asks for it."""
    return lambda _: put("datasets.yaml", old, new) if old in read("datasets.yaml") else None


def read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def shell(line: str) -> str:
    """Run a command line as a user's shell does, with the python of this environment first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, line + ended.stdout + ended.stderr
    return ended.stdout


def choose(entry: str) -> None:
    put("params.yaml", "name: fashion_mnist", "name: own")
    with open("datasets.yaml", "a", encoding="utf-8") as file:
        file.write(entry)


# Folders of pictures


def picture(name: str, value: int = 0) -> None:
    path = Path("pictures", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(value, value + 6, dtype=np.uint8).reshape(2, 3)).save(path)


def pictures(*more: str, entry: str = PICTURED) -> Callable[[], None]:
    """Return what makes a sound folder of two classes, and further pictures in it."""

    def make() -> None:
        for number, split in enumerate(("train", "test")):
            for name in ("bag", "hat"):
                picture(f"{split}/{name}/1.png", 10 * number)
        for name in more:
            picture(name)
        choose(entry)

    return make


def pin(fix: str) -> None:
    """Add to datasets.yaml what the line says."""
    (value,) = re.findall(r'sha256: "\w+"', fix)
    text = re.sub(r'  sha256: "\w+"\n\Z', "", read("datasets.yaml"))
    Path("datasets.yaml").write_text(f"{text}  {value}\n", encoding="utf-8")


def pinned(make: Callable[[], object], spoil: Callable[[], object]) -> Callable[[], None]:
    """Return what makes a folder, pins it as `validate` says, and then spoils it."""

    def fault() -> None:
        make()
        for line in run(VALIDATE):
            pin(line)
        assert run(VALIDATE) == []
        spoil()

    return fault


def nothing(value: int = 0) -> None:
    """Make a folder whose pictures are of one value all over, or with another value in one of its pixels."""
    for place in ("train/bag", "train/hat", "test/bag", "test/hat"):
        picture(f"{place}/1.png")
        image = np.zeros((2, 3), np.uint8)
        image[0, 0] = value
        Image.fromarray(image).save(f"pictures/{place}/1.png")
    if not value:
        choose(PICTURED)


def spread(fix: str) -> None:
    for number in range(40):
        picture(f"bag/{number}.png", number), picture(f"hat/{number}.png", number + 100)


# Archives


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(array.dtype.newbyteorder(">")).tobytes(), mtime=0)


def archives(pins: bool = False, mirror: str = "./own/", **given: bytes) -> Callable[[], None]:
    """Return what makes an entry of four sound archives, but for those that are given, in the folder `own`."""

    def make() -> None:
        sound = {"train_images": idx(IMAGES), "train_labels": idx(LABELS)}
        sound |= {"test_images": idx(IMAGES[1:]), "test_labels": idx(LABELS[1:])}
        entry = f"{COMMON}  source: download\n  classes: [bag, hat]\n  mirrors: [{mirror}]\n  archives:\n"
        Path("own").mkdir()
        for role, data in (sound | given).items():
            Path("own", role).write_bytes(data)
            entry += f"    {role}: {{file: {role}}}\n"
        choose(entry)
        if pins:
            repin()

    return make


def repin(*_: str) -> None:
    """Give each archive its size and SHA-256, as the tools of every system print them."""
    others, own = read("datasets.yaml").split("\nown:")
    own = re.sub(r", size: [^}]*", "", own)
    for file in re.findall(r"file: ([\w.-]+)\}", own):
        size, digest = shell(f"wc -c < own/{file}").strip(), shell(f"sha256sum own/{file}").split()[0]
        own = own.replace(f"file: {file}}}", f'file: {file}, size: {size}, sha256: "{digest}"}}')
    Path("datasets.yaml").write_text(f"{others}\nown:{own}", encoding="utf-8")


def name(role: str, file: str) -> None:
    """Name another file for a role, and leave out the pins of the old one."""
    new, times = re.subn(rf"(    {role}: \{{file: )[^}}]*", rf"\g<1>{file}", read("datasets.yaml"))
    assert times == 1
    Path("datasets.yaml").write_text(new, encoding="utf-8")


def convert(fix: str) -> None:
    """Run the command of a line, and name the file that it makes, without pins."""
    line, _, rest = fix[fix.index("python -c ") :].partition("; name ")
    shell(line)
    name(re.search(r"own/converted-(\w+)", line)[1], rest.split()[0])


def bring(role: str, data: bytes) -> Callable[[str], None]:
    """Return what brings another file of the role."""

    def act(_: str) -> None:
        Path("own", f"new-{role}").write_bytes(data)
        name(role, f"new-{role}")

    return act


def exchange(line: str) -> None:
    """Do for either of the two what its line says."""
    role = "train_images" if "train_images" in line else "train_labels"
    name(role, "train_labels" if role == "train_images" else "train_images")


def of_a_table(_: str) -> None:
    """Do as README.md says, with its very lines, from a table of two by three pixels."""
    (lines,) = re.findall(r"```bash\n(python -c '\nimport numpy.*?)```", README, re.DOTALL)
    table = np.hstack([LABELS[:, None], IMAGES.reshape(10, 6)])
    rows = ["label,pixels", *(",".join(map(str, row)) for row in table)]
    Path("train.csv").write_text("\n".join(rows), encoding="utf-8")
    shell(lines.replace("28, 28", "2, 3").replace("archives/", "own/"))
    name("train_images", "train-images.idx"), name("train_labels", "train-labels.idx")


README = (ROOT / "README.md").read_text(encoding="utf-8")
COLOURS = np.repeat(IMAGES[..., None], 3, axis=3)
WRONG = {
    "exchanged": (dict(train_images=idx(LABELS), train_labels=idx(IMAGES)), "exchange the two", exchange),
    "colour": (dict(train_images=idx(COLOURS)), "make them grey", convert),
    "qmnist": (dict(train_labels=idx(np.repeat(LABELS[:, None], 8, 1).astype(np.int32), 12)), "first column", convert),
    "from 1": (dict(train_labels=idx(LABELS + 1), test_labels=idx(LABELS[1:] + 1)), "subtract 1", convert),
    "csv": (dict(train_images=b"label,pixel1\n"), "as an IDX file, as README.md says", of_a_table),
    "zip": (dict(train_images=b"PK\3\4"), "unpack it", bring("train_images", idx(IMAGES))),
    "web page": (dict(train_images=b"<html>"), "download the file itself", bring("train_images", idx(IMAGES))),
    "text": (dict(train_images=b"text"), "name an IDX file", bring("train_images", idx(IMAGES))),
    "empty": (dict(train_images=b""), "bring the whole file", bring("train_images", idx(IMAGES))),
    "cut": (dict(train_images=idx(IMAGES)[:-9]), "bring the whole file", bring("train_images", idx(IMAGES))),
    "changed": (
        dict(train_labels=idx(LABELS)[:-8] + bytes(8)),
        "bring the file anew",
        bring("train_labels", idx(LABELS)),
    ),
    "long": (dict(train_labels=idx(LABELS) * 2), "as it was published", bring("train_labels", idx(LABELS))),
    "number": (dict(train_labels=idx(LABELS[:9])), "the labels of these images", bring("train_labels", idx(LABELS))),
    "range": (
        dict(train_labels=idx(np.arange(10, dtype=np.uint8) % 3), test_labels=idx(np.arange(9, dtype=np.uint8) % 3)),
        "list 3 classes in the entry",
        everywhere("[bag, hat]", "[bag, hat, shoe]"),
    ),
    "missing": (
        dict(train_labels=idx(LABELS * 0), test_labels=idx(LABELS[1:] * 0)),
        "leave it out of classes and renumber the labels",
        everywhere("[bag, hat]", "[bag]"),
    ),
    "shape": (
        dict(train_images=idx(IMAGES.reshape(10, 3, 2)), test_images=idx(IMAGES[1:].reshape(9, 3, 2))),
        "give the entry image_shape: [3, 2]",
        everywhere("[2, 3]", "[3, 2]"),
    ),
    "blank": (dict(train_images=idx(IMAGES * 0)), "bring other images", bring("train_images", idx(IMAGES))),
}


def brought(fault: Callable[[], object]) -> Callable[[], None]:
    """Return what makes a fault of pinned archives, and has them downloaded: until then nobody has looked at them."""

    def make() -> None:
        fault()
        assert run(DOWNLOAD) == []

    return make


CASES = {
    "a bad param": Case(
        edit("params.yaml", "epochs: 10", "epochs: -1"),
        VALIDATE,
        "edit params.yaml",
        edit("params.yaml", "epochs: -1", "epochs: 2"),
    ),
    "bad syntax": Case(
        edit("params.yaml", "epochs: 10", "epochs: [10"),
        VALIDATE,
        "edit params.yaml",
        edit("params.yaml", "epochs: [10", "epochs: 2"),
    ),
    "a missing file": Case(
        lambda: os.remove("params.yaml"),
        VALIDATE,
        "git checkout -- params.yaml",
        lambda line: shell(line.partition("; fix: ")[2].partition(",")[0]),
    ),
    "an unknown data set": Case(
        edit("params.yaml", "name: fashion_mnist", "name: fashion"),
        VALIDATE,
        "choose one of datasets.yaml in params.yaml",
        edit("params.yaml", "name: fashion", "name: garments"),
    ),
    "images too small": Case(
        lambda: (archives(pins=True)(), put("params.yaml", "network: dense", "network: cnn_small")),
        VALIDATE,
        "choose another network",
        edit("params.yaml", "network: cnn_small", "network: dense"),
    ),
    "a bad entry": Case(
        lambda: choose(COMMON.replace("[2, 3]", "[2]") + "  source: images\n  folder: pictures\n"),
        VALIDATE,
        "edit datasets.yaml",
        edit("datasets.yaml", "[2]", "[2, 3]"),
        later="no such folder",
    ),
    "archives without pins": Case(archives(), VALIDATE, "size: ", repin),
    "an archive that is nowhere": Case(
        lambda: (archives()(), os.rename("own/test_labels", "own/labels")),
        VALIDATE,
        "correct file or mirrors",
        lambda _: name("test_labels", "labels"),
    ),
    "archives elsewhere without pins": Case(
        archives(mirror="https://something.invalid/"),
        VALIDATE,
        "edit datasets.yaml",
        everywhere("https://something.invalid/", "./own/"),
    ),
    "a folder without a pin": Case(pictures(), VALIDATE, "sha256: ", pin),
    "no such folder": Case(
        pictures(entry=PICTURED.replace("pictures", "picture")),
        VALIDATE,
        "correct folder in datasets.yaml",
        edit("datasets.yaml", "folder: picture\n", "folder: pictures\n"),
    ),
    "no train and test": Case(
        lambda: (pictures()(), os.rename("pictures/test", "pictures/tests")),
        VALIDATE,
        "arrange it so",
        lambda _: os.rename("pictures/tests", "pictures/test"),
    ),
    "train and test beside a test_fraction": Case(
        pictures(entry=PICTURED + "  test_fraction: 0.5\n"),
        VALIDATE,
        "leave test_fraction out",
        edit("datasets.yaml", "  test_fraction: 0.5\n", ""),
    ),
    "a picture in no class": Case(
        pictures("train/2.png"),
        VALIDATE,
        "move it into a class",
        lambda _: shell("mv pictures/train/2.png pictures/train/bag"),
    ),
    "a class without pictures": Case(
        lambda: (pictures()(), os.remove("pictures/test/hat/1.png")),
        VALIDATE,
        "bring some",
        lambda _: picture("test/hat/2.png"),
    ),
    "a folder in a class": Case(
        pictures("train/bag/red/2.png"),
        VALIDATE,
        "move its pictures into the class",
        lambda _: (shell("mv pictures/train/bag/red/* pictures/train/bag"), os.rmdir("pictures/train/bag/red")),
    ),
    "other classes": Case(
        pictures(entry=PICTURED + "  classes: [bag, shoe]\n"),
        VALIDATE,
        "correct classes in datasets.yaml",
        edit("datasets.yaml", "classes: [bag, shoe]", "classes: [bag, hat]"),
    ),
    "a class of too long a name": Case(
        lambda: (pictures()(), [os.rename(f"pictures/{s}/bag", f"pictures/{s}/{'b' * 65}") for s in ("train", "test")]),
        VALIDATE,
        "rename or remove folders",
        lambda _: [os.rename(f"pictures/{s}/{'b' * 65}", f"pictures/{s}/bag") for s in ("train", "test")],
    ),
    "other pictures": Case(
        pinned(pictures(), lambda: picture("train/bag/2.png")), DOWNLOAD, "pin these by sha256", pin
    ),
    "a picture that can't be read": Case(
        pinned(pictures(), lambda: Path("pictures/train/bag/2.png").write_bytes(b"no picture")),
        DOWNLOAD,
        "leave it out",
        lambda _: os.remove("pictures/train/bag/2.png"),
    ),
    "a link to nowhere": Case(
        lambda: (pictures()(), os.symlink("nowhere", "pictures/train/bag/2.png")),
        VALIDATE,
        "check the name",
        lambda _: os.remove("pictures/train/bag/2.png"),
    ),
    "a class that no hash chooses": Case(
        pinned(
            lambda: (picture("bag/1.png"), picture("hat/1.png", 9), choose(PICTURED + "  test_fraction: 0.5\n")),
            lambda: None,
        ),
        DOWNLOAD,
        "bring more pictures of it",
        spread,
        later="not the pictures of datasets.yaml",
    ),
    "another file than the pins": Case(
        lambda: (archives(pins=True)(), Path("own/train_labels").write_bytes(idx(1 - LABELS))),
        DOWNLOAD,
        "correct size and sha256 in datasets.yaml (wc -c and sha256sum)",
        repin,
    ),
    "no mirror that answers": Case(
        lambda: (archives(pins=True)(), shell("mkdir -p mirrors && mv own mirrors/own")),
        DOWNLOAD,
        "set DATASET_MIRROR to a folder that holds <data set>/",
        lambda _: os.environ.update(DATASET_MIRROR="mirrors"),
    ),
    "a mirror of one's own without TLS": Case(
        lambda: (archives(pins=True)(), os.environ.update(DATASET_MIRROR="http://something.invalid")),
        DOWNLOAD,
        "or a folder",
        lambda _: os.environ.update(DATASET_MIRROR="folder"),
    ),
    "a file where a folder should be": Case(
        lambda: Path("data").write_bytes(b""), VALIDATE, "mend that", lambda _: os.remove("data")
    ),
    "no argument": Case(
        lambda: None, "stages.validate", "python -m stages.validate [-h] [--debug] validated", print, again=(VALIDATE,)
    ),
    "pictures of nothing": Case(
        pinned(nothing, lambda: None), DESCRIBE, "bring other pictures", lambda _: nothing(1), later="not pinned"
    ),
}
for _name, (_given, _words, _act) in WRONG.items():
    CASES[f"{_name}, not pinned"] = Case(archives(**_given), VALIDATE, _words, _act)
    if _name != "empty":  # which has no pins, as there is nothing to pin
        _spoilt, _again = archives(pins=True, **_given), (PASTE, DOWNLOAD, NORMALIZE)
        CASES[f"{_name}, pinned"] = Case(brought(_spoilt), NORMALIZE, _words, _act, _again, later="nothing")
        CASES[f"{_name}, described"] = Case(_spoilt, DESCRIBE, _words, _act)


@pytest.mark.parametrize("case", CASES)
def test_what_follows_the_advice_does_not_meet_it_again(project, monkeypatch, case):
    monkeypatch.setenv("DATASET_MIRROR", "")  # to be put back
    shell("git init --quiet && git add params.yaml datasets.yaml")
    fault, command_line, words, act, again, later = CASES[case]
    fault()

    first = run(command_line)

    asked = [line for line in first if words in line.partition("; fix: ")[2]]
    assert asked, first
    for line in asked:
        act(line)
    for line in again or [command_line]:
        last = repin() or [] if line == PASTE else run(line)
        assert not said(first) & said(last), last
    assert all(later in line for line in last), last


def test_each_module_that_says_how_to_mend_something_has_its_row():
    """In FAULTS.md, under "Advice": the tests that do as it says, or the reason why none does."""
    makers = {
        file.relative_to(ROOT).as_posix()
        for folder in ("stages", "tools")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Problem", "Advice")
    }
    (section,) = re.findall(
        r"^## Advice\n(.*?)^## ", (ROOT / "tests/FAULTS.md").read_text(encoding="utf-8"), re.M | re.S
    )
    rows = [line.split(" | ")[0] for line in section.splitlines()]

    assert makers == {file for row in rows for file in re.findall(r"(?:stages|tools)/[\w/]+\.py", row)}
