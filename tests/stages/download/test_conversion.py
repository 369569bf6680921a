"""Image folders to archives, against pixels worked out by hand; gzip and numpy alone read the archives."""

import gzip
import hashlib

import numpy as np
import pytest
from PIL import Image

from core.cli.errors import DataError
from core.config import datasets
from core.formats import image_folder
from stages.download import conversion


@pytest.fixture
def save(tmp_path):
    """A function that writes rows of grey values as a picture below the folder `own`."""

    def save(name, rows):
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(rows, np.uint8)).save(path)

    return save


@pytest.fixture
def entry(tmp_path):
    """A function that returns an entry for the folder `own`, pinned as it is now."""

    def entry(*, image_shape=(2, 3), **keys):
        own = datasets.ImageFolder(
            title="t",
            description="d",
            licence="l",
            image_shape=[*image_shape],
            source="images",
            folder=str(tmp_path / "own"),
            **keys,
        )
        return own if own.sha256 else own.model_copy(update={"sha256": image_folder.pin(own)})

    return entry


def arrays(folder):
    """Return the four arrays, read by the definition of the format."""

    def values(name, dimensions):
        data = gzip.decompress((folder / name).read_bytes())
        assert data[:4] == bytes([0, 0, 8, dimensions])
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(
            np.frombuffer(data, ">u4", dimensions, 4)
        )

    return {
        split: (
            values(f"{prefix}-images-idx3-ubyte.gz", 3).tolist(),
            values(f"{prefix}-labels-idx1-ubyte.gz", 1).tolist(),
        )
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }


def pixels(rows):
    """Return the hash that sorts a picture: of its height, its width and its pixels."""
    text = f"{len(rows)} {len(rows[0])}\n".encode()
    return hashlib.sha256(text + bytes(value for row in rows for value in row)).hexdigest()


# Their hashes begin with bd, a1 and 41, by printf '2 3\n\x00\xff\x00\x07\x00\x07' | sha256sum and so on.
ONE, TWO, THREE = [[1, 2, 3], [4, 5, 6]], [[9, 8, 7], [6, 5, 4]], [[0, 255, 0], [7, 0, 7]]


@pytest.mark.fault("hidden files, and files that are no pictures by their names")
def test_pictures_of_the_right_shape_keep_their_bytes(save, entry, tmp_path, capsys):
    save("train/coat/a.png", ONE)
    save("train/coat/b.bmp", TWO)
    save("train/bag/x.png", THREE)
    save("test/coat/a.png", THREE)
    save("test/bag/y.png", ONE)
    (tmp_path / "own/train/bag/notes.txt").touch()

    assert conversion.write(entry(), tmp_path / "raw") == ["bag", "coat"]

    assert arrays(tmp_path / "raw") == {"train": ([THREE, TWO, ONE], [0, 1, 1]), "test": ([THREE, ONE], [1, 0])}
    assert capsys.readouterr().out.splitlines() == [
        "train-images-idx3-ubyte.gz: from pictures, 3 x 2 x 3",
        "train-labels-idx1-ubyte.gz: from pictures, 3",
        "t10k-images-idx3-ubyte.gz: from pictures, 2 x 2 x 3",
        "t10k-labels-idx1-ubyte.gz: from pictures, 2",
        f"{tmp_path}/own: left out 1 .txt: only .png, .jpg, .jpeg, .webp, .bmp files are read",
    ]


@pytest.mark.fault("names of files that decide the order of the images, or sort them by class")
@pytest.mark.fault("a picture saved twice, in other bytes, one on each side")
def test_file_names_and_formats_do_not_change_the_archives(save, entry, tmp_path):
    """Forty pictures, one of them in both classes; renamed, in another format, they give the same bytes."""
    shown = [[[value, 9, 0], [0, value, 0]] for value in range(40)]
    for value, rows in enumerate(shown):
        save(f"{'ab'[value % 2]}/{value:02}.png", rows)
    save("b/00.png", shown[0])
    conversion.write(entry(test_fraction=0.3, classes=["b", "a"]), tmp_path / "raw")

    (tmp_path / "own").rename(tmp_path / "old")
    for value, rows in enumerate(shown):
        save(f"{'ab'[value % 2]}/{99 - value} {value % 7}.bmp", rows)
    save("b/again.png", shown[0])
    conversion.write(entry(test_fraction=0.3, classes=["b", "a"]), tmp_path / "renamed")

    for path in (tmp_path / "raw").iterdir():
        assert (tmp_path / "renamed" / path.name).read_bytes() == path.read_bytes()
    made = arrays(tmp_path / "raw")
    for images, labels in made.values():
        keys = [(pixels(rows), label) for rows, label in zip(images, labels, strict=True)]
        assert keys == sorted(keys)
    assert sum(len(labels) for _, labels in made.values()) == 41


def test_the_entry_sets_background_inversion_and_shape(save, entry, tmp_path):
    for split in ("train", "test"):
        save(f"{split}/a/1.png", [[[10, 255], [20, 255]], [[30, 0], [40, 255]]])
    grey = entry(image_shape=(2, 4), background=60, invert="auto")
    light = entry(image_shape=(2, 2), background=255, invert="yes")

    conversion.write(grey, tmp_path / "grey")
    conversion.write(light, tmp_path / "light")

    assert arrays(tmp_path / "grey")["train"][0] == [[[40, 10, 20, 40], [40, 60, 40, 40]]]
    assert arrays(tmp_path / "light")["test"][0] == [[[245, 235], [0, 215]]]


@pytest.mark.fault("a picture that is added and moves others into the other split")
@pytest.mark.fault("copies of a picture on both sides of a split by test_fraction")
def test_the_pixels_of_a_picture_alone_decide_on_its_split(save, entry, tmp_path):
    """The test split has the hashes below 0.3; new pictures move no others, and a copy joins its original."""
    for value in range(40):
        save(f"{'ab'[value % 2]}/{value:02}.png", [[value, value + 1, 0], [0, 0, 0]])
    conversion.write(entry(test_fraction=0.3), tmp_path / "few")
    few = arrays(tmp_path / "few")
    for value in range(40, 80):
        save(f"{'ab'[value % 2]}/{value:02}.png", [[value, value + 1, 0], [0, 0, 0]])
    copied = [[1, 2, 0], [0, 0, 0]]
    save("b/copy of 01.png", copied)
    conversion.write(entry(test_fraction=0.3), tmp_path / "more")
    more = arrays(tmp_path / "more")

    for split in ("train", "test"):
        images, _ = few[split]
        assert all((int(pixels(rows)[:8], 16) < 0.3 * 2**32) == (split == "test") for rows in images)
        assert [rows for rows in more[split][0] if rows in images and rows != copied] == [
            rows for rows in images if rows != copied
        ]
    assert sorted(more[split][0].count(copied) for split in more) == [0, 2]


@pytest.mark.fault("a picture is changed, renamed, moved, added or removed")
def test_pictures_other_than_the_pinned_ones_are_refused(save, entry, tmp_path):
    save("train/a/1.png", ONE)
    save("test/a/1.png", TWO)
    pinned = entry()
    save("test/a/1.png", THREE)

    with pytest.raises(DataError) as caught:
        conversion.write(pinned, tmp_path / "raw")

    now = image_folder.pin(pinned)
    assert str(caught.value) == (
        f"{tmp_path}/own: not the pictures of datasets.yaml (expected SHA-256 {pinned.sha256}, "
        f'got {now}); fix: restore the old pictures, or pin these by sha256: "{now}" '
        "in datasets.yaml; then dvc repro"
    )
    assert not (tmp_path / "raw").exists()


@pytest.mark.fault("pictures that can't be read, a pipe among them")
def test_every_unreadable_picture_is_named_and_nothing_is_written(save, entry, tmp_path):
    save("train/a/1.png", ONE)
    save("test/a/1.png", TWO)
    (tmp_path / "own/train/a/2.png").write_bytes(b"<html>")
    (tmp_path / "own/train/a/3.png").write_bytes((tmp_path / "own/train/a/1.png").read_bytes()[:-20])
    (tmp_path / "own/train/a/4.png").symlink_to("nowhere")

    with pytest.raises(DataError) as caught:
        conversion.write(entry(sha256="0" * 64), tmp_path / "raw")

    assert [(problem.subject, problem.what) for problem in caught.value.problems] == [
        (f"{tmp_path}/own/train/a/2.png", "not a supported picture"),
        (f"{tmp_path}/own/train/a/3.png", "a damaged picture"),
        (f"{tmp_path}/own/train/a/4.png", "No such file or directory"),
    ]
    assert not (tmp_path / "raw").exists()


@pytest.mark.fault("a class of which the hashes choose no picture to test on")
def test_a_class_without_a_picture_in_a_split_is_named(save, entry, tmp_path):
    for number in range(3):
        save(f"a/{number}.png", [[number, 1, 2], [3, 4, 5]])
    save("b/0.png", ONE)

    with pytest.raises(DataError) as caught:
        conversion.write(entry(test_fraction=1e-9), tmp_path / "raw")

    assert [problem.what for problem in caught.value.problems] == [
        "no test picture of class a",
        "no test picture of class b",
    ]
