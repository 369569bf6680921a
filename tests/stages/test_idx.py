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

from stages import idx
from stages.command import DataError

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
        assert problem.fix == "python -m tools.verify, which names the command that mends it"
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


def test_a_plain_file_is_read_as_well_and_as_strictly(path, refusal):
    path.write_bytes(HEADER + PIXELS)
    assert idx.read(path, 3).tolist() == IMAGES

    assert refusal(HEADER + PIXELS + b"\0").what == refusal(HEADER + PIXELS[:-1]).what
    assert refusal(HEADER[:7]).what == "the file ends in its header"
    assert refusal(claim(2**32 - 1, 2**32 - 1, 2**32 - 1)).what == "the header claims more than the file can hold"


def test_dimensions_are_big_endian_and_may_be_zero(path):
    path.write_bytes(gzip.compress(claim(0, 28, 258)))
    assert idx.read(path, 3).shape == (0, 28, 258)

    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258)))
    assert idx.read(path, 1).shape == (258,)


@pytest.mark.parametrize(
    ("magic", "got"),
    [
        (bytes([1, 0, 8, 3]), "01 00 08 03"),
        (bytes([0, 1, 8, 3]), "00 01 08 03"),
        (bytes([0, 0, 9, 3]), "00 00 09 03"),
        (bytes([0, 0, 13, 3]), "00 00 0d 03"),
        (bytes([0, 0, 8, 0]), "00 00 08 00"),
        (bytes([0, 0, 8, 1]), "00 00 08 01"),
        (bytes([0, 0, 8, 2]), "00 00 08 02"),
        (bytes([0, 0, 8, 4]), "00 00 08 04"),
        (bytes([0, 0, 8, 255]), "00 00 08 ff"),
        (b"\x89PNG", "89 50 4e 47"),
    ],
)
def test_another_kind_of_file_is_told_by_its_first_bytes(refusal, magic, got):
    problem = refusal(gzip.compress(magic + HEADER[4:] + PIXELS))

    assert problem.what == "not an IDX file of this kind"
    assert (problem.expected, problem.got) == ("00 00 08 03", got)


@pytest.mark.parametrize("data", [b"", gzip.compress(b"")], ids=["empty", "empty gzip"])
def test_an_empty_file_is_refused(refusal, data):
    problem = refusal(data)

    assert (problem.what, problem.got) == ("not an IDX file of this kind", "a file of 0 bytes")


def test_a_file_may_not_end_in_its_header(refusal):
    assert refusal(gzip.compress(HEADER[:3])).got == "a file of 3 bytes"
    for length in range(4, 16):
        problem = refusal(gzip.compress(HEADER[:length]))
        assert problem.what == "the file ends in its header"
        assert (problem.expected, problem.got) == ("16 bytes", f"{length} bytes")


@pytest.mark.parametrize(("payload", "got"), [(PIXELS[:-1], "11 bytes"), (PIXELS + b"\0", "more"), (b"", "0 bytes")])
def test_the_values_must_fill_the_shape_exactly(refusal, payload, got):
    problem = refusal(gzip.compress(HEADER + payload))

    assert problem.what == "the values do not fill the shape (2, 2, 3)"
    assert (problem.expected, problem.got) == ("12 bytes", got)


def test_no_cut_file_is_accepted(refusal):
    for length in range(1, len(WHOLE)):
        assert refusal(WHOLE[:length]).what in ("not a whole gzip file", "not an IDX file of this kind")


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
        (b"<!DOCTYPE html><html></html>", "Not a gzipped file (b'<!')"),
        (WHOLE[:-8] + bytes(4) + WHOLE[-4:], "CRC check failed"),
        (WHOLE[:-4] + struct.pack("<I", 29), "Incorrect length of data produced"),
        (WHOLE + b"junk", "Not a gzipped file (b'ju')"),
    ],
    ids=["html", "checksum", "size", "something after it"],
)
def test_what_is_no_sound_gzip_file_is_refused(refusal, data, got):
    problem = refusal(data)

    assert problem.what == "not a whole gzip file"
    assert problem.got.startswith(got)


def test_a_second_array_after_the_first_is_refused(refusal):
    assert refusal(WHOLE + WHOLE).what == "the values do not fill the shape (2, 2, 3)"


@pytest.mark.parametrize("shape", [(10_000, 1000, 1000), (2**32 - 1,) * 3, (2**16, 2**16, 2**16)])
def test_a_claim_beyond_the_file_is_refused_before_it_costs_memory(refusal, shape):
    """(2**32 - 1)**3 is 12884901887 in 64 bits, and 2**48 is zero in 32."""
    data = gzip.compress(claim(*shape) + PIXELS)

    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.what == "the header claims more than the file can hold"
    assert problem.expected == f"at most {len(data) * 1032} bytes"
    assert problem.got == f"{shape[0] * shape[1] * shape[2]} bytes"
    assert peak < MIB


def test_a_claim_that_the_file_could_hold_but_does_not_costs_no_memory_either(refusal):
    """64 KiB of noise that might, going by their number, be 64 MB of zeros."""
    noise = np.random.default_rng(0).bytes(64 * 1024)
    data = gzip.compress(claim(64, 1000, 1000) + noise)

    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (problem.expected, problem.got) == ("64000000 bytes", "65536 bytes")
    assert peak < 4 * MIB


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
        (gzip.compress(HEADER + PIXELS[:-1]), "11 bytes"),
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
