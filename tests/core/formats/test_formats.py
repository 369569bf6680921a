"""The format of files without a card is told by their names and contents."""

import numpy as np
import pytest

from core.cli.errors import DataError
from core.formats import formats, roles
from core.sources import datasets
from core.sources.tree import Tree
from tests import layouts


@pytest.mark.parametrize("layout", [name for name in layouts.LAYOUTS if name != "npy"])
def test_each_layout_is_recognised_and_read_as_with_its_card(tmp_path, layout):
    given = layouts.images(*layouts.LAYOUTS[layout].shapes[-1])
    folder = tmp_path / "files"
    folder.mkdir()
    keys = layouts.LAYOUTS[layout].make(folder, given)

    with Tree(folder) as tree:
        name, found = formats.guess(tree)
        common = {"title": "a", "description": "a", "licence": "a", "format": name, "classes": layouts.CLASSES}
        path = tmp_path / "card.yaml"
        path.write_text(str(common | found | keys), encoding="utf-8")
        blocks = list(formats.read(tree, datasets.read(path)).blocks)

    assert name == layouts.LAYOUTS[layout].format
    train = np.concatenate([block.images for block in blocks if block.split == "train"])
    assert sorted(image.tobytes() for image in train) == sorted(image.tobytes() for image in given.train)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("training/0000.parquet", "train"),
        ("my train set/fashion-mnist_test.csv", "test"),
        ("t10k-images-idx3-ubyte.gz", "test"),
        ("val/0.csv", "validation"),
        ("Valid.csv", "validation"),
        ("x.npz/validation_images", "validation"),
        ("a.npz/latest", None),
    ],
)
def test_a_split_is_the_last_word_of_a_path_that_names_one(path, split):
    assert roles.split_of(path) == split


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("train_32x32.mat", "a MATLAB file: not read; fix: write an .npz file, see docs/your-data.md#other-formats"),
        ("mnist.tfrecord", "a TFRecord file: not read"),
        ("data.tfrecord-00000-of-00002", "a TFRecord file: not read"),
        ("train.pkl", "a pickled file, which could run code: not read"),
        ("train.PICKLE", "a pickled file"),
        ("training.pt", "a pickled file"),
        ("set.h5", "an HDF5 file"),
        ("set.hdf5", "an HDF5 file"),
        (
            "cifar-10-batches-py/data_batch_1",
            "the python version of CIFAR, which is pickled: not read; fix: get the binary version, "
            "cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, or write an .npz file, see docs/your-data.md#other-fo",
        ),
    ],
)
@pytest.mark.fault("files of a format that is not read")
def test_other_formats_are_one_line_that_names_the_way(tmp_path, name, line):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        formats.guess(tree)

    assert str(caught.value).startswith(f"mine/{name}: {line}")


@pytest.mark.fault("files that are not told by their names: none, arrays a and b, a lone test file")
def test_what_can_not_be_told_by_its_name_has_a_line_of_its_own(tmp_path):
    def line(name):
        with Tree(tmp_path / name, "mine") as tree, pytest.raises(DataError) as caught:
            formats.guess(tree)
        return str(caught.value).removesuffix(", then dvc repro")

    (tmp_path / "none").mkdir()
    np.savez(tmp_path / "odd.npz", a=np.zeros((3, 4, 5), np.uint8), b=np.zeros(3, int))
    (tmp_path / "notes.txt").write_bytes(b"x")
    np.savetxt(tmp_path / "test.csv", np.ones((3, 26)), "%d", ",", header="label" + ",pixel" * 25, comments="")

    assert line("none") == "mine: an empty folder; fix: put pictures, an archive or a table there"
    assert line("odd.npz") == (
        "mine/odd.npz: the names of the arrays do not tell what they are for (expected x_train and y_train, "
        "got odd.npz/a, odd.npz/b); fix: save them with these names, or name them in a card, "
        "as train_images: odd.npz/a (docs/your-data.md#numpy-arrays)"
    )
    assert line("notes.txt") == (
        "mine/notes.txt: no known format, or several data sets; "
        "fix: write a card that names files, as docs/your-data.md shows"
    )
    assert line("test.csv") == (
        "mine/test.csv: only test images by its name; "
        "fix: add the file of the training images, or put train into the name of this one"
    )
