"""Grey values and colours of pictures, spelt out or written by Pillow, against pixels worked out by hand."""

import struct

import numpy as np
import pytest
from PIL import Image

from core.images import decoding, pixels
from tests.core.images.test_decoding import GREY, GREY_ALPHA, PALETTE, RGB, grey, png
from tests.layouts import picture

RGB_ALPHA = 6
COLOURS = np.random.RandomState(0).randint(0, 256, (16, 12, 3), np.uint8)


def colour(data, background=255):
    return pixels.colour(decoding.decode(data, "a.png").image, background)


def test_colours_become_luminance():
    """0.299, 0.587 and 0.114 of the three (ITU-R 601)."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)

    assert grey(picture(colours)).tolist() == [[76, 150, 29, 9]]


@pytest.mark.fault("16 bits, colours for print")
def test_16_bits_are_divided_by_257_and_of_colours_the_upper_8_count():
    row = struct.pack(">6H", 0, 128, 129, 385, 25700, 65535)
    assert grey(png(6, 1, 16, GREY, b"\0" + row)).tolist() == [[0, 0, 1, 1, 100, 255]]

    row = struct.pack(">6H", *[0x0A0A] * 3, *[65535] * 3)
    assert grey(png(2, 1, 16, RGB, b"\0" + row)).tolist() == [[10, 255]]

    row = struct.pack(">6H", 0x0AFF, 0xC800, 0x1234, 0, 65535, 256)
    assert colour(png(2, 1, 16, RGB, b"\0" + row)).tolist() == [[[0x0A, 0xC8, 0x12], [0, 255, 1]]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(2, 1, 8, GREY_ALPHA, b"\0\x00\x33\xff\x33"), [80, 131]),
        (png(2, 1, 8, GREY, b"\0\x05\x06", (b"tRNS", struct.pack(">H", 5))), [100, 6]),
        (png(4, 1, 2, GREY, b"\0\x1b", (b"tRNS", struct.pack(">H", 1))), [0, 100, 170, 255]),
        (png(4, 1, 4, GREY, b"\0\x0f\x71", (b"tRNS", struct.pack(">H", 7))), [0, 255, 100, 17]),
        (png(2, 1, 16, GREY, b"\0\x01\x01\xff\xff", (b"tRNS", struct.pack(">H", 257))), [100, 255]),
        (png(2, 1, 8, RGB, b"\0\5\5\5\6\6\6", (b"tRNS", struct.pack(">3H", 5, 5, 5))), [100, 6]),
        (png(2, 1, 8, PALETTE, b"\0\0\1", (b"PLTE", b"\x0a\x0a\x0a\x14\x14\x14"), (b"tRNS", b"\xff\x00")), [10, 100]),
        (png(2, 1, 8, PALETTE, b"\0\0\1", (b"PLTE", b"\x0a\x0a\x0a\x14\x14\x14")), [10, 20]),
    ],
)
@pytest.mark.fault("alpha, transparent colours and palettes")
def test_transparent_pixels_show_the_background(data, expected):
    """In grey values and in colours, which are equal here."""
    assert grey(data, background=100).tolist() == [expected]
    assert colour(data, background=100).tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(2, 1, 8, RGB, b"\0\1\2\3\xff\0\x80"), [[1, 2, 3], [255, 0, 128]]),
        (png(2, 1, 8, RGB_ALPHA, b"\0\1\2\3\xff\xff\0\x80\x33"), [[1, 2, 3], [131, 80, 106]]),  # a fifth of it
        (png(2, 1, 8, RGB, b"\0\1\2\3\4\5\6", (b"tRNS", struct.pack(">3H", 4, 5, 6))), [[1, 2, 3], [100] * 3]),
        (png(2, 1, 8, PALETTE, b"\0\1\0", (b"PLTE", b"\1\2\3\4\5\6")), [[4, 5, 6], [1, 2, 3]]),
        (
            png(2, 1, 8, PALETTE, b"\0\1\0", (b"PLTE", b"\1\2\3\4\5\6"), (b"tRNS", b"\xff\x00")),
            [[100] * 3, [1, 2, 3]],
        ),
        (png(2, 1, 1, GREY, b"\0\x40"), [[0] * 3, [255] * 3]),
    ],
    ids=["RGB", "RGBA", "a transparent colour", "palette", "transparent palette", "black and white"],
)
@pytest.mark.fault("alpha, transparent colours and palettes")
def test_colours_come_through_and_transparent_parts_show_the_background(data, expected):
    assert colour(data, background=100).tolist() == [expected]


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_pictures_come_through_byte_for_byte(kind, options):
    assert grey(picture(COLOURS[..., 0], kind, **options)).tolist() == COLOURS[..., 0].tolist()
    assert colour(picture(COLOURS, kind, **options)).tobytes() == COLOURS.tobytes()


def test_images_get_one_channel_or_three():
    """Grey values as Pillow makes them."""
    luminance = np.asarray(Image.fromarray(COLOURS).convert("L"))
    images, grey = np.stack([COLOURS, 255 - COLOURS]), luminance[None]

    assert pixels.with_channels(images, 1)[0].tolist() == luminance.tolist()
    assert pixels.with_channels(grey, 3).tolist() == [np.dstack([luminance] * 3).tolist()]
    assert pixels.with_channels(images, 3) is images and pixels.with_channels(grey, 1) is grey


def test_grey_images_of_three_pixels_width_are_not_taken_for_colours():
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

    assert pixels.with_channels(images, 1) is images
    assert pixels.with_channels(images, 3).tolist() == np.stack([images] * 3, axis=-1).tolist()


def test_a_single_pixel_that_is_not_grey_makes_a_picture_coloured():
    for channel in range(3):
        values = np.full((2, 3, 4, 3), 7, np.uint8)
        assert not pixels.is_coloured(values)
        values[1, 2, 3, channel] = 8
        assert pixels.is_coloured(values)


def test_boxes_hold_the_subject_exactly():
    images = np.full((3, 6, 9), 200, np.uint8)
    images[0, 1:4, 2:8] = 255 - 100
    images[1, 5, 8] = 233  # in a corner, just enough lighter
    images[2, 2, 2] = 232  # not enough

    assert pixels.boxes(images).tolist() == [[1, 2, 4, 8], [5, 8, 6, 9], [0, 0, 6, 9]]


def test_a_border_is_the_median_over_all_four_sides():
    """Of 20 outermost pixels, each corner counted twice, 8 are 10, 4 are 20 and 8 are 30."""
    image = np.array([[10] * 6, [20, 99, 99, 99, 99, 20], [20, 99, 99, 99, 99, 20], [30] * 6], np.uint8)

    assert pixels.border(image) == pixels.border(image[::-1]) == pixels.border(image.T) == 20
    assert pixels.borders(np.stack([image, 255 - image])).tolist() == [20, 235]
