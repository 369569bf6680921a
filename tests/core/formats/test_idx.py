"""IDX files: the bytes are spelt out from the format's definition, and compressed by gzip itself."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

from core.cli.errors import DataError
from core.formats import idx

MIB = 1 << 20
# Two images of 2 x 3 pixels: zero, zero, uint8, three dimensions; the dimensions; the pixels row by row.
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
PIXELS = bytes([0, 1, 2, 127, 128, 255, 9, 8, 7, 6, 5, 4])
IMAGES = [[[0, 1, 2], [127, 128, 255]], [[9, 8, 7], [6, 5, 4]]]
WHOLE = gzip.compress(HEADER + PIXELS, mtime=0)


def claim(*shape):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.gz"


@pytest.fixture
def refusal(path):
    """A function that returns what is said of a file with the given bytes, which hold no images."""

    def refusal(data):
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            idx.read(path, 3)
        [problem] = caught.value.problems
        assert problem.subject == str(path)
        assert (
            problem.fix == "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
        )
        return problem

    return refusal


def test_images_are_read_row_by_row(path):
    path.write_bytes(WHOLE)

    images = idx.read(path, 3)

    assert images.dtype == np.uint8
    assert images.tolist() == IMAGES


def test_labels_are_read(path):
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255])))

    labels = idx.read(path, 1)

    assert labels.dtype == np.uint8
    assert labels.tolist() == [7, 0, 255]


@pytest.mark.fault("IDX files that are not compressed, whole or damaged")
def test_a_plain_file_is_read_as_well_and_as_strictly(path, refusal):
    path.write_bytes(HEADER + PIXELS)
    assert idx.read(path, 3).tolist() == IMAGES

    assert refusal(HEADER + PIXELS + b"\0").what == "longer than an array of the shape (2, 2, 3)"
    for short in (HEADER + PIXELS[:-1], HEADER[:7], claim(2**32 - 1, 2**32 - 1, 2**32 - 1)):
        assert refusal(short).what == "cut short"


def test_dimensions_are_big_endian_and_may_be_zero(path):
    path.write_bytes(gzip.compress(claim(0, 28, 258)))
    assert idx.read(path, 3).shape == (0, 28, 258)

    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258)))
    assert idx.read(path, 1).shape == (258,)


def header(kind, *shape):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


@pytest.mark.parametrize(
    ("data", "what", "got"),
    [
        (header(8, 12), "labels where images are due", "uint8 of 1 dimension (12,)"),
        (header(8, 4, 3), "other values than images", "uint8 of 2 dimensions (4, 3)"),
        (header(8, 2, 2, 1, 3), "colour images, 4 dimensions", "uint8 of 4 dimensions (2, 2, 1, 3)"),
        (header(9, 2, 2, 3), "other values than images", "int8 of 3 dimensions (2, 2, 3)"),
        (header(13, 2, 2, 3), "other values than images", "float32 of 3 dimensions (2, 2, 3)"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("an IDX file of another type, number of dimensions or purpose")
def test_another_array_is_told_by_its_header(refusal, pack, data, what, got):
    problem = refusal(pack(data + PIXELS))

    assert (problem.what, problem.expected, problem.got) == (what, "uint8 of 3 dimensions", got)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\3\4" + bytes(100), "a ZIP archive"),
        (bytes(257).replace(b"\0", b"a", 1) + b"ustar\0", "a tar archive"),
        (gzip.compress(WHOLE), "a gzip file in a gzip file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\x93NUMPY\1\0v\0{'descr': '|u1'", "a NumPy array"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"label,pixel1,pixel2\r\n7,0,255\r\n", "a CSV table"),
        (b"7;0;255\n" * 1000, "a CSV table"),
        (b"a text without any comma", "another kind of file"),
        (b"1,2,\0,3", "another kind of file"),
        (bytes([0, 0, 8, 0]) + PIXELS, "another kind of file"),
        (bytes([0, 0, 10, 3]) + PIXELS, "another kind of file"),
        (bytes([0, 1, 8, 3]) + PIXELS, "another kind of file"),
        (HEADER[:3], "cut short"),
        (b"", "an empty file"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("another kind of file: a ZIP, a CSV table, a web page, a picture")
@pytest.mark.fault("an empty file, half a header")
def test_another_kind_of_file_is_told_by_how_it_begins(refusal, pack, data, what):
    problem = refusal(pack(data))

    assert problem.what == f"{what} where images are due"
    assert problem.expected == "a beginning of 00 00 08 03"
    assert problem.got == (data[:4].hex(" ") or "nothing")


def unfit(path, data, dimensions):
    path.write_bytes(data)
    with pytest.raises(idx.Unfit) as caught:
        idx.read(path, dimensions)
    [problem] = caught.value.problems
    return problem, caught.value.advice


def converted(path, advice):
    return eval(advice.convert, {"idx": idx, "numpy": np, "path": path})


@pytest.mark.fault("an IDX file of another type, number of dimensions or purpose")
def test_images_and_labels_that_are_exchanged_are_both_told(path):
    assert unfit(path, WHOLE, 1)[0].what == "images where labels are due"
    _, advice = unfit(path, header(8, 2) + bytes(2), 3)
    assert advice == ("name the file of the images here, or exchange the two if they are exchanged", "")


@pytest.mark.fault("colour images, labels as QMNIST has them, labels from 1")
def test_colours_become_the_grey_that_a_picture_of_them_becomes(path):
    """Held against Pillow, whose weights are of whole 65536ths: it may be one off."""
    colours = np.random.RandomState(0).randint(0, 256, (2, 3, 4, 3)).astype(np.uint8)

    _, advice = unfit(path, header(8, *colours.shape) + colours.tobytes(), 3)

    grey = converted(path, advice)
    assert (grey.shape, grey.dtype) == ((2, 3, 4), np.uint8)
    pillow = np.stack([np.asarray(Image.fromarray(each).convert("L")) for each in colours])
    assert np.abs(grey.astype(int) - pillow).max() <= 1


@pytest.mark.fault("colour images, labels as QMNIST has them, labels from 1")
def test_the_first_column_of_what_qmnist_has_is_the_labels(path):
    """Eight int32 a row: the class, and where the digit came from."""
    rows = [[7, 4, 4096, 0, 3, 1, 0, 0], [2, 0, 3904, 1, 0, 0, 0, 0]]

    problem, advice = unfit(path, header(12, 2, 8) + struct.pack(">16i", *rows[0], *rows[1]), 1)

    assert problem.what == "int32 labels of 2 dimensions, as QMNIST has them"
    assert converted(path, advice).tolist() == [7, 2]
    assert converted(path, advice).dtype == np.uint8


def test_arrays_of_other_types_are_read_where_they_are_asked_for(path):
    path.write_bytes(header(13, 1, 2) + struct.pack(">2f", 0.5, -2))

    assert idx.read(path, 2, ">f4").tolist() == [[0.5, -2]]
    with pytest.raises(idx.Unfit, match=r"got float32 of 2 dimensions \(1, 2\)"):
        idx.read(path, 2, ">i4")


@pytest.mark.fault("an empty file, half a header")
def test_a_file_may_not_end_in_its_header(refusal):
    for length in range(4, 16):
        problem = refusal(gzip.compress(HEADER[:length]))
        assert problem.what == "cut short"
        assert (problem.expected, problem.got) == ("a header of 16 bytes", f"{length}")


@pytest.mark.fault("a byte too few or too many")
def test_the_values_must_fill_the_shape_exactly(refusal):
    for length in range(len(PIXELS)):
        problem = refusal(gzip.compress(HEADER + PIXELS[:length]))
        assert (problem.what, problem.expected, problem.got) == ("cut short", "12 bytes of values", f"{length}")
    assert refusal(gzip.compress(HEADER + PIXELS + b"\0")).what == "longer than an array of the shape (2, 2, 3)"


@pytest.mark.fault("gzip that is cut, changed or none")
def test_no_cut_file_is_accepted(refusal):
    assert {refusal(WHOLE[:length]).what for length in range(2, len(WHOLE))} == {"cut short"}
    assert refusal(WHOLE[:1]).what == "cut short where images are due"


@pytest.mark.fault("a checksum that is never looked at, a second member")
def test_no_changed_byte_gives_another_array(path):
    """Nothing notices a change of the header's time, flags and system, or of the bits after the last code."""
    accepted = set()
    for place in range(len(WHOLE)):
        for change in (0x01, 0x80, 0xFF):
            data = bytearray(WHOLE)
            data[place] ^= change
            path.write_bytes(data)
            try:
                assert idx.read(path, 3).tolist() == IMAGES
                accepted.add(place)
            except DataError:
                pass

    assert accepted <= {3, 4, 5, 6, 7, 8, 9, len(WHOLE) - 9}


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (WHOLE[:-8] + bytes(4) + WHOLE[-4:], "CRC check failed"),
        (WHOLE[:-4] + struct.pack("<I", 29), "Incorrect length of data produced"),
        (WHOLE + b"junk", "Not a gzipped file (b'ju')"),
    ],
    ids=["checksum", "size", "something after it"],
)
@pytest.mark.fault("gzip that is cut, changed or none")
def test_what_is_no_sound_gzip_file_is_refused(refusal, data, got):
    problem = refusal(data)

    assert problem.what == "a damaged gzip file"
    assert problem.got.startswith(got)


@pytest.mark.fault("a checksum that is never looked at, a second member")
def test_a_second_array_after_the_first_is_refused(refusal):
    assert refusal(WHOLE + WHOLE).what == "longer than an array of the shape (2, 2, 3)"


@pytest.mark.parametrize("shape", [(10_000, 1000, 1000), (2**32 - 1,) * 3, (2**16, 2**16, 2**16)])
@pytest.mark.fault("dimensions whose product overflows, or claims 8 GB")
def test_a_claim_beyond_the_file_is_refused_before_it_costs_memory(refusal, shape):
    """(2**32 - 1)**3 is 12884901887 in 64 bits, and 2**48 is zero in 32."""
    data = gzip.compress(claim(*shape) + PIXELS)

    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.what == "cut short"
    assert problem.expected == f"{shape[0] * shape[1] * shape[2]} bytes of values, as its header says"
    assert problem.got == f"at most {len(data) * 1032}"
    assert peak < MIB


@pytest.mark.fault("dimensions whose product overflows, or claims 8 GB")
def test_a_claim_that_the_file_could_hold_but_does_not_costs_no_memory_either(refusal):
    """64 KiB of noise that might, going by their number, be 64 MB of zeros."""
    noise = np.random.default_rng(0).bytes(64 * 1024)
    data = gzip.compress(claim(64, 1000, 1000) + noise)

    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (problem.expected, problem.got) == ("64000000 bytes of values", "65536")
    assert peak < 4 * MIB


@pytest.mark.fault("a bomb")
def test_a_gzip_bomb_is_read_no_further_than_its_header_claims(refusal):
    """256 MiB behind a header for 12 bytes."""
    deflate = zlib.compressobj(level=1, wbits=31)
    block = bytes(MIB)
    bomb = deflate.compress(HEADER) + b"".join(deflate.compress(block) for _ in range(256)) + deflate.flush()
    assert len(bomb) < 2 * MIB

    tracemalloc.start()
    problem = refusal(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.got == "more"
    assert peak < 4 * MIB


def test_zeros_compress_as_well_as_deflate_can_and_are_still_read(path):
    """The bound on what a header may claim refuses no honest file."""
    path.write_bytes(gzip.compress(claim(16, 1024, 1024) + bytes(16 * MIB), compresslevel=9))
    assert path.stat().st_size < 16 * MIB / 900

    assert idx.read(path, 3).shape == (16, 1024, 1024)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError) as caught:
        idx.read(path, 3)

    assert str(caught.value.filename) == str(path)


@pytest.mark.fault("blocks that are left out, in another order or scaled each by itself")
def test_blocks_are_whole_images_in_their_order(path, monkeypatch):
    """Twelve bytes of two images of six, in blocks with room for one and a half, or for less than one."""
    path.write_bytes(WHOLE)

    for size in (9, 5):
        monkeypatch.setattr(idx, "BLOCK", size)
        assert [block.tolist() for block in idx.blocks(path, 3)] == [IMAGES[:1], IMAGES[1:]]
    assert idx.shape(path, 3) == (2, 2, 3)


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (gzip.compress(HEADER + PIXELS[:-1]), "12 bytes of values, got 11"),
        (gzip.compress(HEADER + PIXELS + b"\0"), "more"),
        (WHOLE[:-8] + bytes(4) + WHOLE[-4:], "CRC check failed"),
    ],
    ids=["short", "long", "checksum"],
)
def test_what_is_wrong_at_the_end_is_told_after_the_blocks_before_it(path, monkeypatch, data, got):
    monkeypatch.setattr(idx, "BLOCK", 6)
    path.write_bytes(data)
    blocks = idx.blocks(path, 3)

    assert next(blocks).tolist() == IMAGES[:1]
    with pytest.raises(DataError, match=got):
        list(blocks)


SOME_BYTES = st.binary(max_size=200)


@given(
    st.one_of(
        SOME_BYTES,
        SOME_BYTES.map(gzip.compress),
        SOME_BYTES.map(lambda tail: gzip.compress(HEADER + tail)),
        st.tuples(st.lists(st.integers(0, 4), min_size=3, max_size=3), SOME_BYTES).map(
            lambda parts: gzip.compress(claim(*parts[0]) + parts[1])
        ),
    )
)
@pytest.mark.fault("any bytes")
def test_any_bytes_give_an_array_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        array = idx.read(path, 3)
    except DataError:
        return
    assert gzip.decompress(data) == claim(*array.shape) + array.tobytes()


@given(arrays_of.arrays(np.uint8, arrays_of.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6)))
def test_what_is_written_is_read_back(path, array):
    idx.write(path, array)

    assert np.array_equal(idx.read(path, 3), array)


def test_the_written_bytes_are_those_of_the_format(path):
    idx.write(path, np.array(IMAGES, np.uint8))

    assert gzip.decompress(path.read_bytes()) == HEADER + PIXELS


def test_rows_are_written_in_order_however_the_array_lies_in_memory(path):
    idx.write(path, np.asfortranarray(np.array(IMAGES, np.uint8)))
    assert gzip.decompress(path.read_bytes()) == HEADER + PIXELS

    idx.write(path, np.arange(6, dtype=np.uint8)[::2])
    assert gzip.decompress(path.read_bytes()) == bytes([0, 0, 8, 1, 0, 0, 0, 3, 0, 2, 4])


def test_equal_arrays_give_equal_bytes(tmp_path):
    """The gzip header has a field for a time, here zero, and a flag for a name, here not set."""
    paths = [tmp_path / "here.gz", tmp_path / "another" / "name.gz"]
    for path in paths:
        idx.write(path, np.array(IMAGES, np.uint8))

    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first[3] == 0
    assert first[4:8] == bytes(4)


def test_other_types_than_uint8_are_not_written(path):
    with pytest.raises(TypeError, match="holds uint8, not float32"):
        idx.write(path, np.zeros((1, 2, 2), np.float32))

    assert not path.exists()


def test_a_header_of_very_many_dimensions_is_said_in_a_short_line(tmp_path):
    path = tmp_path / "many"
    path.write_bytes(bytes([0, 0, 8, 255]) + bytes([0, 1, 0, 0]) * 255)

    with pytest.raises(idx.Unfit) as caught:
        idx.read(path, 3)

    assert "uint8 of 255 dimensions" in str(caught.value) and len(str(caught.value)) < 400
