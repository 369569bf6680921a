"""The description of a small image folder with known oddities, and of archives with wrong labels."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli import command
from tests.conftest import Run, snapshot
from tools import describe

ENTRY = """
own:
  title: Own
  description: of the tests
  licence: none
  image_shape: [2, 3]
"""
PICTURED = ENTRY + "  source: images\n  folder: pictures\n"


@pytest.fixture
def described(project, capsys):
    """A function that runs the tool in this process."""

    def described(name):
        before = snapshot(project)
        with pytest.raises(SystemExit) as exit:
            command.run(describe.main, argv=[name])
        return Run(exit.value.code, *capsys.readouterr(), before, snapshot(project))

    return described


@pytest.fixture
def add(project):
    def add(entry):
        with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
            file.write(entry)

    return add


def save(name, rows):
    path = Path("pictures") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, np.uint8)).save(path)


@pytest.fixture
def pictures(project):
    for number in range(12):
        save(f"train/bag/{number:02}.png", [[number, 1, 2], [3, 4, 5]])
        save(f"test/bag/{number:02}.png", [[number, 10, 2], [3, 4, 5]])
        save(f"train/hat/{number:02}.png", [[number, 1, 20], [3, 4, 5]])
    save("train/bag/12.png", [[0, 1, 2], [3, 4, 5]])  # equals 00.png
    save("train/hat/12.png", [[1, 1, 2], [3, 4, 5]])  # equals a bag
    save("test/bag/12.png", [[2, 1, 2], [3, 4, 5]])  # equals a bag of the training images
    save("test/hat/00.png", [[7] * 6] * 4)  # larger than the others, and nothing to be seen on it
    save("test/hat/01.png", [[7, 7, 8], [7, 7, 7]])


@pytest.mark.usefixtures("pictures")
@pytest.mark.fault("copies on both sides of a split that the folders say, copies with another label")
def test_counts_sizes_copies_and_what_looks_odd_are_listed(add, described):
    add(PICTURED)

    ended = described("own")

    assert (ended.code, ended.stderr) == (0, "")
    pin = ended.stdout.split('sha256: "')[1][:64]
    assert ended.stdout.split("\n\n")[1].splitlines() == [
        "own: Own, 26 training and 15 test images, 2 x 3",
        "class      train       test",
        "bag           13         13",
        "hat           13          2",
        "sizes of the pictures: 2 x 3: 40, 4 x 6: 1",
        "worth a look:",
        "  datasets.yaml: own: not pinned, so a change of the data would go unnoticed; "
        f'fix: add sha256: "{pin}" there, if the data are as you want them; then dvc repro',
        "  2 training images equal an earlier one, 1 of them with another label",
        "  1 test images are among the training images, 0 of them with another label",
        "  1 test images have one value in all pixels",
        "  1 classes have fewer than 10 test images",
        "samples, drawn as in the report, 0 white and 255 black: build/describe/own.png",
    ]
    assert set(ended.after) - set(ended.before) == {"build/describe/own.png"}
    with Image.open("build/describe/own.png") as drawn:
        assert drawn.size[0] == 800

    add(f'  sha256: "{pin}"\n')
    assert "not pinned" not in described("own").stdout
    save("test/hat/02.png", [[9, 7, 8], [7, 7, 7]])
    assert "  the pictures differ from the pinned ones; the new pin is sha256: " in described("own").stdout


def idx(*shape, values):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values)


@pytest.fixture
def archives(project, add):
    """Forty images and as many labels on this machine, not pinned, two of the files plain."""
    for file, body in {
        "train.x": idx(20, 2, 3, values=range(120)),
        "train.y": gzip.compress(idx(20, values=[0, 1] * 10)),
        "test.x": gzip.compress(idx(20, 2, 3, values=range(120, 240))),
        "test.y": idx(20, values=[1, 0] * 10),
    }.items():
        (project / file).write_bytes(body)
    entry = ENTRY + "  source: download\n  classes: [bag, hat]\n  mirrors: [./]\n  archives:\n"
    for role in ("train_images", "train_labels", "test_images", "test_labels"):
        entry += f"    {role}: {{file: {role.replace('_images', '.x').replace('_labels', '.y')}}}\n"
    add(entry)


@pytest.mark.usefixtures("archives")
def test_local_archives_are_described_before_they_are_pinned(described):
    ended = described("own")

    assert (ended.code, ended.stderr) == (0, "")
    assert "own: Own, 20 training and 20 test images, 2 x 3\n" in ended.stdout
    assert "bag           10         10\nhat           10         10\n" in ended.stdout
    assert ended.stdout.count("not pinned, so a change of the data would go unnoticed") == 4


@pytest.mark.fault("a name given to tools.describe that is no data set")
def test_an_unknown_name_lists_the_choices(described):
    ended = described("garment")

    assert ended.code == 2
    assert ended.stderr == (
        "error: python -m tools.describe garment: no such data set: did you mean garments? (expected fashion_mnist, "
        "mnist or garments, got garment); fix: name one of datasets.yaml, or add an entry there\n"
    )


def test_samples_of_many_classes_are_evenly_spaced():
    labels = np.repeat(np.arange(256, dtype=np.uint8), 3)

    chosen = labels[describe.samples(labels, 256)]

    assert len(chosen) == describe.SAMPLES == len(set(chosen.tolist()))
    assert (chosen[0], chosen[-1]) == (0, 255)
    assert set(np.diff(chosen.astype(int))) == {8, 9}
