"""What is printed of results, read back by the readers of each format."""

import csv
import io
import json

import numpy as np
import pytest

from tools.predict.formats import FORMATS, Result

CLASSES = ["Coat", "=Bag()", "Dress"]
IMAGE = np.zeros((2, 2), np.uint8)


def result(name="a.png", shares=(0.1, 0.7, 0.2), agreement=2, distance=0.5, notes=()):
    return Result(name, IMAGE, np.float32(shares), agreement, distance, notes)


def printed(kind, *batches, classes=CLASSES, networks=3):
    return "".join(FORMATS[kind](iter(batches), classes, networks))


def test_the_table_is_spelt_out():
    batches = [
        [result(notes=("the first of 2 frames", "inverted, as its border is light (255 of 255)"))],
        [result("a/rather/long/path/to/a/picture/of/a/coat.png", (0.99999, 0.00001, 0), 3)],
        [result("c.png", (0, 1, 0), 1, 2.345), result("d.png", (0, 0, 1), 1, np.inf)],
    ]

    assert printed("text", *batches).splitlines() == [
        "file                              class   probability  runner-up       agreement",
        "a.png                             =Bag()       0.7000  Dress 0.2000    2 of 3",
        "  the first of 2 frames; inverted, as its border is light (255 of 255)",
        "a/rather/long/path/to/a/picture/of/a/coat.png",
        "                                  Coat        >0.9999  =Bag() <0.0001  3 of 3",
        "c.png                             =Bag()       1.0000  Coat 0.0000     1 of 3",
        "  unlike the training images: 2.3 times as far from typical ones as 99 % of",
        "  those; its class says little",
        "d.png                             Dress        1.0000  Coat 0.0000     1 of 3",
        "  unlike the training images: infinitely many times as far from typical ones as",
        "  99 % of those; its class says little",
    ]


def test_json_has_all_exactly():
    shares = np.float32([0.1, 0.7, 0.2])

    first, second = json.loads(printed("json", [result()], [], [result("b", distance=np.inf, notes=("x", "y"))]))

    assert first == {
        "file": "a.png",
        "class": "=Bag()",
        "probability": 0.7,
        "runner_up": "Dress",
        "runner_up_probability": 0.2,
        "agreement": 2,
        "networks": 3,
        "distance": 0.5,
        "unlike_training": False,
        "notes": [],
        "probabilities": {"Coat": 0.1, "=Bag()": 0.7, "Dress": 0.2},
    }
    assert np.float32(list(first["probabilities"].values())).tobytes() == shares.tobytes()
    assert (second["distance"], second["unlike_training"], second["notes"]) == (None, True, ["x", "y"])


@pytest.mark.parametrize("batches", [[], [[]]])
def test_nothing_to_say_is_a_whole_file_too(batches):
    assert json.loads(printed("json", *batches)) == []
    assert len(list(csv.reader(io.StringIO(printed("csv", *batches))))) == 1


def test_csv_is_read_back_and_no_cell_is_a_formula():
    names = ["=cmd|' /C calc'!A0", "+1", "-x", "@SUM(A1)", 'a,b"c', "new\nline", "esc\x1b[31m"]

    header, *rows = csv.reader(io.StringIO(printed("csv", [result(name) for name in names])))

    assert header[:3] == ["file", "class", "probability"]
    assert [row[0] for row in rows] == [
        "'=cmd|' /C calc'!A0", "'+1", "'-x", "'@SUM(A1)", "a,b\"c", "new\\nline", "esc\\x1b[31m",
    ]  # fmt: skip
    assert {tuple(row[1:]) for row in rows} == {
        ("'=Bag()", "0.7", "Dress", "0.2", "2", "3", "0.5", "false", ""),
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_no_name_steers_a_terminal_and_one_class_has_no_runner_up(kind):
    hostile = Result("a\x1b]0;x\x07\n\udcff\u202e.png", IMAGE, np.float32([1]), 1, 0.5, ())

    text = printed(kind, [hostile], classes=["\u2066Coat"], networks=1)

    assert all(character.isprintable() or character == "\n" for character in text)


def test_results_are_printed_as_they_come():
    """And not kept: of a folder of many thousands a batch at a time is in memory."""
    taken = []

    def batches():
        for number in range(3):
            taken.append(number)
            yield [result()]

    for kind in FORMATS:
        taken.clear()
        lines = FORMATS[kind](batches(), CLASSES, 3)
        while not taken:
            next(lines)
        assert taken == [0]
