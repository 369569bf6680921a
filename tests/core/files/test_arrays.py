"""Arrays between stages, against numpy's own reader and writer."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays_of

from core.cli.errors import DataError
from core.files import arrays
from core.files.arrays import Split
from tests.conftest import write_split

ROWS = np.array([[0, 0.25, 0.5], [0.75, 1, 2]], np.float32)
SPLIT = Split(np.arange(8, dtype=np.float32).reshape(2, 1, 4) / 8, np.array([1, 0], np.uint8))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "array.npy"


def refusal(read, *arguments):
    """Return the subject, the problem, what was expected and what was found."""
    with pytest.raises(DataError) as caught:
        read(*arguments)
    [problem] = caught.value.problems
    assert problem.fix.startswith("python -m tools.verify")
    return problem.subject, problem.what, problem.expected, problem.got


@given(arrays_of.arrays(np.float32, arrays_of.array_shapes(min_dims=2, max_dims=2)))
def test_an_array_is_read_as_numpy_saved_it_and_saved_with_the_same_bytes(path, array):
    np.save(path, array)
    saved = path.read_bytes()

    read = arrays.read(path, np.float32, 2)
    assert np.array_equal(read, array, equal_nan=True) and not read.flags.writeable
    arrays.write(path, array)
    assert path.read_bytes() == saved


@pytest.mark.parametrize("length", [0, 9, 40, -1])
@pytest.mark.fault("an array that is cut, empty, a web page, pickled, or claims 8 GB")
def test_a_truncated_file_is_refused(path, length):
    arrays.write(path, ROWS)
    path.write_bytes(path.read_bytes()[:length])

    assert refusal(arrays.read, path, np.float32, 2)[:2] == (str(path), "not a whole .npy file")


@pytest.mark.parametrize("data", [b"<!DOCTYPE html><html></html>", b"\x80\x04K\x01.", bytes(300)])
def test_another_kind_of_file_is_refused(path, data):
    path.write_bytes(data)

    assert refusal(arrays.read, path, np.float32, 2)[1] == "not a whole .npy file"


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (ROWS.astype(np.float64), "float64 (2, 3)"),
        (ROWS.astype(">f4"), ">f4 (2, 3)"),
        (ROWS[0], "float32 (3,)"),
        (ROWS[:0], "float32 (0, 3)"),
    ],
)
def test_an_array_of_another_type_or_shape_is_refused(path, array, got):
    np.save(path, array)

    assert refusal(arrays.read, path, np.float32, 2)[1:] == (
        "not the expected array",
        "float32 of 2 dimensions, not empty",
        got,
    )


@pytest.mark.fault("bit rot in a header")
def test_any_flipped_bit_of_a_header_gives_an_array_or_a_data_error(path):
    arrays.write(path, ROWS)
    whole = path.read_bytes()
    outcomes = set()
    for place in range(128):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            try:
                outcomes.add(arrays.read(path, np.float32, 2).shape)
            except DataError:
                outcomes.add("refused")

    assert {"refused", (2, 3)} <= outcomes


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, run_main, assert_clean_failure):
    """numpy's own writer loses the last 4096 bytes without an error."""
    (tmp_path / "array.npy").write_bytes(b"old")

    ended = run_main(
        "import numpy",
        "from core.files import arrays",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8127, 8127))",
        "arrays.write(Path('array.npy'), numpy.zeros(1000))",
    )

    assert_clean_failure(ended, 1, "error: array.npy: File too large; fix: mend that, then dvc repro")


def test_an_array_put_in_parts_has_the_bytes_that_numpy_writes(path, tmp_path):
    """The parts come in another order, and the last row of all is not put: it is 0."""
    whole = np.arange(60, dtype=np.float32).reshape(3, 5, 4)
    with arrays.replacing(path, whole.shape, np.float32) as put:
        put((1, 2), whole[1, 2:])
        put((0,), whole[:1])
        put((2,), whole[2, :4])
        put((1,), whole[1, :2])
        assert not path.exists()

    whole[2, 4] = 0
    np.save(tmp_path / "numpy.npy", whole)
    assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.fault("a fault that shows in a late block, when the others are written")
def test_an_array_that_grows_has_the_bytes_that_numpy_writes_or_does_not_appear(path, tmp_path):
    whole = np.arange(123 * 15, dtype=np.uint8).reshape(123, 5, 3)
    with arrays.growing(path, (5, 3), np.uint8) as append:
        for rows in (whole[:1], whole[1:1], whole[1:, :, ::-1][..., ::-1]):  # the last one lies otherwise in memory
            append(rows)
        assert not path.exists()
    np.save(tmp_path / "numpy.npy", whole)
    assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()

    with pytest.raises(ValueError, match="damaged"), arrays.growing(tmp_path / "new.npy", (5, 3), np.uint8) as append:
        append(whole)
        raise ValueError("damaged")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["array.npy", "numpy.npy"]


@pytest.mark.parametrize(("shape", "fits"), [((2, 1, 4), True), ((2, 1, 4, 3), True), ((2, 1, 4, 1), False)])
def test_images_are_grey_or_have_three_colours(path, shape, fits):
    arrays.write(path, np.zeros(shape, np.uint8))
    if fits:
        assert arrays.read_images(path, np.uint8).shape == shape
    else:
        what = ("not grey values or colours", "(n, height, width, 3)", str(shape))
        assert refusal(arrays.read_images, path, np.uint8)[1:] == what


def test_the_validation_split_of_a_publisher_lies_beside_the_training_images(tmp_path):
    write_split(tmp_path, SPLIT)
    assert arrays.read_validation(tmp_path) is None

    write_split(tmp_path / "validation", Split(SPLIT.images[:1], np.array([3], np.uint8)))
    images, labels = arrays.read_validation(tmp_path)
    assert (images.tolist(), labels.tolist()) == (SPLIT.images[:1].tolist(), [3])
    assert len(arrays.read_split(tmp_path).labels) == 2
    assert refusal(arrays.read_validation, tmp_path, 3)[1] == "a label without a class"


@pytest.mark.fault("blocks that are left out, in another order or scaled each by itself")
def test_blocks_are_all_rows_in_their_order(path):
    array = np.arange(33, dtype=np.float32).reshape(11, 3)
    arrays.write(path, array)

    for whole in (array, arrays.read(path, np.float32, 2)):
        assert [len(block) for block in arrays.blocks(whole, 4)] == [4, 4, 3]
        assert np.concatenate(list(arrays.blocks(whole, 4))).tolist() == array.tolist()
    assert [len(block) for block in arrays.blocks(np.zeros((3, arrays.BLOCK // 2), np.uint8))] == [2, 1]
    assert [len(block) for block in arrays.blocks(np.zeros((2, arrays.BLOCK + 1), np.uint8))] == [1, 1]


@pytest.mark.parametrize("place", [0, 5, 10])
def test_the_smallest_and_largest_value_are_found_in_any_block(monkeypatch, place):
    monkeypatch.setattr(arrays, "BLOCK", 12)  # a row
    array = np.full((11, 3), 0.5, np.float32)
    array[place, 1], array[-1 - place, 2] = 2, -1
    assert arrays.ends(array) == (-1, 2)

    array[place, 0] = np.nan
    assert np.isnan(arrays.ends(array)).all()


def test_rows_are_picked_in_the_requested_order(path, monkeypatch):
    monkeypatch.setattr(arrays, "PICKED", 2)
    array = np.arange(33, dtype=np.float32).reshape(11, 3)
    arrays.write(path, array)

    picked = arrays.pick(arrays.read(path, np.float32, 2), np.array([10, 0, 0, 7, 3]))

    assert picked.tolist() == array[[10, 0, 0, 7, 3]].tolist()


def resident() -> int:
    """Return how many bytes of this process are in memory, mapped files included."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what is in memory")
def test_blocks_and_picked_rows_leave_memory(path):
    """Of 32 MiB, at most 8 MiB are in memory at a time."""
    arrays.write(path, np.zeros((2048, 4096), np.float32))
    mapped = arrays.read(path, np.float32, 2)
    before = resident()

    most = max(resident() for block in arrays.blocks(mapped[5:]) if block.max() == 0)
    assert most - before < 8 << 20
    picked = arrays.pick(mapped, np.arange(0, 2048, 4))
    assert resident() - before - picked.nbytes < 8 << 20
    assert mapped.max() == 0
    assert resident() - before > 24 << 20  # the whole array is in memory unless it is released
    arrays.release(mapped)
    assert resident() - before - picked.nbytes < 8 << 20


@pytest.mark.fault("a fault that shows in a late block, when the others are written")
def test_a_split_appears_whole_or_not_at_all(tmp_path):
    def blocks(fail):
        yield SPLIT.images[:1]
        if fail:
            raise ValueError("damaged")
        yield SPLIT.images[1:]

    with (
        pytest.raises(ValueError, match="damaged"),
        arrays.replacing_split(tmp_path / "new", SPLIT.images.shape[1:], blocks(True), SPLIT.labels),
    ):
        pytest.fail("it was written")
    assert list((tmp_path / "new").iterdir()) == []

    with arrays.replacing_split(tmp_path / "new", SPLIT.images.shape[1:], blocks(False), SPLIT.labels):
        assert not {path.name for path in (tmp_path / "new").iterdir()} & {"images.npy", "labels.npy"}
    images, labels = arrays.read_split(tmp_path / "new")
    assert (images.dtype, images.tolist()) == (np.float32, SPLIT.images.tolist())
    assert (labels.dtype, labels.tolist()) == (np.uint8, [1, 0])


@pytest.mark.parametrize(
    ("pixel", "got"), [(np.nan, "nan to nan"), (np.inf, "0 to inf"), (1.001, "0 to 1.001"), (-1, "-1 to 0.875")]
)
@pytest.mark.fault("pixels that are not in [0, 1] once scaled")
def test_a_pixel_out_of_range_is_refused(tmp_path, pixel, got):
    images = SPLIT.images.copy()
    images[1, 0, 1] = pixel
    write_split(tmp_path, Split(images, SPLIT.labels))

    expected = (str(tmp_path / "images.npy"), "not pixels", "0 <= x <= 1", got)
    assert refusal(arrays.read_split, tmp_path) == expected


def test_labels_that_do_not_fit_the_images_or_the_classes_are_refused(tmp_path):
    write_split(tmp_path, Split(SPLIT.images, np.array([0, 255], np.uint8)))
    assert arrays.read_split(tmp_path).labels.tolist() == arrays.read_split(tmp_path, 256).labels.tolist() == [0, 255]
    expected = (str(tmp_path / "labels.npy"), "a label without a class", "0 to 1", "255")
    assert refusal(arrays.read_split, tmp_path, 2) == expected

    write_split(tmp_path, Split(SPLIT.images, np.zeros(3, np.uint8)))
    expected = (str(tmp_path), "images and labels differ in number", "2 labels, one for each image", "3")
    assert refusal(arrays.read_split, tmp_path) == expected
