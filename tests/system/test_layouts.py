"""The same images in the same order give the same bytes, in whatever files they come, or one line if these are bad."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from core.cli import command
from core.files import arrays
from stages.download import __main__ as download
from stages.normalize import __main__ as normalize
from tests import layouts
from tests.conftest import ROOT, Run, snapshot
from tests.layouts import COLOUR, GREY, LAYOUTS

LOCK = ROOT / "requirements-pillow.lock"


def made(layout, place, given, monkeypatch):
    """Return the bytes of each file in data/raw and data/normalized."""
    card, source = layouts.write(layout, place, given)
    monkeypatch.chdir(place)
    download.main(Path(card), Path(source), LOCK, Path("data/raw"))
    below = Path("data/normalized")
    normalize.main(Path("data/raw"), below / "train", below / "test", below / "classes.json")
    return snapshot(place / "data")


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_every_layout_gives_the_same_bytes(shape, tmp_path, monkeypatch):
    given = layouts.images(*shape)
    names = [name for name, layout in LAYOUTS.items() if shape in layout.shapes]

    found = {name: made(name, tmp_path / name, given, monkeypatch) for name in names}

    assert len(found) >= 6
    first = found[names[0]]
    assert {name: each.keys() for name, each in found.items()} == dict.fromkeys(found, first.keys())
    assert [(name, file) for name, each in found.items() for file in each if each[file] != first[file]] == []
    for split, pixels, labels in (
        ("train", given.train, given.train_labels),
        ("test", given.test, given.test_labels),
    ):
        raw = arrays.parse(first[f"raw/{split}/images.npy"])
        assert raw.dtype == np.uint8 and np.array_equal(raw, pixels)
        assert np.array_equal(arrays.parse(first[f"raw/{split}/labels.npy"]), labels)
        scaled = arrays.parse(first[f"normalized/{split}/images.npy"])
        assert scaled.dtype == np.float32 and np.array_equal(scaled, (pixels / 255).astype(np.float32))


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys, assert_clean_failure):
    """A function that writes a layout, lets `spoil` change its files, runs the stage download, and returns its line."""

    def refusal(layout, given=None, spoil=lambda folder: None, **keys):
        given = given or layouts.images(*LAYOUTS[layout].shapes[-1])
        arguments = layouts.write(layout, tmp_path, given, **keys)
        spoil(tmp_path / "sources/mine")
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        before = snapshot(tmp_path)
        with pytest.raises(SystemExit) as exit:
            command.run(download.main, argv=[*arguments, str(LOCK), "data/raw"])
        run = Run(exit.value.code, *capsys.readouterr(), before, snapshot(tmp_path))
        [line] = run.stderr.splitlines()
        assert_clean_failure(run, 4, line)
        return line

    return refusal


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"<!DOCTYPE html><html></html>\n" * 100,
        lambda data: b"\x89PNG\r\n\x1a\n" + bytes(1000),
        lambda data: bytes(1000),
    ],
    ids=["cut", "empty", "page", "picture", "zeros"],
)
@pytest.mark.fault("a file that is cut, empty, or of another kind")
def test_a_damaged_file_is_one_line_with_its_name(refusal, layout, change):
    spoilt = []

    def spoil(folder):
        """Change the largest file, which has training images."""
        spoilt.append(max((path for path in folder.rglob("*.*")), key=lambda path: path.stat().st_size))
        spoilt[0].write_bytes(change(spoilt[0].read_bytes()))

    line = refusal(layout, spoil=spoil)

    assert spoilt[0].name in line


BAD = {
    "a label 5 of 0 to 2": lambda given: {"train_labels": given.train_labels + 3 * (given.train_labels == 2)},
    "labels from 1": lambda given: {"train_labels": given.train_labels + 1, "test_labels": given.test_labels + 1},
    "overlap": lambda given: {"test": given.train, "test_labels": given.train_labels},
    "no test image of a class": lambda given: {"test_labels": given.test_labels * 0},
    "no training images": lambda given: {"train": given.train[:0], "train_labels": given.train_labels[:0]},
    "blank": lambda given: {"train": given.train * 0, "test": given.test * 0},
    "mixed sizes": lambda given: {"test": given.test[:, :20, :20]},
}
LINES = {
    "a label 5 of 0 to 2": "is out of range (expected 0 to 2, got 5); fix: list 6 classes, or correct first_label",
    "labels from 1": "labels start at 1 (expected 0 to 2, got 1 to 3); fix: set first_label: 1",
    "overlap": "every test image is also a train image; fix: name other test images",
    "no test image of a class": "no test image of class Bag; fix: add images of Bag",
    "no training images": "no train images; fix: name training images",
    "blank": "every pixel of every image has the same value (expected different values, got 0); fix: name other files",
    "mixed sizes": "got 20 x 20); fix: set image_shape: ",
}
# What the tools that make a layout refuse themselves, and what CIFAR's format has no room for.
IMPOSSIBLE = {
    (layout, bad) for layout in ("csv_of_names", "parquet") for bad in ("a label 5 of 0 to 2", "labels from 1")
}
OTHER_LINES = {
    (
        "cifar",
        "mixed sizes",
    ): "test_batch.bin: not CIFAR's binary version (expected records of 3073 or 3074 bytes, got 7206)",
    ("cifar", "no training images"): "data_batch_1.bin: not CIFAR's binary version",
    ("csv_of_names", "no training images"): "train.csv: the pixels of a row are no square",
}


@pytest.mark.parametrize(
    ("layout", "bad"), [case for case in itertools.product(LAYOUTS, BAD) if case not in IMPOSSIBLE]
)
@pytest.mark.fault("labels out of range or from 1, a class without images, test images that are training images")
def test_images_that_do_not_fit_are_one_line(refusal, layout, bad):
    given = layouts.images(*LAYOUTS[layout].shapes[-1])

    line = refusal(layout, given._replace(**BAD[bad](given)))

    assert OTHER_LINES.get((layout, bad), LINES[bad]) in line


@pytest.mark.parametrize(
    ("layout", "keys", "line"),
    [
        ("idx", {"files": {"train_images": "a", "train_labels": "b"}}, "sources/mine/a: no such file"),
        (
            "npz",
            {"files": {"train_images": "mine.npz/x", "train_labels": "mine.npz/y_train"}},
            "mine.npz/x: no such file",
        ),
        (
            "npz",
            {"files": {"train_images": "mine.npz/x_*", "train_labels": "mine.npz/y_train"}},
            "mine.npz/x_*: several files",
        ),
        (
            "npz",
            {"files": {"train_images": "mine.npz/x_train", "train_labels": "mine.npz/x_test"}},
            "mine.npz/x_test.npy: not one label for each image",
        ),
        (
            "npz",
            {"files": {"train_images": "mine.npz/y_train", "train_labels": "mine.npz/y_train"}},
            "mine.npz/y_train.npy: not images",
        ),
        (
            "npz",
            {"files": {"train_images": "mine.npz/x_train", "train_labels": "mine.npz/y_test"}},
            "y_test.npy: images and labels differ in number (expected 12 labels, got 6)",
        ),
        ("npz", {"test_fraction": 0.5}, "test images, though the card has a test_fraction"),
        (
            "csv",
            {"label": "class"},
            "no such column (expected a column class, got 3073 columns, label, pixel0, pixel1, pixel2)",
        ),
        ("csv", {"image_shape": [28, 28]}, "images of another size (expected 28 x 28 pixels, got 32 x 32)"),
        ("csv_of_names", {"classes": ["Bag", "Coat"]}, "row 2: not an image"),
        ("parquet", {"label": "class"}, "no column of labels (expected class, got image, label); fix: set label"),
        ("parquet", {"image": "label"}, "no pictures (expected binary, or a struct with the field bytes, got int64)"),
        (
            "cifar",
            {"files": {"train": "cifar-10-binary.tar.gz/*/batches.meta.txt"}},
            "batches.meta.txt: not CIFAR's binary version",
        ),
    ],
)
@pytest.mark.fault("a card that names the wrong file, key or column")
def test_a_card_that_does_not_fit_the_files_is_one_line(refusal, layout, keys, line):
    assert line in refusal(layout, **keys)
