"""The output of each format, read back by a reader of that format."""

import csv
import io
import json
import weakref

import numpy as np
import pytest

from tools.predict.formats import BLANK, FORMATS, Result

CLASSES = ["Coat", "=Bag()", "Dress"]
IMAGE = np.zeros((2, 2), np.uint8)
INVERTED = "inverted, as the border is light (255 of 255)"


def result(name="a.png", shares=(0.1, 0.7, 0.2), agreement=2, distance=0.5, notes=()):
    votes = np.where(np.arange(len(shares)) == np.argmax(shares), agreement, 0)
    return Result(name, IMAGE, np.float32(shares), votes, distance, notes)


def printed(kind, *batches, classes=CLASSES, networks=3):
    return "".join(FORMATS[kind](iter(batches), classes, networks))


@pytest.mark.fault("what matters of one picture lost among what holds for all")
def test_notes_that_most_pictures_share_are_printed_once_at_the_end():
    """Details in brackets do not make notes differ: two of the three pictures were inverted, two trimmed."""
    notes = [
        (INVERTED, "trimmed to the subject (9x8 of 50x40)", "cut to the first frame (of 2)"),
        ("inverted, as the border is light (250 of 255)", "trimmed to the subject (28x28 of 30x30)"),
        ("not inverted, as the border is dark (3 of 255)",),
    ]
    batches = [
        [result(notes=notes[0])],
        [],
        [
            result("a/rather/long/path/to/a/picture/of/a/coat.png", (0.99999, 0.00001, 0), 3, notes=notes[1]),
            result("d.png", (0, 1, 0), 1, np.inf, notes[2]),
        ],
    ]

    assert printed("text", *batches).splitlines() == [
        "file                              class   probability  runner-up       agreement",
        "a.png                             =Bag()       0.7000  Dress 0.2000    2 of 3",
        "  cut to the first frame (of 2)",
        "a/rather/long/path/to/a/picture/of/a/coat.png",
        "                                  Coat        >0.9999  =Bag() <0.0001  3 of 3",
        "d.png                             =Bag()       1.0000  Coat 0.0000     1 of 3",
        "  not inverted, as the border is dark (3 of 255)",
        "  unlike the training images (out of distribution): do not rely on the class",
        "",
        "3 pictures: 2 =Bag(), 1 Coat",
        "2 of 3: inverted, as the border is light",
        "2 of 3: trimmed to the subject",
        "1 of 3: unlike the training images (out of distribution): do not rely on the",
        "  class",
    ]


@pytest.mark.parametrize(("note", "count", "below"), [("large", 2, True), (BLANK, 3, True), (BLANK, 4, False)])
@pytest.mark.fault("what matters of one picture lost among what holds for all")
def test_a_note_of_half_and_a_flag_of_most_pictures_are_printed_below_each(note, count, below):
    lines = printed("text", [result(notes=(note,) * (number < count)) for number in range(4)]).splitlines()

    assert lines.count(f"  {note}") == below * count
    assert lines[-1] == "no picture is unlike the training images"
    share = "all 4" if count == 4 else f"{count} of 4"
    assert (f"{share}: {note}" in lines) == (note == BLANK)


def test_the_common_folder_is_printed_once_if_names_are_too_long():
    folder = "/a/rather/long/path/to/the/pictures"
    names = [f"{folder}/coat/1.png", f"{folder}/coats/2.png", f"{folder}/coat/3.png"]

    lines = printed("text", [result(name) for name in names]).splitlines()

    assert lines[0] == f"in {folder}/:"
    assert [line.split()[0] for line in lines[2:5]] == ["coat/1.png", "coats/2.png", "coat/3.png"]
    assert printed("text", [result("b/1"), result("b/2")]).splitlines()[1].startswith("b/1 ")


def test_json_and_csv_have_exact_numbers():
    batches = [result()], [], [result("b", distance=np.inf, notes=("x", "y"))]

    first, second = json.loads(printed("json", *batches))
    header, *rows = csv.reader(io.StringIO(printed("csv", *batches)))

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
    assert (second["distance"], second["unlike_training"], second["notes"]) == (None, True, ["x", "y"])
    assert header == list(first)[:-1]
    assert json.loads(printed("json")) == [] and len(printed("csv").splitlines()) == 1
    assert rows == [
        ["a.png", "'=Bag()", "0.7", "Dress", "0.2", "2", "3", "0.5", "false", ""],
        ["b", "'=Bag()", "0.7", "Dress", "0.2", "2", "3", "", "true", "x; y"],
    ]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.fault("names with line breaks, escape codes or text that turns direction, or that a spreadsheet would run")
def test_no_name_steers_a_terminal_or_is_a_formula_and_a_single_class_has_no_runner_up(kind):
    names = ["=cmd|' /C calc'!A0", "+1", "-x", "@SUM(A1)", 'a,b"c', "a\x1b]0;x\x07\n\udcff\u202e.png"]

    text = printed(kind, [result(name, [1], 1) for name in names], classes=["\u2066Coat"], networks=1)

    assert all(character.isprintable() or character == "\n" for character in text)
    if kind == "csv":
        _, *rows = csv.reader(io.StringIO(text))
        quoted = ["'=cmd|' /C calc'!A0", "'+1", "'-x", "'@SUM(A1)", 'a,b"c', "a\\x1b]0;x\\x07\\n\\udcff\\u202e.png"]
        assert [row[0] for row in rows] == quoted and {row[3] for row in rows} == {""}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.fault("very many pictures")
def test_no_image_is_kept_and_json_and_csv_are_printed_batch_by_batch(kind):
    images = []

    def batches():
        for _ in range(3):
            assert [image() for image in images[:-1]] == [None] * len(images[:-1])
            values = np.zeros((2, 2), np.uint8)
            images.append(weakref.ref(values))
            yield [result()._replace(values=values)]

    lines = FORMATS[kind](batches(), CLASSES, 3)
    while not images:
        next(lines)
    assert len(images) == (3 if kind == "text" else 1)
    assert "".join(lines) and len(images) == 3
