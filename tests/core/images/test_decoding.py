"""Image files of all kinds, spelt out or written by Pillow, against pixels worked out by hand."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from core.cli.errors import DataError
from core.images import decoding, pixels
from tests.layouts import picture

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


def grey(data, background=255):
    return pixels.grey(decoding.decode(data, "a.png").image, background)


def refusal(data):
    with pytest.raises(DataError) as caught:
        decoding.decode(data, "a.png")
    (problem,) = caught.value.problems
    assert str(problem).startswith("a.png: ") and "0x" not in problem.got
    return problem


@pytest.mark.fault("turned by its tag, a tag that can't be read")
def test_a_picture_is_turned_by_its_orientation_tag():
    """The tag says where row 0 and column 0 are shown (Exif 2.32): 6 is the right side and the top."""
    for orientation, upright, notes in (
        (1, SMALL.tolist(), ()),
        (6, [[4, 1], [5, 2], [6, 3]], ("turned upright by an orientation tag",)),
        (9, SMALL.tolist(), ()),
    ):
        tags = Image.Exif()
        tags[274] = orientation
        turned = decoding.decode(picture(SMALL, exif=tags), "a.png")
        assert (pixels.grey(turned.image, 0).tolist(), turned.notes) == (upright, notes)
    assert grey(png(1, 1, 8, GREY, b"\0\x07", (b"eXIf", b"II*\0\xff\xff\xff\xff"))).tolist() == [[7]]


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"xmp": b'<x tiff:Orientation="6"/>'}), ("WEBP", {"lossless": True, "xmp": b"tiff:Orientation>6<"})],
)
@pytest.mark.fault("turned by its tag, a tag that can't be read")
def test_the_orientation_may_be_in_xmp(kind, options):
    assert decoding.decode(picture(SMALL, kind, **options), "a").notes == ("turned upright by an orientation tag",)


@pytest.mark.fault("a PNG with a wrong checksum, whose pixels can be decompressed")
def test_the_checksums_of_a_png_count():
    data = bytearray(picture(SMALL))
    data[data.index(b"IEND") - 5] ^= 1  # the last byte of the checksum of the pixels

    assert "checksum" in refusal(bytes(data)).got


def test_warnings_of_pillow_are_not_shown():
    """An animation of 0 frames is one of the faults that do not count."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        read = decoding.decode(png(1, 1, 8, GREY, b"\0\x07", (b"acTL", bytes(8))), "a.png")

    assert (shown, np.asarray(read.image).tolist()) == ([], [[7]])


@pytest.mark.fault("several frames")
def test_the_first_of_several_frames_is_read():
    data = picture(SMALL, "PNG", save_all=True, append_images=[Image.fromarray(SMALL[::-1])])

    read = decoding.decode(data, "a.png")

    assert read.notes == ("cut to the first frame (of 2)",)
    assert pixels.grey(read.image, 0).tolist() == SMALL.tolist()


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n", picture(SMALL, "TIFF")],
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


@pytest.mark.parametrize("kind", decoding.FORMATS)
@pytest.mark.fault("a file that was cut, or of which a byte is another, a palette that is missing")
def test_a_picture_that_was_cut_is_refused(kind):
    data = picture(PICTURE, kind)
    for length in (*range(0, len(data) - 40, 7), len(data) - 40):
        with pytest.raises(DataError):
            decoding.decode(data[:length], "a.png")


@pytest.mark.fault("a pipe, a device")
@pytest.mark.fault("a file too large")
def test_only_small_regular_files_are_opened(tmp_path, monkeypatch):
    """Opening a pipe would block."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").write_bytes(b"12")
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "broken.png").symlink_to("nowhere")

    assert decoding.read(tmp_path / "link.png") == b"12"
    for name, what in (("pipe", "not a regular file"), ("", "not a regular file"), ("broken.png", "No such file")):
        with pytest.raises(DataError, match=what):
            decoding.read(tmp_path / name)
    monkeypatch.setattr(decoding, "MOST_FILE_BYTES", 1)
    with pytest.raises(DataError, match="too large a file"):
        decoding.read(tmp_path / "a.png")
    assert refusal(b"12").what == "too large a file"
