"""Pictures in folders, zips and tars, against pixels and hashes worked out by hand."""

import hashlib
import os

import numpy as np
import pytest

from core.cli.errors import DataError
from core.formats import pictures
from core.sources.tree import Tree
from tests.layouts import card, picture, tarred, zipped


def save(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def read(tree, **keys):
    """Return the class names, and the sorted values, labels, splits, keys and notes of the images of a folder."""
    with Tree(tree) as opened:
        contents = pictures.read(opened, card(**keys))
        images = [
            (block.split, block.keys[number], int(block.labels[number]), image.tolist(), tuple(block.notes[number]))
            for block in contents.blocks
            for number, image in enumerate(block.images)
        ]
    assert len(images) == contents.images
    return contents.classes, sorted(images)


def key(rows):
    """Return the hash of the height, the width and the values of a grey picture."""
    values = np.array(rows, np.uint8)
    return hashlib.sha256(f"{values.shape[0]} {values.shape[1]}\n".encode() + values.tobytes()).hexdigest()


ONE, TWO = [[1, 2, 3], [4, 5, 6]], [[9, 8, 7], [6, 5, 4]]
FILES = {
    "train/b/1.png": picture(ONE),
    "train/a/2.bmp": picture(TWO, "BMP"),
    "test/a/3.png": picture(ONE),
    "test/b/4.png": picture(TWO),
}
EXPECTED = (
    ["a", "b"],
    sorted(
        [
            ("train", key(ONE), 1, ONE, ()),
            ("train", key(TWO), 0, TWO, ()),
            ("test", key(ONE), 0, ONE, ()),
            ("test", key(TWO), 1, TWO, ()),
        ]
    ),
)


@pytest.mark.parametrize("layout", ["folder", "inner", "own.zip", "own.tar", "own.tar.gz", "inner.zip", "deep/own.tgz"])
def test_pictures_lie_in_a_folder_a_zip_or_a_tar(tmp_path, layout):
    files = {f"x/y/{name}": data for name, data in FILES.items()} if "inner" in layout else FILES
    (tmp_path / layout).parent.mkdir(exist_ok=True)
    if "." not in layout:
        save(tmp_path, files)
    else:
        data = zipped(files) if "zip" in layout else tarred(files, "w:gz" if layout.endswith("gz") else "w")
        (tmp_path / layout).write_bytes(data)

    assert read(tmp_path) == EXPECTED


@pytest.mark.parametrize("folder", ["one", "two.zip", "three.zip/x", "three.zip/x/y"])
def test_the_card_names_one_of_several_places(tmp_path, folder):
    save(tmp_path / "one", FILES)
    (tmp_path / "two.zip").write_bytes(zipped(FILES))
    three = {f"x/y/{name}": data for name, data in FILES.items()} | {"z/1.png": b""}
    (tmp_path / "three.zip").write_bytes(zipped(three))

    assert read(tmp_path, folder=folder) == EXPECTED
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: pictures in several places (expected one, got pictures in folders, three.zip, two.zip); "
        "fix: name one as folder in the card, then dvc repro"
    )


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ([], None),
        (["x.csv", "x.npz", "notes.txt"], None),
        (["a/1.png", "b/1.png"], {}),
        (["x/a/1.heic"], {}),
        (["x/1.png", "labels.csv"], {"table": "labels.csv"}),
        (["x/1.png", "x/train.csv"], {"table": "x/train.csv"}),
        (["x/1.png", "y/1.png", "labels.csv"], {}),
        (["test/1.png", "train/1.png", "train.csv", "test.csv"], {"folder": "train", "table": "train.csv"}),
        (
            ["x/test_images/1.png", "x/train_images/1.png", "x/train.csv"],
            {"folder": "x/train_images", "table": "x/train.csv"},
        ),
        (["test/a/1.png", "train/a/1.png", "train.csv"], {}),
        (["train/1.png", "plane/1.png", "train.csv"], {}),
        (["x.zip"], {"folder": "x.zip"}),
        (["x.zip", "train.csv"], {"folder": "x.zip", "table": "train.csv"}),
    ],
)
def test_pictures_and_a_table_beside_them_are_found(tmp_path, names, keys):
    save(tmp_path, dict.fromkeys(names, b""))
    if "x.zip" in names:
        (tmp_path / "x.zip").write_bytes(zipped({"1.png": b""}))
    if "x.npz" in names:
        np.savez(tmp_path / "x.npz", **{"1.png": np.zeros(1)})

    with Tree(tmp_path) as tree:
        assert pictures.found(tree) == keys


@pytest.mark.fault("a table of the labels of some of the pictures, others of the same names without labels")
def test_a_table_is_of_the_training_pictures_beside_unlabelled_ones(tmp_path):
    table = {"train.csv": b"id,label\n1,b\n2,a\n"}
    save(
        tmp_path,
        table | {f"{split}/{n}.png": picture(ONE if n == 1 else TWO) for split in ("train", "test") for n in (1, 2)},
    )

    assert read(tmp_path) == (["a", "b"], sorted([("train", key(ONE), 1, ONE, ()), ("train", key(TWO), 0, TWO, ())]))


@pytest.mark.parametrize("place", ["labels.csv", "own.zip"])
def test_a_table_names_the_labels(tmp_path, capsys, place):
    files = {f"images/{name.rpartition('/')[2]}": data for name, data in FILES.items()} | {"images/5.png": picture(ONE)}
    table = b"file,label\n1.png,b\n2.bmp,a\n3,a\n4.png,b\n"
    if place == "own.zip":
        (tmp_path / place).write_bytes(zipped(files | {"labels.csv": table}))
    else:
        save(tmp_path, files | {"labels.csv": table, "images/more.gif": b""})

    classes, images = read(tmp_path)

    assert (classes, images) == (["a", "b"], sorted(("train", *image[1:]) for image in EXPECTED[1]))
    printed = capsys.readouterr().out
    assert "labels.csv: pictures without a row are left out: 1\n" in printed and ("1 .gif" in printed) == (
        place != "own.zip"
    )
    assert ".csv: only" not in printed


@pytest.mark.fault("hidden files, and files that are no pictures by their names")
def test_files_left_out_are_counted_in_one_line(tmp_path, capsys):
    files = FILES | {"train/a/notes.txt": b"", "train/a/x.gif": b""}
    save(tmp_path / "own", files)
    (tmp_path / "own.zip").write_bytes(zipped(files))

    for folder in ("own", "own.zip"):
        read(tmp_path, folder=folder)
        printed = capsys.readouterr().out.splitlines()
        assert printed[0].startswith(f"{tmp_path}/{folder}: left out 1 .gif, 1 .txt: only .png, .jpg, ")
        assert len(printed) == 1


@pytest.mark.parametrize(
    ("files", "keys", "line"),
    [
        (
            {},
            {},
            " (expected .png, .jpg, .jpeg, .webp, .bmp, got no files); fix: put pictures there, or correct folder",
        ),
        ({"a/1.txt": b""}, {}, " (expected .png, .jpg, .jpeg, .webp, .bmp, got 1 .txt); fix: put pictures there"),
        (
            {"a/1.heic": b"", "b/1.HEIC": b""},
            {},
            "got 2 .heic); fix: make PNG files of them: python -m pip install pil",
        ),
        ({"a/1.png": b""}, {"folder": "b"}, "/b: no pictures (expected .png, .jpg, .jpeg, .webp, .bmp, got no files)"),
    ],
)
def test_a_place_without_pictures_is_named(tmp_path, files, keys, line):
    save(tmp_path, files)

    with pytest.raises(DataError) as caught:
        read(tmp_path, **keys)

    assert f"{tmp_path}" in str(caught.value) and ": no pictures (" in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.fault("pictures that can't be read, a pipe among them")
def test_every_unreadable_picture_is_named(tmp_path):
    save(tmp_path, FILES | {"train/a/5.png": b"<html>", "train/a/6.png": picture(ONE)[:-20]})
    (tmp_path / "train/a/7.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "train/a/8.png")

    with pytest.raises(DataError) as caught:
        read(tmp_path)

    assert [(problem.subject, problem.what) for problem in caught.value.problems] == [
        (f"{tmp_path}/train/a/5.png", "not a supported picture"),
        (f"{tmp_path}/train/a/6.png", "a damaged picture"),
        (f"{tmp_path}/train/a/7.png", "No such file or directory"),
        (f"{tmp_path}/train/a/8.png", "not a regular file"),
    ]


def test_a_tar_is_read_in_its_order(tmp_path):
    (tmp_path / "own.tar").write_bytes(tarred(dict(sorted(FILES.items(), reverse=True))))
    opened = []
    with Tree(tmp_path) as tree:
        original, tree.open = tree.open, lambda name: opened.append(name) or original(name)

        list(pictures.read(tree, card()).blocks)

    assert opened == [f"own.tar/{name}" for name in sorted(FILES, reverse=True)]
