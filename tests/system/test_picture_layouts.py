"""Pictures in any layout give the bytes of the same images as arrays in the order of the hashes of their pixels."""

import shutil
from functools import partial

import numpy as np
import pytest
from PIL import Image

from core.formats import blocks
from tests import layouts
from tests.layouts import CLASSES, COLOUR, GREY, LAYOUTS
from tests.system.test_layouts import made

FILES = 11  # in data/raw and data/normalized


def pictured(folder, given, pack):
    """Write the images as PNG files, under names that tell nothing, and return them in the order of their hashes."""
    stored = {}
    for split, pixels, labels in (("train", given.train, given.train_labels), ("test", given.test, given.test_labels)):
        keys = [blocks.key(image) for image in pixels]
        order = sorted(range(len(pixels)), key=lambda number: keys[number])
        stored |= {split: pixels[order], f"{split}_labels": labels[order]}
        for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            path = folder / "pictures" / split / CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    if pack:
        shutil.make_archive(str(folder / "mine"), pack, folder, "pictures")
        shutil.rmtree(folder / "pictures")
    return layouts.Images(**stored)


@pytest.mark.parametrize("shape", [GREY, COLOUR])
@pytest.mark.fault("pictures that give other results than the same images as archives")
def test_pictures_give_the_bytes_of_an_array_in_the_order_of_their_hashes(shape, tmp_path, monkeypatch):
    """In a folder, a zip and tars, whatever the names of the files are."""
    given, ordered, found = layouts.images(*shape, train=40, test=20), [], []

    def make(folder, given, pack):
        ordered.append(pictured(folder, given, pack))
        return {}

    for pack in ("", "zip", "tar", "gztar"):
        monkeypatch.setitem(LAYOUTS, "pictures", layouts.Layout(partial(make, pack=pack), "pictures"))
        found.append(made("pictures", tmp_path / f"as {pack}", given, monkeypatch))
    expected = made("npz", tmp_path / "npz", ordered[0], monkeypatch)

    assert len(expected) == FILES and found == [expected] * 4


@pytest.mark.parametrize("shape", [GREY, COLOUR])
@pytest.mark.fault("pictures that give other results than the same images as archives")
def test_a_table_of_labels_gives_the_bytes_of_folders_of_classes(shape, tmp_path, monkeypatch):
    """All of them with a test_fraction, as a table has no splits."""
    given = layouts.images(*shape, train=80, test=1)
    names = [f"{7 * number % 80}.png" for number in range(80)]

    def folders(folder, given):
        for name, image, label in zip(names, given.train, given.train_labels, strict=True):
            (folder / CLASSES[label]).mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / CLASSES[label] / name)
        return {"test_fraction": 0.25}

    def table(folder, given, column="file"):
        (folder / "pictures").mkdir()
        for name, image in zip(names, given.train, strict=True):
            Image.fromarray(image).save(folder / "pictures" / name)
        labels = [CLASSES[label] for label in given.train_labels] if column == "file" else given.train_labels
        rows = [f"{name.removesuffix('.png')},{label}\n" for name, label in zip(names, labels, strict=True)]
        (folder / "labels.csv").write_text("".join([f"{column},label\n", *rows]), encoding="utf-8")
        return {"test_fraction": 0.25}

    def array(folder, given):
        order = sorted(range(80), key=lambda number: blocks.key(given.train[number]))
        layouts.npz(folder, given._replace(train=given.train[order], train_labels=given.train_labels[order]))
        return {
            "files": {"train_images": "mine.npz/x_train", "train_labels": "mine.npz/y_train"},
            "test_fraction": 0.25,
        }

    found = []
    for number, (make, format) in enumerate(
        [(folders, "pictures"), (table, "pictures"), (partial(table, column="id"), "pictures"), (array, "npz")]
    ):
        monkeypatch.setitem(LAYOUTS, "mine", layouts.Layout(make, format))
        found.append(made("mine", tmp_path / str(number), given, monkeypatch))

    assert len(found[0]) == FILES and found == [found[0]] * 4
    assert 10 < len(np.load("data/raw/test/labels.npy")) < 30
