"""The same images in the same order give the same bytes, in whatever files they come, or one line if these are bad."""

from pathlib import Path

import numpy as np
import pytest

from core.files import arrays
from stages.download import __main__ as download
from stages.normalize import __main__ as normalize
from tests import layouts
from tests.conftest import ROOT, snapshot
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
def refusal(tmp_path, monkeypatch, capsys, run_here, assert_clean_failure):
    """A function that writes a layout, lets `spoil` change its files, runs the stage download, and returns its line."""

    def refusal(layout, given=None, spoil=lambda folder: None):
        given = given or layouts.images(*LAYOUTS[layout].shapes[-1])
        arguments = layouts.write(layout, tmp_path, given)
        spoil(tmp_path / "sources/mine")
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        run = run_here(download.main, *arguments, str(LOCK), "data/raw")
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


# What stages/download checks for all formats has tests there. These are what the readers meet first.
BAD = {
    "no training images": lambda given: {"train": given.train[:0], "train_labels": given.train_labels[:0]},
    "mixed sizes": lambda given: {"test": given.test[:, :20, :20]},
}
LINES = {
    "no training images": "no train images; fix: name training images",
    "mixed sizes": "got 20 x 20); fix: set image_shape: ",
    ("cifar", "mixed sizes"): "not CIFAR's binary version (expected records of 3073 or 3074 bytes, got 7206)",
    ("cifar", "no training images"): "data_batch_1.bin: not CIFAR's binary version",
    ("csv_of_names", "no training images"): "train.csv: the pixels of a row are no square",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.fault("no training images, or images of mixed sizes, in files of any format")
def test_images_that_do_not_fit_are_one_line(refusal, layout, bad):
    given = layouts.images(*LAYOUTS[layout].shapes[-1])

    line = refusal(layout, given._replace(**BAD[bad](given)))

    assert LINES.get((layout, bad), LINES[bad]) in line
