"""The stage normalize by its command line, on a data set of a few images made by hand."""

import shutil

import numpy as np
import pytest

TRAIN = [[[0, 51, 102], [153, 204, 255]], [[255, 0, 0], [0, 0, 0]], [[1, 2, 3], [4, 5, 6]]]
TEST = [[[0, 0, 0], [0, 0, 85]], [[170, 0, 0], [0, 0, 0]]]
VALIDATION = [[[9, 9, 9], [9, 9, 9]]]
CLASSES = "raw/classes.json"
OUTPUTS = ["data/train", "data/test", "data/classes.json"]
MADE = {f"data/{split}/{kind}.npy" for split in ("train", "test") for kind in ("images", "labels")} | {OUTPUTS[2]}


def colours(images):
    """Return images in colour whose red is these grey values, with other green and blue."""
    return np.stack([np.uint8(images), 255 - np.uint8(images), np.uint8(images) // 2], axis=-1)


@pytest.fixture
def put(tmp_path):
    """A function that writes a split as `download` does."""

    def put(split, images, labels):
        folder = tmp_path / "raw" / split
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "images.npy", np.uint8(images))
        np.save(folder / "labels.npy", np.uint8(labels))

    return put


@pytest.fixture
def normalize(tmp_path, run_stage, put):
    """A function that runs the stage on two splits in `raw`."""
    put("train", TRAIN, [1, 0, 1])
    put("test", TEST, [0, 1])
    (tmp_path / CLASSES).write_text('["Ärmel", "Hut"]', encoding="utf-8")

    def normalize(**environment):
        return run_stage("stages.normalize", "raw", *OUTPUTS, **environment)

    return normalize


def test_pixels_are_255ths_and_labels_and_classes_are_kept(tmp_path, normalize):
    ended = normalize()

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == (
        "train: (3, 2, 3) float32 in [0, 1]\n  1 Ärmel, 2 Hut\n"
        "test: (2, 2, 3) float32 in [0, 0.666667]\n  1 Ärmel, 1 Hut\n"
    )
    assert set(ended.after) - set(ended.before) == MADE
    for split, images, classes in (("train", TRAIN, [1, 0, 1]), ("test", TEST, [0, 1])):
        scaled = np.load(tmp_path / "data" / split / "images.npy")
        labels = np.load(tmp_path / "data" / split / "labels.npy")
        assert (scaled.dtype, labels.dtype) == (np.float32, np.uint8)
        assert scaled.tolist() == (np.array(images, np.float64) / 255).astype(np.float32).tolist()
        assert labels.tolist() == classes
    assert scaled[0, 1, 2] == np.float32(1 / 3)
    assert (tmp_path / "data" / "classes.json").read_bytes() == '[\n  "Ärmel",\n  "Hut"\n]\n'.encode()


def test_colours_and_an_official_validation_split_are_scaled_too(tmp_path, normalize, put):
    """The validation images lie beside the training images, so that one output has both."""
    for split, images, labels in (("train", TRAIN, [1, 0, 1]), ("test", TEST, [0, 1]), ("validation", VALIDATION, [1])):
        put(split, colours(images), labels)

    ended = normalize()

    assert (ended.code, ended.stderr) == (0, "")
    assert "validation: (1, 2, 3, 3) float32 in [0.0156863, 0.964706]\n  0 Ärmel, 1 Hut\n" in ended.stdout
    validation = {"data/train/validation/images.npy", "data/train/validation/labels.npy"}
    assert set(ended.after) - set(ended.before) == MADE | validation
    for folder, images in (("train", TRAIN), ("test", TEST), ("train/validation", VALIDATION)):
        scaled = np.load(tmp_path / "data" / folder / "images.npy")
        assert scaled.dtype == np.float32
        assert scaled.tolist() == (colours(images).astype(np.float64) / 255).astype(np.float32).tolist()
    assert np.load(tmp_path / "data/train/validation/labels.npy").tolist() == [1]

    shutil.rmtree(tmp_path / "raw/validation")
    assert not [name for name in normalize().after if name.startswith("data/train/validation")]


def test_equal_arrays_give_equal_bytes_in_any_locale(normalize):
    first = normalize()
    second = normalize(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (second.code, second.stderr) == (0, "")
    assert "1 \\xc4rmel" in second.stdout
    assert second.after == first.after


@pytest.mark.parametrize(
    ("name", "damage", "problem"),
    [
        (CLASSES, lambda data: b"[]", "damaged: "),
        ("raw/train/images.npy", lambda data: data.replace(b"|u1", b"|i1"), "not the expected array "),
        ("raw/test/labels.npy", lambda data: data[:-1] + b"\2", "a label without a class (expected 0 to 1, got 2)"),
    ],
)
@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("arrays in data/raw that are damaged")
def test_a_damaged_file_is_named_and_nothing_is_written(
    tmp_path, normalize, assert_clean_failure, name, damage, problem
):
    """Outputs of an earlier run stay."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "classes.json").write_bytes(b"of an earlier run")
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))

    ended = normalize()

    assert ended.stderr.startswith(f"error: {name}: {problem}")
    assert "; fix: python -m tools.verify" in ended.stderr
    assert_clean_failure(ended, 4, ended.stderr.strip())


def test_a_missing_split_is_no_empty_one(tmp_path, normalize, assert_clean_failure):
    (tmp_path / "raw/test/images.npy").unlink()

    ended = normalize()

    assert ended.stderr.startswith("error: raw/test/images.npy: ")
    assert_clean_failure(ended, 1, ended.stderr.strip())
