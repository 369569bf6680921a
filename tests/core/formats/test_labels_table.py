"""Tables of the labels of pictures, right and wrong."""

import pytest

from core.cli.errors import DataError
from core.formats import labels_table
from core.sources.tree import Tree
from tests.layouts import card

FILES = ["labels.csv", "pictures/10.jpg", "pictures/2.png", "pictures/a/x.png", "pictures/b/x.png"]


@pytest.fixture
def places(tmp_path):
    """A function that returns what a table with this text says of FILES."""

    def places(text, classes=None, **keys):
        (tmp_path / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        with Tree(tmp_path) as tree:
            names, placed = labels_table.places(tree, "labels.csv", FILES, card(classes=classes, **keys))
        assert all(place.split == "train" for place in placed.values())
        return names, {file: place.label for file, place in placed.items()}

    return places


@pytest.mark.parametrize("column", ["file", "filename", "image", "ID"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_table_gives_a_label_to_a_picture(places, column, ending):
    rows = [f"{column},size, Label ", "10.jpg,9,dog", 'pictures/2.png,7,"cat"', ""]

    assert places(b"\xef\xbb\xbf" + ending.join(rows).encode()) == (
        ["cat", "dog"],
        {"pictures/10.jpg": 1, "pictures/2.png": 0},
    )


def test_a_picture_is_named_by_the_end_of_its_path_with_or_without_suffix(places):
    assert places("id,label\n10,c\na/x,b\npictures/b/x.png,a\n")[1] == {
        "pictures/10.jpg": 2,
        "pictures/a/x.png": 1,
        "pictures/b/x.png": 0,
    }


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (("10", "9"), None, (["9", "10"], (1, 0))),  # numbers are sorted as numbers
        (("10", "x"), None, (["10", "x"], (0, 1))),
        (("1", "0"), ["cat", "dog"], (["cat", "dog"], (1, 0))),
        (("3", "1"), ["cat", "dog"], (["cat", "dog"], (3, 1))),  # of what is out of range, download says more
        (("1", "0"), ["1", "0"], (["1", "0"], (0, 1))),
        (("1", "0"), ["1", "2", "0"], (["1", "2", "0"], (0, 2))),
        (("dog", "cat"), ["dog", "cat", "cow"], (["dog", "cat", "cow"], (0, 1))),
    ],
)
def test_labels_are_names_or_numbers(places, labels, classes, expected):
    names, placed = places("file,label\n10,{}\n2,{}\n".format(*labels), classes)

    assert (names, tuple(placed.values())) == expected


def test_names_and_numbers_count_from_the_first_label(places):
    assert list(places("file,label\n10,dog\n2,cat\n", first_label=1)[1].values()) == [2, 1]
    assert list(places("file,label\n10,2\n2,1\n", first_label=1)[1].values()) == [2, 1]
    assert list(places("file,label\n10,2\n2,1\n", ["cat", "dog"], first_label=1)[1].values()) == [2, 1]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["labels.csv: no such columns (expected file and label, got nothing)"]),
        ("file;label\n", ["labels.csv: no such columns (expected file and label, got file;label)"]),
        ("name,label\n", ["labels.csv: no such columns (expected file and label, got name, label)"]),
        ("file,label\n", ["labels.csv: no rows"]),
        ("file,label\n2.png\n", ["labels.csv: line 2: a row that is too short (expected 2 values, got 1)"]),
        (
            "file,label\n10,a\n3.png,a\nx,a\n\n10.jpg,a\n,a\n",
            [
                "labels.csv: line 3: no such picture (expected one picture, got 3.png)",
                "labels.csv: line 4: several pictures (expected one picture, got x)",
                "labels.csv: line 6: a picture listed twice (expected one picture, got 10.jpg)",
                "labels.csv: line 7: no such picture (expected one picture, got nothing)",
            ],
        ),
        (
            "file,label\n" + 22 * "3,a\n",
            [*(f"labels.csv: line {line}: no such picture" for line in range(2, 22)), "the files: 2 more problems"],
        ),
        (f"file,label\n2,{'x' * 200000}\n", ["labels.csv: no table: field larger than field limit (131072)"]),
        (b"file,label\n\xe4,a\n", ["labels.csv: no table: 'utf-8' codec can't decode byte 0xe4"]),
    ],
)
@pytest.mark.fault("a table of labels without its columns, with rows that fit no picture, or with none")
def test_a_wrong_table_is_refused_by_its_lines(places, tmp_path, text, lines):
    with pytest.raises(DataError) as caught:
        places(text)

    found = [str(problem).removeprefix(f"{tmp_path}/").split("; fix: ")[0] for problem in caught.value.problems]
    assert [line[: len(expected)] for line, expected in zip(found, lines, strict=True)] == lines


@pytest.mark.fault("a label that is no class")
def test_a_label_that_is_no_class_is_named_with_its_line(places):
    with pytest.raises(
        DataError, match="line 3: 'cow' is neither a class nor the number of one; fix: correct the row, or list all"
    ):
        places("file,label\n10,dog\n2,cow\n", ["cat", "dog"])
