"""The stage normalize by its command line, on a data set of a few hand-made pictures."""

import gzip
import hashlib
import json
import struct

import numpy as np
import pytest

ENTRY = """
tiny:
  title: Tiny
  description: three pictures of two by three pixels to learn from, and two to be tested on
  licence: none
  classes: [Ärmel, Hut]
  image_shape: [2, 3]
  source: images
  folder: pictures
"""
TRAIN = [[[0, 51, 102], [153, 204, 255]], [[255, 0, 0], [0, 0, 0]], [[1, 2, 3], [4, 5, 6]]]
TEST = [[[0, 0, 0], [0, 0, 85]], [[170, 0, 0], [0, 0, 0]]]
OUTPUTS = ["data/train", "data/test", "data/classes.json"]
TRAIN_IMAGES = "raw/train-images-idx3-ubyte.gz"
TRAIN_LABELS = "raw/train-labels-idx1-ubyte.gz"
TEST_IMAGES = "raw/t10k-images-idx3-ubyte.gz"
TEST_LABELS = "raw/t10k-labels-idx1-ubyte.gz"
CLASSES = "raw/classes.json"
FIX_ARCHIVE = "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"


# The same, for archives that are pinned.
PINNED = ENTRY.split("  source:")[0] + "  source: download\n  mirrors: [https://something.invalid/]\n  archives:\n"


def idx(*shape, values):
    return gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values), mtime=0)


def images(pictures):
    return idx(len(pictures), 2, 3, values=[pixel for picture in pictures for row in picture for pixel in row])


@pytest.fixture
def normalize(project, run_stage, assign):
    """A function that runs the stage on the four archives in `raw`."""
    with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
        file.write(ENTRY)
    assign("params.yaml", "dataset.name", "tiny")
    (project / "raw").mkdir()
    (project / TRAIN_IMAGES).write_bytes(images(TRAIN))
    (project / TRAIN_LABELS).write_bytes(idx(3, values=[1, 0, 1]))
    (project / TEST_IMAGES).write_bytes(images(TEST))
    (project / TEST_LABELS).write_bytes(idx(2, values=[0, 1]))
    (project / CLASSES).write_text('["Ärmel", "Hut"]', encoding="utf-8")

    def normalize(**environment):
        return run_stage("stages.normalize", "raw", *OUTPUTS, **environment)

    return normalize


def test_pixels_are_255ths_and_labels_and_classes_are_as_they_were(project, normalize):
    ended = normalize()

    assert (ended.code, ended.stderr) == (0, "")
    assert set(ended.after) - set(ended.before) == {
        *("data/train/images.npy", "data/train/labels.npy", "data/test/images.npy", "data/test/labels.npy"),
        "data/classes.json",
    }
    for split, pictures, classes in (("train", TRAIN, [1, 0, 1]), ("test", TEST, [0, 1])):
        scaled = np.load(project / "data" / split / "images.npy")
        labels = np.load(project / "data" / split / "labels.npy")
        assert (scaled.dtype, labels.dtype) == (np.float32, np.uint8)
        assert scaled.tolist() == (np.array(pictures, np.float64) / 255).astype(np.float32).tolist()
        assert labels.tolist() == classes
    assert scaled[0, 1, 2] == np.float32(1 / 3)
    assert (project / "data" / "classes.json").read_bytes() == '[\n  "Ärmel",\n  "Hut"\n]\n'.encode()


def test_each_split_is_summed_up(normalize):
    assert normalize().stdout == (
        "train: (3, 2, 3) float32 in [0, 1]\n  1 Ärmel, 2 Hut\n"
        "test: (2, 2, 3) float32 in [0, 0.666667]\n  1 Ärmel, 1 Hut\n"
    )


def test_the_same_archives_give_the_same_bytes_whatever_the_locale(normalize):
    first = normalize()
    second = normalize(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (second.code, second.stderr) == (0, "")
    assert second.before == second.after == first.after
    assert "1 \\xc4rmel" in second.stdout


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        (
            TRAIN_IMAGES,
            b"<!DOCTYPE html>",
            f"a web page where images are due (expected a beginning of 00 00 08 03, got 3c 21 44 4f); {FIX_ARCHIVE}",
        ),
        (
            CLASSES,
            b"[]",
            "List should have at least 1 item after validation, not 0; "
            "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro",
        ),
        (
            TEST_IMAGES,
            b"",
            f"an empty file where images are due (expected a beginning of 00 00 08 03, got nothing); {FIX_ARCHIVE}",
        ),
        (
            TEST_IMAGES,
            idx(2, values=[0, 1]),
            "labels where images are due (expected uint8 of 3 dimensions, got uint8 of 1 dimension (2,)); "
            f"{FIX_ARCHIVE}",
        ),
        (
            TEST_IMAGES,
            idx(2, 2, 3, values=range(11)),
            f"cut short (expected 12 bytes of values, got 11); {FIX_ARCHIVE}",
        ),
        (
            TRAIN_LABELS,
            images(TRAIN),
            "images where labels are due (expected uint8 of 1 dimension, got uint8 of 3 dimensions (3, 2, 3)); "
            f"{FIX_ARCHIVE}",
        ),
        (
            TEST_IMAGES,
            idx(2, 3, 2, values=range(12)),
            f"not the images of datasets.yaml (expected (n, 2, 3), n >= 1, got (2, 3, 2)); {FIX_ARCHIVE}",
        ),
        (
            TEST_IMAGES,
            idx(0, 2, 3, values=[]),
            f"not the images of datasets.yaml (expected (n, 2, 3), n >= 1, got (0, 2, 3)); {FIX_ARCHIVE}",
        ),
        (
            TEST_LABELS,
            idx(3, values=[0, 1, 0]),
            f"images and labels differ in number (expected 2 labels, got 3); {FIX_ARCHIVE}",
        ),
        (TEST_LABELS, idx(2, values=[0, 2]), f"label 1 is out of range (expected 0 to 1, got 2); {FIX_ARCHIVE}"),
        (
            TRAIN_LABELS,
            idx(3, values=[1, 1, 1]),
            f"no image of class Ärmel (expected at least one of each class, got counts [0, 3]); {FIX_ARCHIVE}",
        ),
    ],
)
@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("images and labels of different number")
@pytest.mark.fault("labels out of range, a class without images")
@pytest.mark.fault("no images, or of another shape")
def test_a_damaged_archive_is_named_and_nothing_is_written(project, normalize, assert_clean_failure, name, data, line):
    """Also what an earlier run wrote stays, and the other split's archives were sound."""
    (project / "data").mkdir()
    (project / "data" / "classes.json").write_bytes(b"of an earlier run")
    (project / name).write_bytes(data)

    assert_clean_failure(normalize(), 4, f"error: {name}: {line}")


@pytest.mark.fault("images that show nothing")
def test_pictures_that_show_nothing_are_a_matter_of_their_folder(project, normalize, assert_clean_failure):
    (project / TEST_IMAGES).write_bytes(idx(2, 2, 3, values=bytes(12)))
    what = "every pixel of every image is the same (expected pictures, got only the value 0)"

    assert_clean_failure(normalize(), 4, f"error: pictures: {what}; fix: bring other pictures, then dvc repro")


def test_a_cut_archive_is_noticed(project, normalize, assert_clean_failure):
    data = (project / TEST_LABELS).read_bytes()
    (project / TEST_LABELS).write_bytes(data[:-1])

    ended = normalize()

    assert ended.stderr.startswith(f"error: {TEST_LABELS}: cut short (expected a gzip file with its end, got none)")
    assert_clean_failure(ended, 4, ended.stderr.strip())


def test_a_missing_archive_is_named(project, normalize, assert_clean_failure):
    (project / TEST_LABELS).unlink()

    assert_clean_failure(
        normalize(), 1, f"error: {TEST_LABELS}: No such file or directory; fix: mend that, then dvc repro"
    )


@pytest.mark.fault("IDX files that are not compressed, whole or damaged")
def test_archives_may_be_plain(project, normalize):
    packed = normalize()
    for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS):
        (project / name).write_bytes(gzip.decompress((project / name).read_bytes()))
    plain = normalize()

    assert (plain.code, plain.stderr) == (0, "")
    assert {name: plain.after[name] for name in plain.after if name.startswith("data/")} == {
        name: packed.after[name] for name in packed.after if name.startswith("data/")
    }


# Archives that datasets.yaml pins


def pinned(body):
    return f"{len(body)} bytes with SHA-256 {hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def pin(project):
    """A function that turns the data set into a downloaded one, with the archives as they are now."""

    def pin():
        roles = {"train_images": TRAIN_IMAGES, "train_labels": TRAIN_LABELS} | {
            "test_images": TEST_IMAGES,
            "test_labels": TEST_LABELS,
        }
        entry = PINNED
        for role, name in roles.items():
            body = (project / name).read_bytes()
            digest = hashlib.sha256(body).hexdigest()
            entry += f'    {role}: {{file: {name.removeprefix("raw/")}, size: {len(body)}, sha256: "{digest}"}}\n'
        path = project / "datasets.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(ENTRY, entry), encoding="utf-8")

    return pin


def test_pinned_archives_are_used(normalize, pin):
    drawn = normalize()
    pin()
    downloaded = normalize()

    assert (downloaded.code, downloaded.stderr) == (0, "")
    assert downloaded.stdout == drawn.stdout


def test_pinned_archives_are_hashed_before_they_are_parsed(project, normalize, pin, assert_clean_failure):
    """Junk, of the same length or not, and pictures that are sound but others; the one that is right is not named."""
    pin()
    old = {name: (project / name).read_bytes() for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES)}
    new = {
        TRAIN_IMAGES: old[TRAIN_IMAGES][:-1] + b"x",
        TRAIN_LABELS: b"junk",
        TEST_IMAGES: images([*TEST[::-1]]),
    }
    for name, body in new.items():
        (project / name).write_bytes(body)

    lines = [
        f"error: {name}: not the archive of datasets.yaml (expected {pinned(old[name])}, got {pinned(new[name])}); "
        f"{FIX_ARCHIVE}"
        for name in old
    ]
    assert_clean_failure(normalize(), 4, *lines)


def test_archives_that_were_wrong_when_they_were_pinned_are_no_matter_of_damage(
    project, normalize, pin, assert_clean_failure
):
    """They are as the entry says, to the byte: nothing that tools.verify knows of would mend them."""
    for split, labels, images in (("train", TRAIN_LABELS, TRAIN_IMAGES), ("t10k", TEST_LABELS, TEST_IMAGES)):
        (project / labels).rename(project / "raw" / split)
        (project / images).rename(project / labels)
        (project / "raw" / split).rename(project / images)
    pin()

    lines = normalize().stderr.splitlines()

    assert [line.partition(" (")[0] for line in lines] == [
        f"error: datasets.yaml: tiny.archives.{split}_{kind}: {name.removeprefix('raw/')}: {what} are due"
        for split, kind, name, what in (
            ("train", "images", TRAIN_IMAGES, "labels where images"),
            ("train", "labels", TRAIN_LABELS, "images where labels"),
            ("test", "images", TEST_IMAGES, "labels where images"),
            ("test", "labels", TEST_LABELS, "images where labels"),
        )
    ]
    assert not [line for line in lines if "verify" in line]
    assert_clean_failure(normalize(), 4, *lines)


def test_only_the_chosen_data_set_matters(project, normalize, assign):
    """As dvc.yaml says; the rest of either file is for validate to check."""
    assign("params.yaml", "train", "half written")
    assign("datasets.yaml", "mnist", "half written")

    ended = normalize()

    assert (ended.code, ended.stderr) == (0, "")
    assert json.loads(ended.after["data/classes.json"]) == ["Ärmel", "Hut"]
