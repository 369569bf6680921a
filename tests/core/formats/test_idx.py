"""IDX files: the bytes are spelt out from the definition of the format, and compressed by gzip."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from core.cli.errors import DataError

MIB = 1 << 20
# Two images of 2 x 3 pixels: zero, zero, uint8, three dimensions; the dimensions; the pixels row by row.
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3])
PIXELS = bytes([0, 1, 2, 127, 128, 255, 9, 8, 7, 6, 5, 4])
IMAGES = [[[0, 1, 2], [127, 128, 255]], [[9, 8, 7], [6, 5, 4]]]
WHOLE = gzip.compress(HEADER + PIXELS, mtime=0)
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 1])
FILES = {"train_images": "x", "train_labels": "y"}


def header(kind, *shape):
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)


@pytest.fixture
def write(tmp_path):
    """A function that writes the two files."""

    def write(images=WHOLE, labels=LABELS):
        (tmp_path / "x").write_bytes(images)
        (tmp_path / "y").write_bytes(labels)

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.fault("IDX files that are not compressed, whole or damaged")
def test_images_and_labels_are_read_packed_or_plain(write, read, pack):
    write(pack(HEADER + PIXELS), pack(LABELS))

    splits, contents = read("idx", files=FILES)

    assert (splits["train"][0].tolist(), splits["train"][1].tolist()) == (IMAGES, [7, 1])
    assert (contents.images, contents.classes) == (2, None)


def test_emnist_has_columns_for_rows_and_labels_from_1(tmp_path, read):
    """EMNIST's letters: `first_label` is left to the stage."""
    for split, name in (("train", "train"), ("test", "test")):
        (tmp_path / f"emnist-letters-{split}-images-idx3-ubyte.gz").write_bytes(WHOLE)
        (tmp_path / f"emnist-letters-{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(LABELS))

    splits, _ = read("idx", transpose=True, first_label=1)

    assert splits.keys() == {"train", "test"}
    assert splits["train"][0].tolist() == [[[0, 127], [1, 128], [2, 255]], [[9, 6], [8, 5], [7, 4]]]
    assert splits["train"][1].tolist() == [7, 1]


def test_labels_are_int32_or_the_first_of_qmnist_s_columns(write, read):
    write(labels=header(12, 2) + struct.pack(">2i", 300, -1))
    assert read("idx", files=FILES)[0]["train"][1].tolist() == [300, -1]

    write(labels=header(12, 2, 8) + struct.pack(">16i", *range(3, 19)))
    assert read("idx", files=FILES)[0]["train"][1].tolist() == [3, 11]


@pytest.mark.parametrize(
    ("images", "labels", "line"),
    [
        (header(8, 2) + PIXELS, LABELS, "mine/x: not images (expected uint8 (n, height, width) or (n, height, width, "
         "3), got uint8 (2,)); fix: correct files in the card"),
        (header(13, 2, 2, 3) + 4 * PIXELS, LABELS, "got float32 (2, 2, 3)"),
        (header(8, 2, 0, 3), LABELS, "mine/x: images of no size (expected 1 to 4096 pixels a side"),
        (header(8, 2, 2, 2**31), LABELS, "mine/x: images of no size"),
        (WHOLE, HEADER + PIXELS, "mine/y: not one label for each image (expected integers (n,), got uint8 (2, 2, 3))"),
        (WHOLE, header(8, 2, 2) + bytes(4), "mine/y: not one label"),
        (WHOLE, header(8, 3) + bytes(3), "mine/y: images and labels differ in number (expected 2 labels, got 3)"),
        (bytes([0, 0, 8, 0]) + PIXELS, LABELS, "no IDX file (expected a beginning of 00 00 08, got 00 00 08 00)"),
        (b"PK\3\4" + bytes(100), LABELS, "got 50 4b 03 04); fix: name an IDX file in the card"),
        (gzip.compress(WHOLE, mtime=0), LABELS, "no IDX file (expected a beginning of 00 00 08, got 1f 8b 08 00)"),
        (HEADER[:3], LABELS, "no IDX file"),
        (HEADER[:4], LABELS, "cut short (expected a header of 16 bytes, got 4)"),
        (HEADER + PIXELS[:11], LABELS, "cut short (expected 12 bytes of values, got 11)"),
        (HEADER + PIXELS + b"\0", LABELS, "longer than an array of the shape (2, 2, 3)"),
        (WHOLE, LABELS[:-1], "mine/y: cut short (expected 2 bytes of values, got 1)"),
        (WHOLE, LABELS + b"\0", "mine/y: longer than an array of the shape (2,)"),
        (WHOLE + WHOLE, LABELS, "longer than an array of the shape (2, 2, 3)"),
        (WHOLE[:-8] + bytes(4) + WHOLE[-4:], LABELS, "mine/x: damaged or cut short: CRC check failed"),
        (WHOLE[:-4] + struct.pack("<I", 29), LABELS, "mine/x: damaged or cut short: Incorrect length"),
    ],
)  # fmt: skip
@pytest.mark.fault("an IDX file of another type, number of dimensions or purpose")
@pytest.mark.fault("a byte too few or too many")
@pytest.mark.fault("gzip that is cut, changed or none")
def test_another_file_is_one_line(write, refused, images, labels, line):
    write(images, labels)

    assert line in refused("idx", files=FILES)


@pytest.mark.fault("a checksum that is never looked at, a second member")
def test_no_cut_file_and_no_changed_byte_gives_another_array(write, read):
    """Nothing notices a change of the header's time, flags and system, or of the bits after the last code."""
    for length in range(len(WHOLE)):
        write(WHOLE[:length])
        with pytest.raises(DataError):
            read("idx", files=FILES)
    accepted = set()
    for place in range(2, len(WHOLE)):
        for change in (0x01, 0x80, 0xFF):
            data = bytearray(WHOLE)
            data[place] ^= change
            write(bytes(data))
            try:
                assert read("idx", files=FILES)[0]["train"][0].tolist() == IMAGES
                accepted.add(place)
            except DataError:
                pass
    assert accepted <= {3, 4, 5, 6, 7, 8, 9, len(WHOLE) - 9}


@pytest.mark.parametrize(
    ("images", "count", "line"),
    [
        # 4 GB * 4096 * 4096, and a product that is zero in 64 bits.
        (header(8, 2**32 - 1, 4096, 4096) + PIXELS, 2**32 - 1, "cut short"),
        (header(8, 2**32 - 1, 4096, 4096) + np.random.default_rng(0).bytes(65536), 2**32 - 1, "got 65536"),
        (HEADER + bytes(64 * MIB), 2, "longer than an array of the shape (2, 2, 3)"),
    ],
    ids=["claim", "noise", "bomb"],
)
@pytest.mark.fault("dimensions whose product overflows, or claims 8 GB")
@pytest.mark.fault("a bomb")
def test_a_false_claim_costs_no_memory(write, refused, images, count, line):
    write(gzip.compress(images), header(8, count))
    tracemalloc.start()
    found = refused("idx", files=FILES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert line in found or "mine/y: cut short" in found
    assert peak < 40 * MIB
