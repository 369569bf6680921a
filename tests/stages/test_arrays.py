"""Arrays between stages: the .npy bytes are spelt out from the format's definition (NEP 1)."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages import arrays
from stages.arrays import Split
from stages.command import DataError

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
        assert problem.fix == "delete it, then dvc repro, which restores or remakes it"
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
        npy()[:40],
        npy()[:-1],
        npy(data=b""),
        b"<!DOCTYPE html><html></html>",
        b"PK\x03\x04 the beginning of a zip file",
        b"PK\x05\x06" + bytes(18),
        b"\x80\x04K\x01.",
        npy(descr="'|O'", data=b"\x80\x04K\x01."),
        npy(shape="(2000000000,)"),
        npy(shape="(2, -3)"),
        npy(shape="(-2, -3)"),
        npy(shape="(True, 6)"),
        npy(shape=f"({'9' * 5000},)"),
        npy(descr="'nonsense'"),
        npy(descr="('<f4',)"),
        npy(descr="{[]: 1}"),
        npy(descr="("),
        npy(descr="-" * 9000 + "1"),
        npy(fortran="2"),
        npy().replace(b"NUMPY\x01", b"NUMPY\x09"),
    ],
    ids=lambda data: repr(data[:20]) if len(data) < 60 else repr(data[10:70]),
)
def test_a_damaged_file_is_refused(refusal, data):
    assert refusal(data).what == "not a whole .npy file"


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("shape", ["(2000000000, 1)", "(4294967295, 4294967295)", "(4294967296, 4294967296)"])
def test_a_claim_beyond_the_file_is_refused_before_it_costs_memory(refusal, shape):
    """Two thousand million float32 are 8 GB; the other products do not fit 64 bits once multiplied by 4."""
    tracemalloc.start()
    assert refusal(npy(shape=shape)).what == "not a whole .npy file"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (npy(descr="'<f8'", shape="(1, 3)"), "float64 (1, 3)"),
        (npy(descr="'>f4'"), ">f4 (2, 3)"),
        (npy(descr="'<i4'"), "int32 (2, 3)"),
        (npy(descr="'|u1'", shape="(4, 6)"), "uint8 (4, 6)"),
        (npy(shape="(6,)"), "float32 (6,)"),
        (npy(shape="(1, 2, 3)"), "float32 (1, 2, 3)"),
        (npy(shape="()"), "float32 ()"),
        (npy(shape="(0, 3)", data=b""), "float32 (0, 3)"),
        (npy(shape="(2, 0)", data=b""), "float32 (2, 0)"),
    ],
)
def test_another_array_than_expected_is_refused(refusal, data, got):
    problem = refusal(data)

    assert problem.what == "another array than this stage works on"
    assert (problem.expected, problem.got) == ("float32 of 2 dimensions, not empty", got)


@pytest.mark.filterwarnings("ignore")
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("{}[]()'\",:<f4 -0123TrueFals\\\0", max_size=40).map(lambda text: npy(descr=text)),
        st.tuples(st.integers(0, 90), st.integers(0, 255)).map(lambda change: replaced(npy(), *change)),
    )
)
@example(npy(descr="{[]: 1}"))
def test_any_bytes_give_an_array_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        array = arrays.read(path, np.float32, 2)
    except DataError:
        return
    assert (array.dtype, array.ndim) == (np.float32, 2)


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


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, run_main, assert_clean_failure):
    (tmp_path / "array.npy").write_bytes(b"old")

    ended = run_main(
        "import numpy",
        "from stages import arrays",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))",
        "arrays.write(Path('array.npy'), numpy.zeros(1000))",
    )

    assert_clean_failure(ended, 1, *ended.stderr.splitlines())
    assert ended.stderr.startswith("error: array.npy: 1000 requested and ")


SPLIT = Split(np.arange(8, dtype=np.float32).reshape(2, 2, 2) / 8, np.array([1, 0], np.uint8))


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
        "fix: delete it, then dvc repro, which restores or remakes it"
    )


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_either_array_of_a_split_may_be_what_is_wrong(tmp_path, name):
    arrays.write_split(tmp_path, SPLIT)
    arrays.write(tmp_path / name, np.zeros((2, 2), np.float64))

    with pytest.raises(DataError) as caught:
        arrays.read_split(tmp_path)

    [problem] = caught.value.problems
    assert (problem.subject, problem.got) == (str(tmp_path / name), "float64 (2, 2)")


def test_class_names_are_read_in_their_order(tmp_path):
    (tmp_path / "classes.json").write_bytes('["Ärmel", "服"]'.encode())

    assert arrays.read_classes(tmp_path / "classes.json") == ["Ärmel", "服"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not JSON"),
        (b'["a", "b"', "not JSON"),
        (b'["a", "b"] ["c"]', "not JSON"),
        (b"<html></html>", "not JSON"),
        ('["Ärmel"]'.encode("latin-1"), "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"7" * 5000, "not JSON"),
        (b"{}", "not a list of class names"),
        (b"[]", "not a list of class names"),
        (b'"ab"', "not a list of class names"),
        (b"null", "not a list of class names"),
        (b'["a", 1]', "not a list of class names"),
        (b'["a", null]', "not a list of class names"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_damaged_class_names_are_refused(tmp_path, data, what):
    path = tmp_path / "classes.json"
    path.write_bytes(data)

    with pytest.raises(DataError) as caught:
        arrays.read_classes(path)

    [problem] = caught.value.problems
    assert (problem.subject, problem.what) == (str(path), what)


@given(
    st.one_of(st.binary(max_size=50), st.lists(st.one_of(st.none(), st.text())).map(lambda v: json.dumps(v).encode()))
)
def test_any_bytes_give_class_names_or_a_data_error(path, data):
    path.write_bytes(data)
    try:
        names = arrays.read_classes(path)
    except DataError:
        return
    assert names == json.loads(data)
