"""Image files of all kinds, spelt out or written by Pillow, against pixels worked out by hand."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.cli.errors import DataError
from core.formats import image_file

GREY, RGB, PALETTE, GREY_ALPHA = 0, 2, 3, 4
SMALL = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


def png(width, height, bits, kind, pixels, *chunks):
    """A PNG by its specification; `pixels` are its rows, each after a byte 0, for no filter."""
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    listed = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    body = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in listed
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def encoded(array, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def grey(data, background=255):
    return image_file.grey(image_file.decode(data, "a.png").image, background)


def refusal(data):
    with pytest.raises(DataError) as caught:
        image_file.decode(data, "a.png")
    (problem,) = caught.value.problems
    assert str(problem).startswith("a.png: ") and "0x" not in problem.got
    return problem


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_grey_pictures_come_through_byte_for_byte(kind, options):
    assert grey(encoded(SMALL, kind, **options)).tolist() == SMALL.tolist()


def test_colours_become_luminance():
    """0.299, 0.587 and 0.114 of the three (ITU-R 601)."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)

    assert grey(encoded(colours)).tolist() == [[76, 150, 29, 9]]


@pytest.mark.fault("16 bits, colours for print")
def test_16_bits_are_divided_by_257_and_of_colours_the_upper_8_count():
    row = struct.pack(">6H", 0, 128, 129, 385, 25700, 65535)
    assert grey(png(6, 1, 16, GREY, b"\0" + row)).tolist() == [[0, 0, 1, 1, 100, 255]]

    row = struct.pack(">6H", *[0x0A0A] * 3, *[65535] * 3)
    assert grey(png(2, 1, 16, RGB, b"\0" + row)).tolist() == [[10, 255]]


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
    assert grey(data, background=100).tolist() == [expected]


@pytest.mark.fault("turned by its tag, a tag that can't be read")
def test_a_picture_is_turned_by_its_orientation_tag():
    """The tag says where row 0 and column 0 are shown (Exif 2.32): 6 is the right side and the top."""
    for orientation, upright, notes in (
        (1, SMALL.tolist(), ()),
        (6, [[4, 1], [5, 2], [6, 3]], ("turned by its orientation tag",)),
        (9, SMALL.tolist(), ()),
    ):
        tags = Image.Exif()
        tags[274] = orientation
        picture = image_file.decode(encoded(SMALL, exif=tags), "a.png")
        assert (image_file.grey(picture.image, 0).tolist(), picture.notes) == (upright, notes)
    assert grey(png(1, 1, 8, GREY, b"\0\x07", (b"eXIf", b"II*\0\xff\xff\xff\xff"))).tolist() == [[7]]


@pytest.mark.fault("several frames")
def test_the_first_of_several_frames_is_read():
    data = encoded(SMALL, "PNG", save_all=True, append_images=[Image.fromarray(SMALL[::-1])])

    picture = image_file.decode(data, "a.png")

    assert picture.notes == ("the first of 2 frames",)
    assert image_file.grey(picture.image, 0).tolist() == SMALL.tolist()


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n", encoded(SMALL, "TIFF")],
    ids=["empty", "svg", "eps", "tiff"],
)
@pytest.mark.fault("no picture, empty, SVG or EPS by another name")
def test_other_files_are_refused_whatever_their_name(data):
    problem = refusal(data)

    assert problem.what == ("not a supported picture" if data else "not a picture")
    assert problem.expected == "a PNG, JPEG, WebP or BMP file"


@pytest.mark.fault("a claim of more pixels than memory should hold, of PNG or WebP")
def test_a_claim_of_too_many_pixels_is_refused_before_decoding():
    """7072 x 7072 is 50,013,184. There are pixels for one row only, so decoding would raise another error."""
    problem = refusal(png(7_072, 7_072, 8, GREY, b"\0" * 7_073))

    assert (problem.what, problem.expected) == ("too large a picture", "at most 50000000 pixels")


@pytest.mark.fault("a text that unpacks to more than it should")
def test_a_text_that_unpacks_to_ten_megabytes_is_refused():
    bomb = (b"zTXt", b"k\0\0" + zlib.compress(bytes(10_000_000)))

    assert refusal(png(1, 1, 8, GREY, b"\0\x07", bomb)).what == "a damaged picture"


@pytest.mark.fault("16 bits, colours for print")
def test_colours_for_print_transparent_colours_of_16_bits_and_a_missing_palette_are_refused():
    stream = io.BytesIO()
    Image.new("CMYK", (2, 2)).save(stream, "JPEG")
    colour = (b"tRNS", struct.pack(">3H", 1, 2, 3))

    assert refusal(png(1, 1, 8, PALETTE, b"\0\0")).got == "none"
    assert refusal(stream.getvalue()).what == "colours for print"
    assert refusal(png(1, 1, 16, RGB, b"\0" + bytes(6), colour)).what == "a transparent colour of 16 bits"


PICTURE = np.random.RandomState(0).randint(0, 256, (28, 28), np.uint8)


@pytest.mark.parametrize("kind", image_file.FORMATS)
@pytest.mark.fault("a file that was cut, or of which a byte is another, a palette that is missing")
def test_a_picture_that_was_cut_is_refused(kind):
    data = encoded(PICTURE, kind)
    for length in (*range(0, len(data) - 40, 7), len(data) - 40):
        with pytest.raises(DataError):
            image_file.decode(data[:length], "a.png")


@pytest.mark.fault("a pipe, a device")
@pytest.mark.fault("a file too large")
def test_only_small_regular_files_are_opened(tmp_path, monkeypatch):
    """Opening a pipe would block."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").write_bytes(b"12")
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "broken.png").symlink_to("nowhere")

    assert image_file.read(tmp_path / "link.png") == b"12"
    for name, what in (("pipe", "not a regular file"), ("", "not a regular file"), ("broken.png", "No such file")):
        with pytest.raises(DataError, match=what):
            image_file.read(tmp_path / name)
    monkeypatch.setattr(image_file, "MOST_FILE_BYTES", 1)
    with pytest.raises(DataError, match="too large a file"):
        image_file.read(tmp_path / "a.png")
    assert refusal(b"12").what == "too large a file"


@pytest.mark.fault("pictures that are stretched, or thin ones padded to a huge square")
def test_a_picture_is_padded_by_its_border_and_never_stretched():
    wide = np.array([[9, 9, 9, 9], [9, 200, 200, 9]], np.uint8)

    assert image_file.fitted(wide, (5, 4)).tolist() == [[9] * 4, [9] * 4, [9, 200, 200, 9], [9] * 4, [9] * 4]


def test_a_large_picture_is_averaged_not_sampled():
    """Every other column of a fine grid would be all black or all white."""
    grid = np.zeros((256, 256), np.uint8)
    grid[:, ::2] = 255

    small = image_file.fitted(grid, (16, 16))

    assert abs(small[:, 1:-1].astype(float) - 127.5).max() < 3


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    value=st.integers(0, 255),
)
def test_a_picture_of_one_value_keeps_it_in_any_shape(size, shape, value):
    result = image_file.fitted(np.full(size, value, np.uint8), shape)

    assert (result.dtype, result.shape) == (np.uint8, shape)
    assert (result == value).all()


@pytest.mark.fault("dark on light, where the training images are light on dark, or the other way round")
def test_light_and_dark_are_exchanged_if_asked_or_if_the_border_is_light():
    light = np.array([[255, 250, 255], [255, 0, 255], [255, 255, 20]], np.uint8)
    exchanged = [[0, 5, 0], [0, 255, 0], [0, 0, 235]]

    for values, choice, background, expected, note in [
        (light, "auto", 0, exchanged, "inverted, as its border is light (255 of 255)"),
        (light, "auto", 255, light.tolist(), "not inverted, as its border is light (255 of 255)"),
        (255 - light, "auto", 0, exchanged, "not inverted, as its border is dark (0 of 255)"),
        (255 - light, "auto", 255, light.tolist(), "inverted, as its border is dark (0 of 255)"),
        (light, "yes", 0, exchanged, "inverted, as invert is yes"),
        (light, "no", 0, light.tolist(), "not inverted, as invert is no"),
    ]:
        result, said = image_file.inverted(values, choice, background)
        assert (result.tolist(), said) == (expected, note)


def test_boxes_hold_the_subject_exactly():
    images = np.full((3, 6, 9), 200, np.uint8)
    images[0, 1:4, 2:8] = 255 - 100
    images[1, 5, 8] = 233  # in a corner, just enough lighter
    images[2, 2, 2] = 232  # not enough

    assert image_file.boxes(images).tolist() == [[1, 2, 4, 8], [5, 8, 6, 9], [0, 0, 6, 9]]


def test_a_border_is_the_median_over_all_four_sides():
    """Of 20 outermost pixels, each corner counted twice, 8 are 10, 4 are 20 and 8 are 30."""
    image = np.array([[10] * 6, [20, 99, 99, 99, 99, 20], [20, 99, 99, 99, 99, 20], [30] * 6], np.uint8)

    assert image_file.border(image) == image_file.border(image[::-1]) == image_file.border(image.T) == 20
    assert image_file.borders(np.stack([image, 255 - image])).tolist() == [20, 235]


def test_a_placed_picture_has_room_around_it():
    subject = np.arange(200, 208, dtype=np.uint8).reshape(4, 2)
    light = np.full((4, 2), 200, np.uint8)

    for shape, room in [((8, 11), (4, 6)), ((8, 11), (9, 2))]:
        expected = np.pad(subject, [(2, 2), (4, 5)], constant_values=7)
        assert image_file.placed(subject, shape, room, 7).tolist() == expected.tolist()
    larger = np.pad(np.full((6, 3), 200), [(1, 1), (4, 4)], constant_values=7)
    assert image_file.placed(light, (8, 11), (8, 3), 7).tolist() == larger.tolist()
