"""Blocks of images to the arrays of a data set, read back by numpy and json alone."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.cli.errors import DataError, StageError
from core.formats import blocks
from core.formats.blocks import Block, Contents
from core.sources import datasets
from stages.download import storing
from tests.conftest import snapshot

CARD = Path("datasets/own.yaml")


def card(**keys):
    return datasets.Npz(title="t", description="d", licence="l", format="npz", **{"classes": ["a", "b"], **keys})


@pytest.fixture
def store(tmp_path):
    """A function that stores blocks for a card, and returns the arrays of each split."""

    def store(*given, names=None, count=None, **keys):
        contents = Contents(iter(given), names, count)
        raw = tmp_path / "raw"
        storing.store(contents, card(**keys), raw, storing.Problems("sources/own", CARD))
        assert not (raw / "unfinished").exists()
        return {
            folder.name: (np.load(folder / "images.npy").tolist(), np.load(folder / "labels.npy").tolist())
            for folder in raw.iterdir()
            if folder.is_dir()
        }

    return store


def block(split, values, labels, *, keys=(), **more):
    """Return a block of images of 1 x 2 pixels, each of one value."""
    images = np.array([[[value, value]] for value in values], np.uint8)
    return Block(split, images, np.array(labels), f"{split}.npy", keys=keys, is_sorted=bool(keys), **more)


def stored(values):
    return [[[value, value]] for value in values]


TEST = block("test", [8, 9], [0, 1])


def problem(store, *given, error=DataError, **keys):
    with pytest.raises(error) as caught:
        store(*given, **keys)
    (found,) = caught.value.problems
    return str(found)


def sha256(value):
    return hashlib.sha256(b"1 2\n" + bytes([value, value])).hexdigest()


def test_images_keep_the_order_of_the_files(store, tmp_path):
    made = store(block("train", [3, 1], [0, 1]), TEST, block("train", [2], [0]), block("validation", [5], [1]))

    assert made == {
        "train": (stored([3, 1, 2]), [0, 1, 0]),
        "test": (stored([8, 9]), [0, 1]),
        "validation": (stored([5]), [1]),
    }
    assert json.loads((tmp_path / "raw/classes.json").read_text()) == ["a", "b"]
    assert json.loads((tmp_path / "raw/preparation.json").read_text()) == {"done": {}, "images": 6}
    assert np.load(tmp_path / "raw/train/images.npy").dtype == np.load(tmp_path / "raw/test/labels.npy").dtype == "u1"


@pytest.mark.fault("names of files that decide the order of the images, or sort them by class")
def test_images_with_keys_are_sorted_by_key_then_by_label(store):
    train = block("train", [3, 1, 2], [1, 1, 0], keys=["cc", "bb", "bb"])

    made = store(train, block("train", [4], [0], keys=["aa"]), block("test", [8, 9], [1, 0], keys=["2", "1"]))

    assert made == {"train": (stored([4, 2, 1, 3]), [0, 0, 1, 1]), "test": (stored([9, 8]), [0, 1])}


def test_many_large_images_are_sorted_with_little_memory(store, monkeypatch):
    monkeypatch.setattr(blocks, "ROWS", 7)
    values = np.random.RandomState(0).permutation(100)
    keys = [f"{value:02x}" for value in values]

    made = store(block("train", values, values % 2, keys=keys), block("test", [101, 102], [0, 1], keys=["a", "b"]))

    assert made["train"] == (stored(range(100)), [0, 1] * 50)


@pytest.mark.fault("a picture that is added and moves others into the other split")
@pytest.mark.fault("copies of a picture on both sides of a split by test_fraction")
@pytest.mark.parametrize("keyed", [False, True])
def test_the_hash_of_an_image_decides_on_its_split(store, keyed):
    values = list(range(60))
    keys = [sha256(value) for value in values] if keyed else []
    chosen = [value for value in values if int(sha256(value)[:8], 16) < 0.3 * 2**32]
    rest = [value for value in values if value not in chosen]
    if keyed:
        chosen, rest = (sorted(part, key=sha256) for part in (chosen, rest))

    made = store(block("train", values, [value % 2 for value in values], keys=keys), test_fraction=0.3)

    assert 8 < len(chosen) < 28
    assert made == {
        "train": (stored(rest), [value % 2 for value in rest]),
        "test": (stored(chosen), [value % 2 for value in chosen]),
    }


def test_an_official_validation_split_is_not_divided(store):
    values = list(range(100, 160))

    made = store(block("train", range(60), [0, 1] * 30), block("validation", values, [0] * 60), test_fraction=0.5)

    assert made["validation"] == (stored(values), [0] * 60)


def test_test_images_and_a_test_fraction_are_refused(store):
    assert problem(store, TEST, test_fraction=0.5) == (
        "sources/own/test.npy: test images, though the card has a test_fraction; "
        "fix: remove test_fraction in datasets/own.yaml, then dvc repro"
    )


def test_the_first_label_is_subtracted(store):
    made = store(block("train", [1, 2], [7, 8]), block("test", [3, 4], [8, 7]), first_label=7)

    assert (made["train"][1], made["test"][1]) == ([0, 1], [1, 0])


@pytest.mark.parametrize("first_label", [0, 5])
@pytest.mark.fault("labels out of range, or that start at 1")
def test_a_label_out_of_range_is_named_with_its_place(store, first_label):
    given = [block("train", [1, 2], [0, 1]), block("train", [3, 4, 5], [1, 0, 2], first=10)]
    given = [Block(*(each.split, each.images, each.labels + first_label, each.file, each.first)) for each in given]

    assert problem(store, *given, TEST, first_label=first_label) == (
        "sources/own/train.npy: the label of image 12 is out of range (expected 0 to 1, got 2); "
        "fix: list 3 classes, or correct first_label in datasets/own.yaml, then dvc repro"
    )


def test_the_number_of_a_label_is_right_after_a_split_by_test_fraction(store):
    values = list(range(60))
    labels = [value % 2 for value in values]
    wrong = next(value for value in values[40:] if int(sha256(value), 16) < 0.5 * 2**256)
    labels[wrong] = -1

    given = [block("train", values[:20], labels[:20]), block("train", values[20:], labels[20:], first=20)]
    assert f": the label of image {wrong} is out of range" in problem(store, *given, test_fraction=0.5)


def test_the_number_of_a_label_means_nothing_if_the_order_is_free(store):
    train = block("train", [1, 2], [0, 2], keys=["a", "b"])

    assert ": a label is out of range (expected 0 to 1, got 2)" in problem(store, train)


@pytest.mark.fault("labels out of range, or that start at 1")
def test_labels_that_start_at_1_have_a_line_of_their_own(store):
    assert problem(store, block("train", [1, 2], [1, 2]), TEST) == (
        "sources/own/train.npy: labels start at 1 (expected 0 to 1, got 1 to 2); "
        "fix: set first_label: 1 in datasets/own.yaml, then dvc repro"
    )


@pytest.mark.parametrize(
    ("given", "keys", "line"),
    [
        ([block("train", [1], [0])], {}, "no train image of class b; fix: add images of b, or change classes or test_"),
        ([block("train", [1, 2], [0, 1]), block("test", [3], [1])], {}, "no test image of class a; fix: add images of"),
        ([block("train", [1, 2], [0, 1])], {}, "no test images; fix: set test_fraction, such as 0.2, or name test im"),
        ([TEST], {}, "no train images; fix: name training images in datasets/own.yaml, then dvc repro"),
        ([], {}, "no train images; fix: name training images in datasets/own.yaml, then dvc repro"),
        (
            [block("train", [7, 7], [0, 1]), block("test", [7, 7], [0, 1])],
            {},
            "every pixel of every image has the same value (expected different values, got 7); fix: name other files",
        ),
        (
            [block("train", [1, 2], [4, 0])],
            {"classes": None},
            "no class names; fix: list classes, one for each label from 0 to 4, in datasets/own.yaml, then dvc repro",
        ),
    ],
)
@pytest.mark.fault("a class without images, no test images, no images at all, blank images, no class names")
def test_a_data_set_from_which_nothing_can_be_learned_is_refused(store, given, keys, line):
    assert problem(store, *given, **keys).startswith(f"sources/own: {line}")


@pytest.mark.parametrize(("first", "second"), [("train", "test"), ("train", "validation"), ("test", "validation")])
@pytest.mark.parametrize("is_smaller", [True, False])
@pytest.mark.fault("test images that are all training images")
@pytest.mark.fault("a split whose images are all in another split")
def test_no_split_is_part_of_another(store, first, second, is_smaller):
    values = {"train": [1, 2, 9], "validation": [3, 4, 9], "test": [5, 6, 9]}
    values[second] = values[first][:2] if is_smaller else [*values[first], 7]
    small, large = (second, first) if is_smaller else (first, second)
    given = [block(name, each, [0] * len(each)) for name, each in values.items()]

    assert problem(store, *given, classes=["a"]) == (
        f"sources/own/{small}.npy: every {small} image is also a {large} image; "
        f"fix: name other {small} images in datasets/own.yaml, then dvc repro"
    )
    if is_smaller:
        given = [block(name, [*each, 10], [0] * (len(each) + 1)) for name, each in values.items() if name != second]
        store(*given, block(second, [*values[second], 11], [0] * 3), classes=["a"])


@pytest.mark.fault("classes in another order than in the files")
def test_the_classes_of_the_card_have_the_order_of_those_of_the_files(store):
    given = block("train", [1, 2], [0, 1]), TEST

    assert problem(store, *given, names=["a", "b"], classes=["b", "a"]) == (
        "sources/own: classes in another order than in the files (expected ['a', 'b'], got ['b', 'a']); "
        "fix: give classes that order in datasets/own.yaml, then dvc repro"
    )
    store(*given, names=["a", "b"], classes=["a", "c"])


def test_class_names_of_the_files_count_if_the_card_has_none(store, tmp_path):
    for classes, expected in ((["a", "b"], ["a", "b"]), (None, ["x", "y"])):
        store(block("train", [1, 2], [0, 1]), TEST, names=["x", "y"], classes=classes)
        assert json.loads((tmp_path / "raw/classes.json").read_text()) == expected


@pytest.mark.parametrize(("names", "what"), [(["a", "A"], "two classes have the same name"), (["a", " b"], "blanks")])
@pytest.mark.fault("class names that are equal to the eye, too long, or no text")
def test_class_names_of_the_files_are_checked_before_the_images_are_read(tmp_path, names, what):
    def never():
        raise AssertionError
        yield

    own = card(classes=None)
    with pytest.raises(DataError, match=what) as caught:
        storing.store(Contents(never(), names), own, tmp_path / "raw", storing.Problems("sources/own", CARD))

    [found] = caught.value.problems
    assert found.subject.startswith("sources/own") and found.fix == (
        "rename classes in the files, or list them as classes in datasets/own.yaml, then dvc repro"
    )


def test_the_first_block_sets_the_shape(store):
    assert problem(store, block("train", [1, 2], [0, 1]), Block("test", np.zeros((1, 3, 2), "u1"), [0], "x.npy")) == (
        "sources/own/x.npy: images of another size (expected 1 x 2 pixels, got 3 x 2); "
        "fix: set image_shape: [3, 2], or correct files in datasets/own.yaml, then dvc repro"
    )


def test_images_get_the_channels_of_the_card_and_what_was_done_is_counted(store, tmp_path, capsys):
    colours = np.array([[[[255, 0, 0], [9, 9, 9]]], [[[0, 0, 255], [1, 1, 1]]]], np.uint8)
    colour = Block("train", colours, np.array([0, 1]), "x.npy")

    assert store(colour, TEST, image_shape=[1, 2])["train"][0] == [[[76, 9]], [[29, 1]]]
    assert json.loads((tmp_path / "raw/preparation.json").read_text()) == {"done": {"made grey": 2}, "images": 4}
    assert capsys.readouterr().out == "train: 2 images, 1 x 2\ntest: 2 images, 1 x 2\n"

    made = store(colour, TEST, image_shape=[1, 2, 3])
    assert (made["train"][0], made["test"][0][0]) == (colours.tolist(), [[[8, 8, 8], [8, 8, 8]]])
    assert json.loads((tmp_path / "raw/preparation.json").read_text())["done"] == {"made colour": 2}
    assert store(colour, TEST) == made


def test_notes_are_counted_without_their_details(store, tmp_path):
    notes = [("made grey", "resized (640x480)"), ("resized (9x9)",)]
    store(block("train", [1, 2], [0, 1], notes=notes), TEST)

    done = json.loads((tmp_path / "raw/preparation.json").read_text())["done"]
    assert done == {"made grey": 1, "resized": 2}


@pytest.mark.fault("a disk that is too small for the images of a data set")
def test_a_disk_without_room_is_refused_before_images_are_written(store, tmp_path, monkeypatch, capsys):
    """Each value takes 1 byte in data/raw and 4 in data/normalized, and as much in DVC's cache."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_400_000_000 - 1))
    count = 120_000_000
    assert problem(store, block("train", [1, 2], [0, 1]), count=count, error=StageError) == (
        f"{tmp_path}/raw: no room for the images (expected 2.4 GB for 120000000 images, got 2.4 GB free); "
        "fix: free some disk (dvc gc --workspace removes old results), or set a smaller image_shape; then dvc repro"
    )
    assert capsys.readouterr().out == ("120000000 images of 1 x 2 will take 2 GB: half in data/, half in DVC's cache\n")
    assert list((tmp_path / "raw").iterdir()) == []

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_400_000_000))
    store(block("train", [1, 2], [0, 1]), TEST, count=count)


@pytest.mark.fault("a disk that is too small for the images of a data set")
def test_a_disk_without_room_is_noticed_at_each_block_if_the_number_of_images_is_unknown(store, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 20))
    given = block("train", [1, 2], [0, 1]), TEST

    assert "GB for 6 images" in problem(store, *given, block("validation", [3, 4], [0, 1]), error=StageError)
    store(*given, block("validation", [3], [0]))


@pytest.mark.fault("a fault in the last block, over the arrays of an earlier data set")
def test_nothing_appears_and_nothing_is_lost_on_an_error(store, tmp_path):
    before = store(block("train", [1, 2], [0, 1]), TEST, block("validation", [3], [0]))
    files = snapshot(tmp_path / "raw")
    (tmp_path / "raw/unfinished/train").mkdir(parents=True)  # of a run that was killed

    problem(store, block("train", [1, 2], [0, 1]), block("test", [1], [5]))

    assert snapshot(tmp_path / "raw") == files
    del before["validation"]
    assert store(block("train", [1, 2], [0, 1]), TEST) == before  # no split of the earlier data set is left
