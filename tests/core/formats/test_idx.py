"""IDX files: the bytes are spelt out from the definition of the format, and compressed by gzip."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from core.cli.errors import DataError
from core.formats import idx

MIB = 1 << 20
# Two images of 2 x 3 pixels: zero, zero, uint8, three dimensions; the dimensions; the pixels row by row.
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
PIXELS = bytes([0, 1, 2, 127, 128, 255, 9, 8, 7, 6, 5, 4])
IMAGES = [[[0, 1, 2], [127, 128, 255]], [[9, 8, 7], [6, 5, 4]]]
WHOLE = gzip.compress(HEADER + PIXELS, mtime=0)


def header(kind, *shape):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.gz"


@pytest.fixture
def refusal(path):
    """A function that returns the problem of a file with the given bytes, which hold no images."""

    def refusal(data, dimensions=3):
        path.write_bytes(data)
        with pytest.raises(idx.Unfit) as caught:
            idx.read(path, dimensions)
        [problem] = caught.value.problems
        assert problem.subject == str(path) and problem.fix.startswith("python -m tools.verify")
        return problem

    return refusal


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("IDX files that are not compressed, whole or damaged")
def test_images_and_labels_are_read_packed_or_plain(path, pack):
    path.write_bytes(pack(HEADER + PIXELS))
    images = idx.read(path, 3)
    assert (images.dtype, images.tolist(), idx.shape(path, 3)) == (np.uint8, IMAGES, (2, 2, 3))

    path.write_bytes(pack(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(257) + b"\7"))
    labels = idx.read(path, 1)
    assert (labels.dtype, labels.shape, labels[-1]) == (np.uint8, (258,), 7)

    path.write_bytes(pack(header(8, 0, 28, 258)))
    assert idx.read(path, 3).shape == (0, 28, 258)


@pytest.mark.parametrize(
    ("data", "what", "got"),
    [
        (header(8, 12), "labels instead of images", "uint8 of 1 dimension (12,)"),
        (header(8, 4, 3), "other values than images", "uint8 of 2 dimensions (4, 3)"),
        (header(8, 2, 2, 1, 3), "other values than images", "uint8 of 4 dimensions (2, 2, 1, 3)"),
        (header(13, 2, 2, 3), "other values than images", "float32 of 3 dimensions (2, 2, 3)"),
        (header(8, *[65536] * 255), "other values than images", f"uint8 of 255 dimensions {(65536,) * 255}"[:104]),
    ],
)
@pytest.mark.fault("an IDX file of another type, number of dimensions or purpose")
def test_another_array_is_told_by_its_header(refusal, data, what, got):
    problem = refusal(data + PIXELS)

    assert (problem.what, problem.expected, problem.got) == (what, "uint8 of 3 dimensions", got)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\3\4" + bytes(100), "a ZIP archive"),
        (bytes(257).replace(b"\0", b"a", 1) + b"ustar\0", "a tar archive"),
        (gzip.compress(WHOLE, mtime=0), "a gzip file in a gzip file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\x93NUMPY\1\0v\0{'descr': '|u1'", "a NumPy array"),
        (b"\x89PNG\r\n\x1a\n", "another kind of file"),
        (b"label,pixel1,pixel2\r\n7,0,255\r\n", "a CSV table"),
        (b"7;0;255\n" * 1000, "a CSV table"),
        (b"a text without any comma", "another kind of file"),
        (b"1,2,\0,3", "another kind of file"),
        (bytes([0, 0, 8, 0]) + PIXELS, "another kind of file"),
        (bytes([0, 1, 8, 3]) + PIXELS, "another kind of file"),
        (HEADER[:3], "cut short"),
        (b"", "an empty file"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("another kind of file: a ZIP, a CSV table, a web page, a picture")
@pytest.mark.fault("an empty file, half a header")
def test_another_kind_of_file_is_told_by_its_beginning(refusal, pack, data, what):
    problem = refusal(pack(data))

    assert problem.what == f"{what} instead of images"
    assert problem.expected == "a beginning of 00 00 08 03"
    assert problem.got == (data[:4].hex(" ") or "nothing")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("an empty file, half a header")
@pytest.mark.fault("a byte too few or too many")
def test_header_and_values_must_have_their_length_exactly(refusal, pack):
    for length in range(4, 16):
        problem = refusal(pack(HEADER[:length]))
        assert (problem.what, problem.expected, problem.got) == ("cut short", "a header of 16 bytes", f"{length}")
    for length in range(len(PIXELS)):
        problem = refusal(pack(HEADER + PIXELS[:length]))
        assert (problem.what, problem.expected, problem.got) == ("cut short", "12 bytes of values", f"{length}")
    assert refusal(pack(HEADER + PIXELS + b"\0")).what == "longer than an array of the shape (2, 2, 3)"


@pytest.mark.fault("gzip that is cut, changed or none")
def test_no_cut_file_is_accepted(refusal):
    assert {refusal(WHOLE[:length]).what for length in range(2, len(WHOLE))} == {"cut short"}


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
    ("data", "what"),
    [
        (WHOLE[:-8] + bytes(4) + WHOLE[-4:], "a damaged gzip file"),
        (WHOLE[:-4] + struct.pack("<I", 29), "a damaged gzip file"),
        (WHOLE + b"junk", "a damaged gzip file"),
        (WHOLE + WHOLE, "longer than an array of the shape (2, 2, 3)"),
    ],
    ids=["checksum", "size", "junk after it", "twice"],
)
@pytest.mark.fault("gzip that is cut, changed or none")
@pytest.mark.fault("a checksum that is never looked at, a second member")
def test_an_unsound_gzip_file_is_refused(refusal, data, what):
    assert refusal(data).what == what


def zipped(beginning, mebibytes):
    deflate = zlib.compressobj(level=1, wbits=31)
    block = bytes(MIB)
    return deflate.compress(beginning) + b"".join(deflate.compress(block) for _ in range(mebibytes)) + deflate.flush()


@pytest.mark.parametrize(
    ("data", "what", "got"),
    [
        # (2**32 - 1)**3 is 12884901887 in 64 bits, and 2**48 is zero in 32.
        (gzip.compress(header(8, *(2**32 - 1,) * 3) + PIXELS, mtime=0), "cut short", None),
        (gzip.compress(header(8, *(2**16,) * 3) + PIXELS, mtime=0), "cut short", None),
        # The file might hold 64 MB of zeros, by its size, but holds 64 KiB of noise.
        (
            gzip.compress(header(8, 64, 1000, 1000) + np.random.default_rng(0).bytes(65536), mtime=0),
            "cut short",
            "65536",
        ),
        (zipped(HEADER, 64), "longer than an array of the shape (2, 2, 3)", "more"),
    ],
    ids=["beyond 64 bits", "beyond 32 bits", "noise", "bomb"],
)
@pytest.mark.fault("dimensions whose product overflows, or claims 8 GB")
@pytest.mark.fault("a bomb")
def test_a_false_claim_costs_no_memory(refusal, data, what, got):
    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (problem.what, problem.got) == (what, got or f"at most {len(data) * 1032}")
    assert peak < 4 * MIB


def test_zeros_that_compress_best_are_read(path):
    """The bound on the claim of a header refuses no honest file."""
    path.write_bytes(gzip.compress(header(8, 16, 1024, 1024) + bytes(16 * MIB), compresslevel=9))
    assert path.stat().st_size < 16 * MIB / 900

    assert idx.read(path, 3).shape == (16, 1024, 1024)


@pytest.mark.fault("blocks that are left out, in another order or scaled each by itself")
def test_blocks_are_whole_images_in_their_order(path, monkeypatch):
    """Two images of six bytes, in blocks with room for one and a half, or for less than one."""
    for size in (9, 5):
        monkeypatch.setattr(idx, "BLOCK", size)
        path.write_bytes(WHOLE)
        assert [block.tolist() for block in idx.blocks(path, 3)] == [IMAGES[:1], IMAGES[1:]]

        path.write_bytes(WHOLE[:-8] + bytes(4) + WHOLE[-4:])
        blocks = idx.blocks(path, 3)
        assert next(blocks).tolist() == IMAGES[:1]
        with pytest.raises(DataError, match="CRC check failed"):
            list(blocks)


SOME_BYTES = st.binary(max_size=200)


@given(
    st.one_of(
        SOME_BYTES,
        SOME_BYTES.map(gzip.compress),
        SOME_BYTES.map(lambda tail: gzip.compress(HEADER + tail)),
        st.tuples(st.lists(st.integers(0, 4), min_size=3, max_size=3), SOME_BYTES).map(
            lambda parts: gzip.compress(header(8, *parts[0]) + parts[1])
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
    assert gzip.decompress(data) == header(8, *array.shape) + array.tobytes()


@given(arrays_of.arrays(np.uint8, arrays_of.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6)))
def test_a_written_array_is_read_back(path, array):
    """However it lies in memory."""
    idx.write(path, np.asfortranarray(array))

    assert gzip.decompress(path.read_bytes()) == header(8, *array.shape) + array.tobytes()
    assert np.array_equal(idx.read(path, 3), array)


def test_equal_arrays_give_equal_bytes(tmp_path):
    """The gzip header has neither a name nor a time."""
    paths = [tmp_path / "here.gz", tmp_path / "another" / "name.gz"]
    for path in paths:
        idx.write(path, np.array(IMAGES, np.uint8))

    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first[3:8] == bytes(5)


def test_only_uint8_is_written(path):
    with pytest.raises(TypeError, match="holds uint8, not float32"):
        idx.write(path, np.zeros((1, 2, 2), np.float32))

    assert not path.exists()
