"""Arrays between stages: the .npy bytes are spelt out from the format's definition (NEP 1)."""

import io
import json
import resource
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from core.cli.errors import DataError
from core.files import arrays, class_names
from core.files.arrays import Split

VALUES = struct.pack("<6f", 0, 0.25, 0.5, 0.75, 1, 2)
ROWS = [[0, 0.25, 0.5], [0.75, 1, 2]]


def npy(descr="'<f4'", shape="(2, 3)", fortran="False", data=VALUES):
    """Return a .npy file: magic, version, length of the header, the header as Python text, the values."""
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.fixture
def path(tmp_path):
    return tmp_path / "array.npy"


@pytest.fixture
def refusal(path):
    """A function that returns what is said of a file with the given bytes, which hold no float32 rows."""

    def refusal(data):
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            arrays.read(path, np.float32, 2)
        [problem] = caught.value.problems
        assert problem.subject == str(path)
        assert (
            problem.fix == "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
        )
        assert "\n" not in str(problem)
        return problem

    return refusal


def test_values_are_read_row_by_row(path):
    path.write_bytes(npy())

    array = arrays.read(path, np.float32, 2)

    assert array.dtype == np.float32
    assert array.tolist() == ROWS


def test_columns_first_in_memory_are_the_same_rows(path):
    path.write_bytes(npy(fortran="True", data=struct.pack("<6f", 0, 0.75, 0.25, 1, 0.5, 2)))

    assert arrays.read(path, np.float32, 2).tolist() == ROWS


def test_an_array_is_mapped_and_can_not_be_changed(path):
    path.write_bytes(npy())
    array = arrays.read(path, np.float32, 2)

    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1
    assert isinstance(array, np.memmap)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        npy()[:6],
        npy()[:9],
        npy()[:40],
        b"<!DOCTYPE html><html></html>",
        b"PK\x03\x04 the beginning of a zip file",
        b"PK\x05\x06" + bytes(18),
        b"\x80\x04K\x01.",
        npy(shape="(2, -3)"),
        npy(shape="(-2, -3)"),
        npy(shape="(True, 6)"),
        npy(shape="(02, 3)"),
        npy(shape="(2, 3, )"),
        npy(shape="(6)"),
        npy(shape="[2, 3]"),
        npy(shape=f"({'9' * 5000},)"),
        npy(shape=f"({'9' * 20},)"),
        npy(shape=f"({'1, ' * 33}1)"),
        npy(descr="'nonsense'"),
        npy(descr="('<f4',)"),
        npy(descr="[('a', '<f4')]"),
        npy(descr="'<f4,<f4'"),
        npy(descr="'=f4'"),
        npy(descr="{[]: 1}"),
        npy(descr="("),
        npy(descr="-" * 9000 + "1"),
        npy(descr="__import__('os').system('touch canary')"),
        npy(fortran="2"),
        npy(fortran="False, 'more': 0"),
        npy(fortran="False, 'fortran_order': False"),
        npy().replace(b"'descr'", b"'DESCR'"),
        npy().replace(b"}\n", b"}\0"),
        npy().replace(b"}\n", b"} "),
        npy().replace(b"NUMPY\x01", b"NUMPY\x09"),
        npy().replace(b"NUMPY\x01\x00<\x00", b"NUMPY\x02\x00<\x00\x00\x00"),
        npy().replace(b"NUMPY\x01\x00", b"NUMPY\x01\x01"),
        npy().replace(b"<\x00{", b"\xff\xff{"),
        npy().replace(b"<\x00{", b"\xd0\x07{").replace(b"}\n", b"}" + b" " * 965 + b"\n" + b"#" * 975),
        npy().replace(b"<\x00{", b"<\x04{").replace(b"}\n", b"}" + b" " * 1024 + b"\n"),
    ],
    ids=lambda data: repr(data[:20]) if len(data) < 60 else repr(data[6:70]),
)
@pytest.mark.fault("an array that is cut, empty, a web page, pickled, or claims 8 GB")
def test_what_has_no_header_as_numpy_writes_it_is_refused(refusal, data):
    problem = refusal(data)

    assert problem.what == "not a .npy file as numpy writes it"
    assert len(str(problem)) < 1000


@pytest.mark.parametrize(
    ("data", "expected", "got"),
    [
        (npy()[:-1], 94, 93),
        (npy(data=b""), 94, 70),
        (npy() + b"\0", 94, 95),
        (npy(shape="(3, 3)"), 70 + 36, 94),
        (npy(shape="(1, 3)"), 70 + 12, 94),
        (npy(shape="(2000000000, 1)"), 79 + 8_000_000_000, 103),
        (npy(shape="(4294967295, 4294967295)"), 88 + 4 * (2**32 - 1) ** 2, 112),
        (npy(shape="(4294967296, 4294967296)"), 88 + 2**66, 112),
        (npy(shape=f"({'9' * 19}, {'9' * 19})"), 106 + 4 * (10**19 - 1) ** 2, 130),
    ],
    ids=lambda value: repr(value[53:70]) if isinstance(value, bytes) else None,
)
@pytest.mark.fault("an array that is cut, empty, a web page, pickled, or claims 8 GB")
@pytest.mark.fault("bytes after an array")
def test_a_size_that_is_not_the_claimed_one_is_refused_before_it_costs_memory(refusal, data, expected, got):
    """Two thousand million float32 are 8 GB; the other products do not fit 64 bits once multiplied by 4."""
    tracemalloc.start()
    problem = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem.what.startswith("not a whole .npy file of shape (")
    assert (problem.expected, problem.got) == (f"{expected} bytes", f"{got} bytes")
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (npy(descr="'<f8'", shape="(1, 3)"), "<f8 (1, 3)"),
        (npy(descr="'>f4'"), ">f4 (2, 3)"),
        (npy(descr="'<i4'"), "<i4 (2, 3)"),
        (npy(descr="'|u1'", shape="(4, 6)"), "|u1 (4, 6)"),
        (npy(descr="'|O'", data=b"\x80\x04K\x01."), "|O (2, 3)"),
        (npy(descr="'<U9999'"), "<U9999 (2, 3)"),
        (npy(shape="(6,)"), "<f4 (6,)"),
        (npy(shape="(2000000000,)"), "<f4 (2000000000,)"),
        (npy(shape="(1, 2, 3)"), "<f4 (1, 2, 3)"),
        (npy(shape="()"), "<f4 ()"),
        (npy(shape="(0, 3)", data=b""), "<f4 (0, 3)"),
        (npy(shape="(2, 0)", data=b""), "<f4 (2, 0)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_array_than_expected_is_refused(refusal, data, got):
    problem = refusal(data)

    assert problem.what == "another array than this stage works on"
    assert (problem.expected, problem.got) == ("float32 (<f4) of 2 dimensions, not empty", got)


@given(arrays_of.arrays(np.float32, arrays_of.array_shapes(min_dims=2, max_dims=2)), st.booleans())
def test_what_numpy_saves_is_read_value_by_value(path, array, by_column):
    with open(path, "wb") as file:
        np.save(file, np.asfortranarray(array) if by_column else array)

    assert np.array_equal(arrays.read(path, np.float32, 2), array, equal_nan=True)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("{}[]()'\",:<f4 -0123TrueFals\\\0", max_size=40).map(lambda text: npy(descr=text)),
        st.text("(),0123456789 ", max_size=12).map(lambda text: npy(shape=text)),
        st.tuples(st.integers(0, 90), st.integers(0, 255)).map(lambda change: replaced(npy(), *change)),
    )
)
@example(npy(descr="{[]: 1}"))
@example(npy())
def test_any_bytes_give_the_array_that_numpy_reads_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        array = arrays.read(path, np.float32, 2)
    except DataError:
        return
    theirs = np.load(io.BytesIO(data), allow_pickle=False)
    assert (array.dtype, array.shape, array.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def replaced(data, place, byte):
    return data[:place] + bytes([byte]) + data[place + 1 :]


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError) as caught:
        arrays.read(path, np.float32, 2)

    assert str(caught.value.filename) == str(path)


def test_equal_arrays_give_equal_bytes_which_numpy_reads_back(tmp_path):
    array = np.array(ROWS, np.float32)
    for name in ("here.npy", "folder/there.npy"):
        arrays.write(tmp_path / name, array)

    assert (tmp_path / "here.npy").read_bytes() == (tmp_path / "folder" / "there.npy").read_bytes()
    assert np.load(tmp_path / "here.npy").tolist() == ROWS


def test_objects_are_not_written(path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        arrays.write(path, np.array([{}]))

    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("room", [0, 200, 8127])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, run_main, assert_clean_failure, room):
    """Wherever it is full: numpy's own way of writing an array loses its last 4096 bytes without a word."""
    (tmp_path / "array.npy").write_bytes(b"old")

    ended = run_main(
        "import numpy",
        "from core.files import arrays",
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))",
        "arrays.write(Path('array.npy'), numpy.zeros(1000))",
    )

    assert_clean_failure(ended, 1, "error: array.npy: File too large; fix: mend that, then dvc repro")


@pytest.mark.parametrize("array", [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((3, 0), np.uint8)])
@pytest.mark.parametrize("view", [lambda array: array, np.transpose, lambda array: array[:, ::2]])
def test_the_bytes_are_those_of_numpy(tmp_path, array, view):
    arrays.write(tmp_path / "ours.npy", view(array))
    np.save(tmp_path / "theirs.npy", np.ascontiguousarray(view(array)))

    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()


@pytest.mark.fault("blocks that are left out, in another order or scaled each by itself")
def test_blocks_are_all_rows_in_their_order(path):
    array = np.arange(33, dtype=np.float32).reshape(11, 3)
    arrays.write(path, array)

    for whole in (array, arrays.read(path, np.float32, 2)):
        assert [len(block) for block in arrays.blocks(whole, 4)] == [4, 4, 3]
        assert np.concatenate(list(arrays.blocks(whole, 4))).tolist() == array.tolist()
    assert [len(block) for block in arrays.blocks(np.zeros((3, arrays.BLOCK // 2), np.uint8))] == [2, 1]
    assert [len(block) for block in arrays.blocks(np.zeros((2, arrays.BLOCK + 1), np.uint8))] == [1, 1]
    assert list(arrays.blocks(array[:0])) == []


@pytest.mark.parametrize("place", [0, 5, 10])
def test_the_ends_are_those_of_all_blocks(monkeypatch, place):
    monkeypatch.setattr(arrays, "BLOCK", 12)  # a row
    array = np.full((11, 3), 0.5, np.float32)
    array[place, 1] = 2
    array[-1 - place, 2] = -1
    assert arrays.ends(array) == (-1, 2)

    array[place, 0] = np.nan
    assert np.isnan(arrays.ends(array)).all()


def test_rows_are_picked_in_the_order_that_is_asked_for(path, monkeypatch):
    monkeypatch.setattr(arrays, "PICKED", 2)
    array = np.arange(33, dtype=np.float32).reshape(11, 3)
    arrays.write(path, array)

    picked = arrays.pick(arrays.read(path, np.float32, 2), np.array([10, 0, 0, 7, 3]))

    assert picked.tolist() == array[[10, 0, 0, 7, 3]].tolist()


def resident() -> int:
    """Return how many bytes of this process are in memory, files that it has mapped included."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what is in memory")
def test_what_is_done_with_leaves_memory(path):
    """32 MiB, read in blocks, picked from and looked at: no more of it than 8 is there at a time, or at the end."""
    arrays.write(path, np.zeros((2048, 4096), np.float32))
    mapped = arrays.read(path, np.float32, 2)
    before = resident()

    most = max(resident() for block in arrays.blocks(mapped[5:]) if block.max() == 0)
    assert most - before < 8 << 20
    picked = arrays.pick(mapped, np.arange(0, 2048, 4))
    assert resident() - before - picked.nbytes < 8 << 20
    assert mapped.max() == 0
    assert resident() - before > 24 << 20  # what makes this a test at all
    arrays.release(mapped)
    assert resident() - before - picked.nbytes < 8 << 20


def test_an_array_put_in_parts_has_the_bytes_that_numpy_writes(path, tmp_path):
    """The parts come in another order than theirs, the last row not at all: it is 0."""
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
def test_a_split_from_blocks_appears_at_the_end_or_not_at_all(tmp_path):
    def blocks(fail):
        yield SPLIT.images[:1]
        if fail:
            raise ValueError("damaged")
        yield SPLIT.images[1:]

    with (
        pytest.raises(ValueError, match="damaged"),
        arrays.replacing_split(tmp_path / "new", (2, 1, 4), blocks(True), SPLIT.labels),
    ):
        pytest.fail("it was written")
    assert list((tmp_path / "new").iterdir()) == []

    arrays.write_split(tmp_path / "old", SPLIT)
    with arrays.replacing_split(tmp_path / "new", (2, 1, 4), blocks(False), SPLIT.labels):
        assert not {path.name for path in (tmp_path / "new").iterdir()} & {"images.npy", "labels.npy"}
    for name in ("images.npy", "labels.npy"):
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "old" / name).read_bytes()


SPLIT = Split(np.arange(8, dtype=np.float32).reshape(2, 1, 4) / 8, np.array([1, 0], np.uint8))


def test_a_split_is_a_folder_of_two_arrays(tmp_path):
    arrays.write_split(tmp_path / "train", SPLIT)

    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == ["images.npy", "labels.npy"]
    images, labels = arrays.read_split(tmp_path / "train")
    assert (images.dtype, images.tolist()) == (np.float32, SPLIT.images.tolist())
    assert (labels.dtype, labels.tolist()) == (np.uint8, [1, 0])


def test_images_and_labels_must_be_as_many(tmp_path):
    arrays.write_split(tmp_path, Split(SPLIT.images, np.zeros(3, np.uint8)))

    with pytest.raises(DataError) as caught:
        arrays.read_split(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}: images and labels differ in number (expected 2 labels, one for each image, got 3); "
        "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
    )


@pytest.mark.parametrize(
    ("pixel", "got"),
    [
        (np.nan, "nan to nan"),
        (np.inf, "0 to inf"),
        (-np.inf, "-inf to 0.875"),
        (1.001, "0 to 1.001"),
        (-1, "-1 to 0.875"),
    ],
)
@pytest.mark.fault("pixels that are not in [0, 1] once scaled")
def test_what_is_no_pixel_is_refused(tmp_path, pixel, got):
    images = SPLIT.images.copy()
    images[1, 0, 1] = pixel
    arrays.write_split(tmp_path, Split(images, SPLIT.labels))

    with pytest.raises(DataError) as caught:
        arrays.read_split(tmp_path)

    [problem] = caught.value.problems
    assert (problem.subject, problem.what) == (str(tmp_path / "images.npy"), "not pixels")
    assert (problem.expected, problem.got) == ("0 <= x <= 1", got)


def test_pixels_may_be_0_and_1_and_labels_as_many_as_a_byte_tells_apart(tmp_path):
    images = np.array([0, 1, -0.0, 0.5], np.float32).reshape(2, 1, 2)
    arrays.write_split(tmp_path, Split(images, np.array([0, 255], np.uint8)))

    assert arrays.read_split(tmp_path).labels.tolist() == [0, 255]


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    arrays.write_split(tmp_path, Split(SPLIT.images, np.array([0, 2], np.uint8)))
    assert arrays.read_split(tmp_path, 3).labels.tolist() == [0, 2]

    with pytest.raises(DataError) as caught:
        arrays.read_split(tmp_path, 2)

    [problem] = caught.value.problems
    assert (problem.subject, problem.what) == (str(tmp_path / "labels.npy"), "a label without a class")
    assert (problem.expected, problem.got) == ("0 to 1", "2")


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_either_array_of_a_split_may_be_what_is_wrong(tmp_path, name):
    arrays.write_split(tmp_path, SPLIT)
    arrays.write(tmp_path / name, np.zeros((2, 2), np.float64))

    with pytest.raises(DataError) as caught:
        arrays.read_split(tmp_path)

    [problem] = caught.value.problems
    assert (problem.subject, problem.got) == (str(tmp_path / name), "<f8 (2, 2)")


def test_class_names_are_read_in_their_order(tmp_path):
    (tmp_path / "classes.json").write_bytes('["Ärmel", "服"]'.encode())

    assert class_names.read(tmp_path / "classes.json") == ["Ärmel", "服"]


@pytest.mark.parametrize(
    ("data", "place", "what"),
    [
        (b"", "", "not plain JSON"),
        (b'["a", "b"', "", "not plain JSON"),
        (b'["a", "b"] ["c"]', "", "not plain JSON"),
        (b"<html></html>", "", "not plain JSON"),
        ('["Ärmel"]'.encode("latin-1"), "", "not UTF-8 on line 1"),
        (b"[" * 100_000, "", "not plain JSON"),
        (b"7" * 5000, "", "not plain JSON"),
        (b"{}", "", "wrong value"),
        (b"[]", "", "List should have at least 1 item after validation, not 0"),
        (b'"ab"', "", "wrong value"),
        (b"null", "", "wrong value"),
        (b'["a", 1]', ": 1", "wrong value"),
        (b'["a", null]', ": 1", "wrong value"),
        (b'["a", "\\ud800"]', ": 1", "wrong value"),
        (json.dumps(["a"] * 257).encode(), "", "List should have at most 256 items after validation, not 257"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_damaged_class_names_are_refused(tmp_path, data, place, what):
    path = tmp_path / "classes.json"
    path.write_bytes(data)

    with pytest.raises(DataError) as caught:
        class_names.read(path)

    [problem] = caught.value.problems
    assert (problem.subject, problem.what) == (f"{path}{place}", what)


@given(
    st.one_of(st.binary(max_size=50), st.lists(st.one_of(st.none(), st.text())).map(lambda v: json.dumps(v).encode()))
)
def test_any_bytes_give_class_names_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        names = class_names.read(path)
    except DataError:
        return
    assert names == json.loads(data)
