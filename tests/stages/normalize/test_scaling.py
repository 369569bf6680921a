"""Pixels scaled to [0, 1], and the summary of a split."""

from fractions import Fraction

import numpy as np
import pytest

from stages.normalize import scaling


@pytest.mark.fault("pixels that are not in [0, 1] once scaled")
def test_every_value_is_the_float32_nearest_to_its_255th():
    """Neither neighbour of the float32 is nearer to the exact fraction."""
    values = np.arange(256, dtype=np.uint8)

    scaled = scaling.scale(values)

    assert (scaled.dtype, scaled[0], scaled[255]) == (np.float32, 0, 1)
    for value, result in zip(values, scaled, strict=True):
        exact = Fraction(int(value), 255)
        neighbours = [np.nextafter(result, np.float32(bound), dtype=np.float32) for bound in (-1, 2)]
        distances = [abs(Fraction(float(candidate)) - exact) for candidate in (result, *neighbours)]
        assert distances[0] == min(distances)
