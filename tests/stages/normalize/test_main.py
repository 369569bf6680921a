"""The stage normalize by its command line, on a data set of a few pictures made by hand."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

COMMON = """
tiny:
  title: Tiny
  description: three training images and two test images of two by three pixels
  licence: none
  classes: [Ärmel, Hut]
  image_shape: [2, 3]
"""
PICTURED = COMMON + "  source: images\n  folder: pictures\n"
PINNED = COMMON + "  source: download\n  mirrors: [https://something.invalid/]\n  archives:\n"
TRAIN = [[[0, 51, 102], [153, 204, 255]], [[255, 0, 0], [0, 0, 0]], [[1, 2, 3], [4, 5, 6]]]
TEST = [[[0, 0, 0], [0, 0, 85]], [[170, 0, 0], [0, 0, 0]]]
OUTPUTS = ["data/train", "data/test", "data/classes.json"]
TRAIN_IMAGES = "raw/train-images-idx3-ubyte.gz"
TRAIN_LABELS = "raw/train-labels-idx1-ubyte.gz"
TEST_IMAGES = "raw/t10k-images-idx3-ubyte.gz"
TEST_LABELS = "raw/t10k-labels-idx1-ubyte.gz"
CLASSES = "raw/classes.json"
ROLES = {"train_images": TRAIN_IMAGES, "train_labels": TRAIN_LABELS}
ROLES |= {"test_images": TEST_IMAGES, "test_labels": TEST_LABELS}


def idx(*shape, values):
    return gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values), mtime=0)


def images(pictures):
    return idx(len(pictures), 2, 3, values=[pixel for picture in pictures for row in picture for pixel in row])


@pytest.fixture
def normalize(project, run_stage, assign):
    """A function that runs the stage on the four archives in `raw`."""
    with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
        file.write(PICTURED)
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


@pytest.fixture
def pin(project):
    """A function that makes the data set one of downloaded archives, pinned as they are now."""

    def pin():
        entry = PINNED
        for role, name in ROLES.items():
            body = (project / name).read_bytes()
            pins = f'size: {len(body)}, sha256: "{hashlib.sha256(body).hexdigest()}"'
            entry += f"    {role}: {{file: {name.removeprefix('raw/')}, {pins}}}\n"
        path = project / "datasets.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(PICTURED, entry), encoding="utf-8")

    return pin


def test_pixels_are_255ths_and_labels_and_classes_are_kept(project, normalize):
    ended = normalize()

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (
        "train: (3, 2, 3) float32 in [0, 1]\n  1 Ärmel, 2 Hut\n"
        "test: (2, 2, 3) float32 in [0, 0.666667]\n  1 Ärmel, 1 Hut\n"
    )
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


@pytest.mark.fault("IDX files that are not compressed, whole or damaged")
def test_equal_arrays_give_equal_bytes_in_any_locale_from_plain_or_pinned_archives(project, normalize, pin, assign):
    """The rest of params.yaml and datasets.yaml does not matter."""
    first = normalize()
    for name in ROLES.values():
        (project / name).write_bytes(gzip.decompress((project / name).read_bytes()))
    pin()
    assign("params.yaml", "train", "half written")
    assign("datasets.yaml", "mnist", "half written")
    second = normalize(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (second.code, second.stderr) == (0, "")
    assert "1 \\xc4rmel" in second.stdout
    made = [{name: data for name, data in run.after.items() if name.startswith("data/")} for run in (first, second)]
    assert made[0] == made[1] and len(made[0]) == 5


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        (CLASSES, b"[]", ""),
        (TEST_IMAGES, idx(2, 2, 3, values=range(11)), "cut short (expected 12 bytes of values, got 11)"),
        (TEST_LABELS, idx(3, values=[0, 1, 0]), "images and labels differ in number (expected 2 labels, got 3)"),
    ],
)
@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("images and labels of different number")
@pytest.mark.fault("labels out of range, a class without images")
def test_a_damaged_file_is_named_and_nothing_is_written(project, normalize, assert_clean_failure, name, data, problem):
    """Outputs of an earlier run stay."""
    (project / "data").mkdir()
    (project / "data" / "classes.json").write_bytes(b"of an earlier run")
    (project / name).write_bytes(data)

    ended = normalize()

    assert ended.stderr.startswith(f"error: {name}: {problem}")
    assert "; fix: python -m tools.verify" in ended.stderr
    assert_clean_failure(ended, 4, ended.stderr.strip())


@pytest.mark.fault("images that show nothing")
def test_pictures_that_show_nothing_are_a_problem_of_their_folder(project, normalize, assert_clean_failure):
    (project / TEST_IMAGES).write_bytes(idx(2, 2, 3, values=bytes(12)))
    what = "every pixel of every image has the same value (expected different values, got only the value 0)"

    assert_clean_failure(normalize(), 4, f"error: pictures: {what}; fix: use other pictures, then dvc repro")


def test_pinned_archives_are_hashed_before_they_are_parsed(project, normalize, pin, assert_clean_failure):
    """Junk of the same length or not, and other pictures that are sound."""
    pin()
    old = {name: (project / name).read_bytes() for name in (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES)}
    new = dict(zip(old, (old[TRAIN_IMAGES][:-1] + b"x", b"junk", images([*TEST[::-1]])), strict=True))
    for name, body in new.items():
        (project / name).write_bytes(body)

    def shown(body):
        return f"{len(body)} bytes with SHA-256 {hashlib.sha256(body).hexdigest()}"

    fix = "python -m tools.verify, then the command that it prints; if it prints none, dvc repro"
    lines = [
        f"error: {name}: not the archive of datasets.yaml (expected {shown(old[name])}, got {shown(new[name])}); "
        f"fix: {fix}"
        for name in old
    ]
    assert_clean_failure(normalize(), 4, *lines)


def test_archives_that_were_pinned_although_wrong_are_not_called_damaged(project, normalize, pin, assert_clean_failure):
    """They are as the entry says, to the byte: tools.verify would find nothing."""
    (project / TRAIN_LABELS).write_bytes(idx(3, values=[1, 2, 1]))
    pin()

    ended = normalize()

    file = TRAIN_LABELS.removeprefix("raw/")
    assert ended.stderr.startswith(f"error: datasets.yaml: tiny.archives.train_labels: {file}: labels start at 1 ")
    assert "verify" not in ended.stderr
    assert_clean_failure(ended, 4, ended.stderr.strip())
