"""Pixels brought to [0, 1], and a split summed up."""

from fractions import Fraction

import numpy as np
import pytest

from core.files.arrays import Split
from stages.normalize import scaling

EVERY_VALUE = np.arange(256, dtype=np.uint8)
PICTURES = np.array([[[0, 1], [2, 3]], [[0, 0], [0, 255]]], np.uint8)


def test_every_value_is_the_float32_nearest_to_its_255th():
    """Held against exact fractions: neither neighbour of the float32 is nearer to value / 255."""
    scaled = scaling.scale(EVERY_VALUE)

    assert scaled.dtype == np.float32
    for value, result in zip(EVERY_VALUE, scaled, strict=True):
        exact = Fraction(int(value), 255)
        neighbours = [np.nextafter(result, np.float32(bound), dtype=np.float32) for bound in (-1, 2)]
        distances = [abs(Fraction(float(candidate)) - exact) for candidate in (result, *neighbours)]
        assert distances[0] == min(distances)


@pytest.mark.fault("pixels that are not in [0, 1] once scaled")
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


def test_a_summary_has_shape_type_range_and_images_per_class():
    split = Split(np.array([[[0.25, 0.5]], [[0, 0.75]], [[0, 0]]], np.float32), np.array([1, 1, 0], np.uint8))

    assert scaling.summary("test", split, ["hat", "shoe"]) == "test: (3, 1, 2) float32 in [0, 0.75]\n  1 hat, 2 shoe"
