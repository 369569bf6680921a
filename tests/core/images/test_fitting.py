"""Pictures brought to the shape of a data set, against pixels worked out by hand, and what is said about each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.images import fitting
from core.images.decoding import Picture
from tests.layouts import card


@pytest.mark.fault("pictures that are stretched, or thin ones padded to a huge square")
def test_a_picture_is_padded_by_its_border_and_never_stretched():
    wide = np.array([[9, 9, 9, 9], [9, 200, 200, 9]], np.uint8)

    assert fitting.fitted(wide, (5, 4)).tolist() == [[9] * 4, [9] * 4, [9, 200, 200, 9], [9] * 4, [9] * 4]


@pytest.mark.fault("pictures that are stretched, or thin ones padded to a huge square")
def test_colours_are_padded_by_the_colour_of_the_border():
    """Of ten outermost pixels, a corner counted twice, most are orange; each channel is resized like a grey picture."""
    wide = np.full((2, 4, 3), [250, 120, 10], np.uint8)
    wide[1, 1:3] = [1, 2, 200]

    padded = fitting.fitted(wide, (5, 4))

    assert padded[1:3].tolist() == wide.tolist()
    assert padded[[0, 3, 4]].tolist() == [[[250, 120, 10]] * 4] * 3
    large = np.random.RandomState(0).randint(0, 256, (40, 90, 3), np.uint8)
    channels = [fitting.fitted(large[..., channel], (12, 18)) for channel in range(3)]
    assert fitting.fitted(large, (12, 18)).tolist() == np.dstack(channels).tolist()


@pytest.mark.parametrize(
    ("size", "shape", "rows", "columns"),
    [
        ((6, 10), (4, 4), slice(0, 6), slice(2, 8)),
        ((10, 6), (4, 4), slice(2, 8), slice(0, 6)),
        ((10, 6), (2, 4), slice(3, 6), slice(0, 6)),
        ((6, 10), (3, 5), slice(0, 6), slice(0, 10)),
        ((1, 300), (28, 28), slice(0, 1), slice(149, 150)),
    ],
)
def test_the_middle_of_a_picture_is_cropped_to_other_proportions(size, shape, rows, columns):
    values = np.arange(size[0] * size[1] * 3, dtype=np.uint32).astype(np.uint8).reshape(*size, 3)

    assert fitting.cropped(values, shape).tolist() == values[rows, columns].tolist()
    assert fitting.cropped(values[..., 0], shape).tolist() == values[rows, columns, 0].tolist()


def test_a_large_picture_is_averaged_not_sampled():
    """Every other column of a fine grid would be all black or all white."""
    grid = np.zeros((256, 256), np.uint8)
    grid[:, ::2] = 255

    small = fitting.fitted(grid, (16, 16))

    assert abs(small[:, 1:-1].astype(float) - 127.5).max() < 3


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    value=st.integers(0, 255),
)
def test_a_picture_of_one_value_keeps_it_in_any_shape(size, shape, value):
    result = fitting.fitted(np.full(size, value, np.uint8), shape)

    assert (result.dtype, result.shape) == (np.uint8, shape)
    assert (result == value).all()


@pytest.mark.fault("dark on light, where the training images are light on dark, or the other way round")
def test_light_and_dark_are_exchanged_if_asked_or_if_the_border_is_light():
    light = np.array([[255, 250, 255], [255, 0, 255], [255, 255, 20]], np.uint8)
    exchanged = [[0, 5, 0], [0, 255, 0], [0, 0, 235]]

    for values, choice, expected, note in [
        (light, "auto", exchanged, "inverted, as the border is light (255 of 255)"),
        (255 - light, "auto", exchanged, ""),
        (light, "yes", exchanged, "inverted, as asked"),
        (light, "no", light.tolist(), ""),
    ]:
        result, said = fitting.inverted(values, choice)
        assert (result.tolist(), said) == (expected, note)


def picture(values, *notes, mode=None):
    return Picture(Image.fromarray(values) if mode is None else Image.fromarray(values).convert(mode), notes)


RED = np.full((4, 6, 3), [200, 10, 30], np.uint8)
DARK, LIGHT = np.full((4, 6), 9, np.uint8), np.full((4, 6), 240, np.uint8)
THROUGH = np.dstack([RED, np.full((4, 6), 0, np.uint8)])


@pytest.mark.parametrize(
    ("given", "shape", "keys", "notes"),
    [
        (picture(RED), (4, 6, 3), {}, []),
        (picture(RED), (4, 6, 3), {"invert": "yes"}, []),
        (
            picture(RED, "turned upright by an orientation tag"),
            (4, 6),
            {},
            ["turned upright by an orientation tag", "made grey"],
        ),
        (picture(np.dstack([DARK] * 3)), (4, 6), {}, []),
        (picture(DARK), (4, 6), {"invert": "auto"}, []),
        (picture(DARK), (4, 6), {"invert": "yes"}, ["inverted, as asked"]),
        (picture(LIGHT), (4, 6), {"invert": "auto"}, ["inverted, as the border is light (240 of 255)"]),
        (picture(LIGHT), (4, 6, 3), {"invert": "auto"}, ["made colour"]),
        (picture(LIGHT, mode="1"), (4, 6, 3), {}, ["made colour"]),
        (picture(LIGHT, mode="RGBA"), (4, 6), {}, []),
        (picture(THROUGH), (4, 6, 3), {"background": 7}, ["laid on 7 of 255 where transparent"]),
        (picture(THROUGH), (4, 6), {"background": 7}, ["laid on 7 of 255 where transparent"]),
        (picture(RED), (2, 3, 3), {}, ["resized (6x4)"]),
        (picture(RED), (2, 3, 3), {"fit": "crop"}, ["resized (6x4)"]),
        (picture(RED), (8, 8, 3), {}, ["resized (6x4)", "padded"]),
        (picture(RED), (8, 8, 3), {"fit": "crop"}, ["resized (6x4)", "cropped"]),
        (picture(RED), (6, 6, 3), {}, ["padded (6x4)"]),
        (picture(RED), (5, 7, 3), {}, ["resized (6x4)"]),
        (picture(RED), (4, 4, 3), {"fit": "crop"}, ["cropped (6x4)"]),
        (picture(RED), (1, 2, 3), {}, ["resized (6x4)"]),
        (picture(np.full((7, 1), 9, np.uint8)), (2, 20), {"fit": "crop"}, ["resized (1x7)", "cropped", "padded"]),
        (
            picture(LIGHT, mode="RGB"),
            (8, 8),
            {"invert": "auto", "fit": "crop"},
            ["inverted, as the border is light (240 of 255)", "resized (6x4)", "cropped"],
        ),
    ],
)
def test_what_was_done_to_a_picture_is_said(given, shape, keys, notes):
    fitted = fitting.fit(given, shape, card(**keys))

    assert list(fitted.notes) == notes
    assert (fitted.values.dtype, fitted.values.shape) == (np.uint8, shape)


def test_a_picture_of_the_right_kind_and_size_keeps_its_bytes():
    grey = np.random.RandomState(0).randint(0, 256, (5, 7), np.uint8)
    colours = np.random.RandomState(1).randint(0, 256, (5, 7, 3), np.uint8)

    for values in (grey, colours):
        for keys in ({}, {"fit": "crop", "background": 0}):
            values_, notes, source = fitting.fit(picture(values), values.shape, card(**keys))
            assert values_.tobytes() == source.tobytes() == values.tobytes() and notes == ()


def test_the_source_is_the_whole_picture_before_it_was_inverted_or_resized():
    """In the channels of the data set, on its background."""
    luminance = np.asarray(Image.fromarray(RED).convert("L"))

    assert fitting.fit(picture(RED), (2, 2), card(invert="yes", fit="crop")).source.tolist() == luminance.tolist()
    assert fitting.fit(picture(DARK), (2, 2, 3), card()).source.tolist() == np.dstack([DARK] * 3).tolist()
    assert (fitting.fit(picture(THROUGH), (2, 2, 3), card(background=7)).source == 7).all()


def test_a_cropped_picture_has_no_border_and_a_padded_one_keeps_its_sides():
    """Red in the middle, blue at both ends."""
    wide = np.full((4, 12, 3), [0, 0, 250], np.uint8)
    wide[:, 4:8] = [250, 0, 0]

    cropped, padded = (fitting.fit(picture(wide), (4, 4, 3), card(fit=each)).values for each in ("crop", "pad"))

    assert (cropped == [250, 0, 0]).all()
    assert (padded[[0, 2, 3]] == [0, 0, 250]).all() and padded[1, 0].tolist() == [0, 0, 250]
    assert padded[1, 1, 0] > 100 and padded[1, 2, 0] > 100
