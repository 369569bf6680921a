"""Pixels brought to [0, 1], and what may be wrong with images and labels."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stages.arrays import Split
from stages.command import DataError
from stages.normalize import scaling

PATH = Path("data/raw/archive.gz")
FIX = "fix: bring other archives, or correct the entry in datasets.yaml, then dvc repro"
EVERY_VALUE = np.arange(256, dtype=np.uint8)
PICTURES = np.array([[[0, 1], [2, 3]], [[0, 0], [0, 255]]], np.uint8)


def line(check, *arguments, **settings):
    """Return the line that refuses what is checked."""
    with pytest.raises(DataError) as caught:
        check(*arguments, **settings)
    return str(caught.value)


def test_every_value_is_the_float32_nearest_to_its_255th():
    """Held against exact fractions: neither neighbour of the float32 is nearer to value / 255."""
    scaled = scaling.scale(EVERY_VALUE)

    assert scaled.dtype == np.float32
    for value, result in zip(EVERY_VALUE, scaled, strict=True):
        exact = Fraction(int(value), 255)
        neighbours = [np.nextafter(result, np.float32(bound), dtype=np.float32) for bound in (-1, 2)]
        distances = [abs(Fraction(float(candidate)) - exact) for candidate in (result, *neighbours)]
        assert distances[0] == min(distances)


def test_the_ends_are_exact_and_the_order_is_kept():
    scaled = scaling.scale(EVERY_VALUE)

    assert (scaled[0], scaled[255]) == (0.0, 1.0)
    assert (np.diff(scaled) > 0).all()
    assert scaled[51] == np.float32(0.2)


def test_scaling_keeps_the_shape_and_the_images():
    images = PICTURES.copy()

    scaled = scaling.scale(images)

    assert scaled.tolist() == (PICTURES.astype(np.float64) / 255).astype(np.float32).tolist()
    assert np.array_equal(images, PICTURES)


def scaled(*blocks):
    return list(scaling.scaled(blocks, PATH))


def test_images_of_the_shape_that_show_something_pass():
    scaling.check_shape((5, 2, 3), PATH, expected=(2, 3))
    scaling.check_shape((1, 1, 3), PATH, expected=(1, 3))
    assert len(scaled(np.array([[[7, 7, 8]]], np.uint8))) == 1


def test_blocks_are_scaled_one_by_one_and_may_be_constant_each():
    """Black images, then white ones: together they show something."""
    black, white = scaled(np.zeros((2, 1, 2), np.uint8), np.full((1, 1, 2), 255, np.uint8))

    assert (black.tolist(), white.tolist()) == ([[[0, 0]], [[0, 0]]], [[[1, 1]]])
    assert black.dtype == np.float32


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 1, 6), (2, 2, 2), (0, 2, 3)])
def test_images_of_another_shape_or_none_are_refused(shape):
    assert line(scaling.check_shape, shape, PATH, expected=(2, 3)) == (
        f"data/raw/archive.gz: not the images of datasets.yaml (expected (n, 2, 3), n >= 1, got {shape}); {FIX}"
    )


def test_14_by_56_is_not_28_by_28():
    """As many pixels, so nothing later would notice."""
    assert "got (1, 14, 56)" in line(scaling.check_shape, (1, 14, 56), PATH, expected=(28, 28))


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_images_are_refused(value):
    image = np.full((1, 2, 2), value, np.uint8)

    assert line(scaled, image, image, image) == (
        "data/raw/archive.gz: every pixel of every image is the same "
        f"(expected pictures, got only the value {value}); {FIX}"
    )


def test_labels_of_every_class_pass():
    scaling.check_labels(np.array([1, 0, 1], np.uint8), PATH, images=3, classes=["hat", "shoe"])
    scaling.check_labels(EVERY_VALUE, PATH, images=256, classes=[str(value) for value in range(256)])


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ([0, 1, 0], "images and labels differ in number (expected 4 labels, got 3)"),
        ([0, 1, 0, 1, 1], "images and labels differ in number (expected 4 labels, got 5)"),
        ([], "images and labels differ in number (expected 4 labels, got 0)"),
        ([0, 1, 2, 3], "label 2 is out of range (expected 0 to 1, got 2)"),
        ([0, 1, 0, 255], "label 3 is out of range (expected 0 to 1, got 255)"),
        ([0, 0, 0, 0], "no image of class shoe (expected at least one of each class, got counts [4, 0])"),
        ([1, 1, 1, 1], "no image of class hat (expected at least one of each class, got counts [0, 4])"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, what):
    labels = np.array(labels, np.uint8)

    assert line(scaling.check_labels, labels, PATH, images=4, classes=["hat", "shoe"]) == (
        f"data/raw/archive.gz: {what}; {FIX}"
    )


def test_a_summary_has_shape_type_range_and_images_per_class():
    split = Split(np.array([[[0.25, 0.5]], [[0, 0.75]], [[0, 0]]], np.float32), np.array([1, 1, 0], np.uint8))

    assert scaling.summary("test", split, ["hat", "shoe"]) == "test: (3, 1, 2) float32 in [0, 0.75]\n  1 hat, 2 shoe"
