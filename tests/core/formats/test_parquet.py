"""Parquet tables, written by pyarrow as other tools write them; tests/system/test_layouts.py has Hugging Face's own."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from core.cli.errors import InputError
from core.formats import formats
from core.sources import datasets
from core.sources.tree import Tree
from tests.layouts import picture

GREY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


@pytest.fixture
def write(tmp_path):
    """A function that writes train.parquet, by default with two grey pictures and their labels."""

    def write(images=None, labels=(1, 0), *, name="train.parquet", image="image", label="label"):
        images = images or pyarrow.array([{"bytes": picture(each), "path": None} for each in GREY], STRUCT)
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
def test_columns_are_found_or_named(write, read, refused, kind, columns, keys):
    for images in (None, pyarrow.array(list(map(picture, GREY)), kind)):
        write(images, **columns)

        splits, contents = read("parquet", **keys)

        assert splits["train"][0].tolist() == GREY.tolist() and splits["train"][1].tolist() == [1, 0]
        assert (contents.classes, contents.images) == (None, 2)
        line = f"train.parquet: no column of labels (expected class, got id, {columns.get('label', 'label')}, "
        assert line in refused("parquet", **keys | {"label": "class"})


@pytest.mark.parametrize(
    ("metadata", "classes"),
    [
        ('{"info": {"features": {"label": {"names": ["hat", "cap"], "_type": "ClassLabel"}}}}', ["hat", "cap"]),
        ('{"info": {"features": {"label": {"dtype": "int64", "_type": "Value"}}}}', None),
        ("{", None),
        ("[1]", None),
    ],
)
def test_class_names_are_those_of_the_metadata(write, read, tmp_path, metadata, classes):
    write()
    table = parquet.read_table(tmp_path / "train.parquet").replace_schema_metadata({"huggingface": metadata})
    parquet.write_table(table, tmp_path / "train.parquet")

    assert read("parquet")[1].classes == classes


def named(path, classes):
    """Give a file the metadata that the library `datasets` writes for class names."""
    features = json.dumps({"info": {"features": {"label": {"names": classes}}}})
    parquet.write_table(parquet.read_table(path).replace_schema_metadata({"huggingface": features}), path)


@pytest.mark.fault("files of a data set with class names in different orders")
def test_all_files_have_the_same_class_names(write, read, refused, tmp_path):
    for name, classes in (("train", ["cat", "dog"]), ("test", ["dog", "cat"])):
        write(name=f"{name}.parquet")
        named(tmp_path / f"{name}.parquet", classes)

    assert refused("parquet").startswith(
        "mine/test.parquet: has the classes ['dog', 'cat'], an earlier file has ['cat', 'dog']; fix: save all files"
    )
    named(tmp_path / "test.parquet", ["cat", "dog"])
    assert read("parquet")[1].classes == ["cat", "dog"]


def test_labels_may_be_class_names(write, read):
    write(labels=["hat", "cap"])

    assert read("parquet", classes=["cap", "hat"], first_label=3)[0]["train"][1].tolist() == [4, 3]


def test_labels_are_names_of_the_card_or_indices_into_the_names_of_the_metadata(write, read, tmp_path):
    write(labels=[1, 0])

    assert read("parquet", classes=["1", "0"])[0]["train"][1].tolist() == [0, 1]
    named(tmp_path / "train.parquet", ["1", "0"])
    assert read("parquet", classes=["1", "0"])[0]["train"][1].tolist() == [1, 0]


@pytest.mark.slow
@pytest.mark.fault("a small file whose rows take gigabytes")
def test_a_few_bytes_that_make_gigabytes_take_little_memory(write, tmp_path):
    cells = pyarrow.DictionaryArray.from_arrays(np.zeros(64, np.int32), pyarrow.array([bytes(19 << 20)]))
    table = pyarrow.table({"image": cells, "label": [0, 1] * 32})
    parquet.write_table(table, tmp_path / "train.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "train.parquet").stat().st_size < 4096
    code = """
import sys
from pathlib import Path
from core.cli.errors import DataError
from core.sources import datasets, tree
from core.formats import parquet
card = datasets.Parquet(title="t", description="d", licence="l", format="parquet", files={"train": "*.parquet"})
try:
    list(parquet.read(tree.Tree(Path(sys.argv[1])), card).blocks)
except DataError as error:
    print(error)
# Not getrusage: there a process begins with the most memory of the process that started it.
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1])
"""
    ended = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)

    *lines, kilobytes = ended.stdout.splitlines()
    assert "row 0: not a supported picture" in lines[0]
    assert int(kilobytes) < 2_000_000, "3,700,000 if it reads 64 rows at once"


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
    write(pyarrow.array([picture(np.stack([each] * 3, axis=2)) for each in GREY]))

    assert read("parquet")[0]["train"][0].shape == (2, 3, 4, 3)
    images, _ = read("parquet", image_shape=[3, 4])[0]["train"]
    assert images.tolist() == GREY.tolist()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"image": "picture"}, "train.parquet: no column of images (expected image or img, got id, label, picture)"),
        ({"label": "class"}, "no column of labels (expected label or fine_label, got id, class, image); fix: set"),
        ({"images": ["1.png", "2.png"]}, "no pictures (expected binary, or a struct with the field bytes, got string)"),
        ({"images": pyarrow.array([{"bytes": picture(GREY[0]), "path": "1"}, {"bytes": None, "path": "2"}], STRUCT)},
         "train.parquet: row 1: no bytes of a picture; fix: save it with the pictures embedded"),
        ({"images": [picture(GREY[0]), b"junk"]}, "mine/train.parquet: row 1: not a supported picture"),
        ({"images": [picture(GREY[0]), picture(GREY[1])[:-20]]}, "mine/train.parquet: row 1: a damaged picture"),
        ({"labels": [[0, 1], [1]]}, "train.parquet: no labels (expected numbers or names, got list<"),
        ({"labels": ["hat", "cap"]}, "row 0: 'hat' is neither a class nor the number of one; fix: correct"),
        ({"labels": [1, None]}, "row 1: '' is neither a class nor the number of one"),
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

    line = "pyarrow: not installed, and Parquet files need it (the extra parquet); fix: make setup, or "
    line += 'python -m pip install "pyarrow>=21"'
    assert str(caught.value) == line


@pytest.mark.fault("test images that change sides when the card does")
def test_the_source_picture_decides_on_the_split_and_the_rows_keep_their_order(tmp_path):
    """So an edit of image_shape moves no picture from the test images to the training images."""
    rows = [{"image": picture(np.full((16, 16), value, np.uint8)), "label": value % 2} for value in range(40)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train.parquet")

    expected = [hashlib.sha256(b"16 16\n" + bytes([value] * 256)).hexdigest() for value in range(40)]
    for shape in ([16, 16], [8, 8]):
        card = datasets.Parquet(
            title="t", description="d", licence="l", format="parquet", files={"train": ["*.parquet"]}, image_shape=shape
        )
        with Tree(tmp_path) as tree:
            found = list(formats.read(tree, card).blocks)
        assert [key for block in found for key in block.keys] == expected
        assert not any(block.is_sorted for block in found)
