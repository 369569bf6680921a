"""Parquet tables, written by pyarrow as other tools write them; tests/system/test_layouts.py has Hugging Face's own."""

import io
import sys

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from core.cli.errors import InputError

GREY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def png(values):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def write(tmp_path):
    """A function that writes train.parquet, by default with two grey pictures and their labels."""

    def write(images=None, labels=(1, 0), *, name="train.parquet", image="image", label="label"):
        images = images or pyarrow.array([{"bytes": png(each), "path": None} for each in GREY], STRUCT)
        parquet.write_table(pyarrow.table({"id": [8, 9], label: labels, image: images}), tmp_path / name)

    return write


@pytest.mark.parametrize("kind", [pyarrow.binary(), pyarrow.large_binary()])
@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({}, {}),
        ({"image": "img", "label": "fine_label"}, {}),
        ({"image": "picture", "label": "digit"}, {"image": "picture", "label": "digit"}),
    ],
)
def test_columns_are_found_or_named(write, read, kind, columns, keys):
    for images in (None, pyarrow.array(list(map(png, GREY)), kind)):
        write(images, **columns)

        splits, contents = read("parquet", **keys)

        assert splits["train"][0].tolist() == GREY.tolist() and splits["train"][1].tolist() == [1, 0]
        assert (contents.classes, contents.images) == (None, 2)


def test_labels_may_be_class_names(write, read):
    write(labels=["hat", "cap"])

    assert read("parquet", classes=["cap", "hat"], first_label=3)[0]["train"][1].tolist() == [4, 3]


def test_splits_are_those_of_the_names_and_rows_keep_their_order(write, read):
    for name in ("train-00001-of-00002", "train-00000-of-00002", "validation", "test"):
        write(labels=[int("1" in name[:11]), 5], name=f"{name}.parquet")

    splits, _ = read("parquet")

    assert {split: labels.tolist() for split, (_, labels) in splits.items()} == {
        "train": [0, 5, 1, 5],
        "validation": [0, 5],
        "test": [0, 5],
    }


def test_pictures_are_made_what_the_card_says(write, read):
    write(pyarrow.array([png(np.stack([each] * 3, axis=2)) for each in GREY]))

    assert read("parquet")[0]["train"][0].shape == (2, 3, 4, 3)
    images, _ = read("parquet", image_shape=[3, 4])[0]["train"]
    assert images.tolist() == GREY.tolist()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"image": "picture"}, "train.parquet: no column of images (expected image or img, got id, label, picture)"),
        ({"label": "class"}, "no column of labels (expected label or fine_label, got id, class, image); fix: set"),
        ({"images": ["1.png", "2.png"]}, "no pictures (expected binary, or a struct with the field bytes, got string)"),
        ({"images": pyarrow.array([{"bytes": png(GREY[0]), "path": "1"}, {"bytes": None, "path": "2"}], STRUCT)},
         "train.parquet: row 1: no bytes of a picture; fix: save it with the pictures embedded"),
        ({"images": [png(GREY[0]), b"junk"]}, "mine/train.parquet: row 1: not a supported picture"),
        ({"images": [png(GREY[0]), png(GREY[1])[:-20]]}, "mine/train.parquet: row 1: a damaged picture"),
        ({"labels": [[0, 1], [1]]}, "not one label for each image (expected a number or a class name in each row, "),
        ({"labels": ["hat", "cap"]}, "row 0: 'hat' is neither a number nor one of the classes"),
        ({"labels": [1, None]}, "row 1: 'None' is neither a number nor one of the classes"),
    ],
)  # fmt: skip
@pytest.mark.fault("a Parquet table without pictures or labels, or with damaged ones")
def test_a_bad_table_is_one_line(write, refused, given, line):
    write(**given)

    assert line in refused("parquet")


@pytest.mark.fault("no pyarrow")
def test_without_pyarrow_the_line_says_how_to_install_it(write, read, monkeypatch):
    write()
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InputError) as caught:
        read("parquet")

    line = 'pyarrow: not installed, and Parquet files need it; fix: python -m pip install "pyarrow>=21", then dvc repro'
    assert str(caught.value) == line
