"""What is printed of results, read back by the readers of each format."""

import csv
import io
import json
import weakref

import numpy as np
import pytest

from stages.render import duplicates
from tools.predict.formats import BLANK, FORMATS, Result

CLASSES = ["Coat", "=Bag()", "Dress"]
IMAGE = np.zeros((2, 2), np.uint8)


def result(name="a.png", shares=(0.1, 0.7, 0.2), agreement=2, distance=0.5, notes=()):
    return Result(name, IMAGE, np.float32(shares), agreement, distance, notes)


def printed(kind, *batches, classes=CLASSES, networks=3, **options):
    return "".join(FORMATS[kind](iter(batches), classes, networks, **options))


INVERTED = "inverted, as its border is light (255 of 255)"


def test_one_picture_has_its_notes_below_its_line_and_no_summary():
    one = result(notes=("the first of 2 frames", INVERTED), distance=2.345)

    assert printed("text", [one], trained=lambda digests: digests).splitlines() == [
        "file                              class   probability  runner-up       agreement",
        "a.png                             =Bag()       0.7000  Dress 0.2000    2 of 3",
        "  the first of 2 frames; inverted, as its border is light (255 of 255)",
        "  unlike the training images: its class says little",
    ]


@pytest.mark.fault("what matters of one picture lost among what holds for all")
def test_of_several_what_most_have_is_said_once_and_the_rest_below_their_lines():
    """Numbers in notes do not make them differ: two of the three were inverted, two trimmed."""
    notes = [
        (INVERTED, "trimmed to the subject (9x8 of 50x40)", "the first of 2 frames"),
        ("inverted, as its border is light (250 of 255)", "trimmed to the subject (28x28 of 30x30)"),
        ("not inverted, as its border is dark (3 of 255)",),
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
        "  the first of 2 frames",
        "a/rather/long/path/to/a/picture/of/a/coat.png",
        "                                  Coat        >0.9999  =Bag() <0.0001  3 of 3",
        "d.png                             =Bag()       1.0000  Coat 0.0000     1 of 3",
        "  not inverted, as its border is dark (3 of 255)",
        "  unlike the training images: its class says little",
        "",
        "3 pictures: 2 =Bag(), 1 Coat",
        "2 of 3: inverted, as its border is light",
        "2 of 3: trimmed to the subject",
        "1 of 3: unlike the training images, so that their classes say little",
    ]


def test_what_half_of_the_pictures_have_is_not_said_of_all():
    notes = [("large",), ("large",), ("small",), ("small",)]

    lines = printed("text", [result(notes=each) for each in notes]).splitlines()

    assert lines[2::2][:4] == ["  large", "  large", "  small", "  small"]
    assert lines[-2:] == ["4 pictures: 4 =Bag()", "none is unlike the training images"]


@pytest.mark.fault("what matters of one picture lost among what holds for all")
def test_a_flag_is_said_of_each_picture_unless_all_have_it():
    flag = "  unlike the training images: its class says little"

    most = printed("text", [result(distance=distance) for distance in (2, 2, 2, 0.5)]).splitlines()
    every = printed("text", [result(distance=2)] * 4).splitlines()

    assert most.count(flag) == 3 and every.count(flag) == 0
    assert most[-1].startswith("3 of 4: unlike") and every[-1].startswith("all 4: unlike")


@pytest.mark.fault("training images taken for new pictures")
def test_training_images_are_told_by_what_the_networks_were_given():
    """The digests that are asked about are those of pixels in [0, 1], as the training images are kept."""
    images = [np.full((2, 2), value, np.uint8) for value in (10, 20, 30)]
    known = set(duplicates.digests(np.stack(images[1:2]) / np.float32(255)))
    asked = []

    def trained(digests):
        asked.append(len(digests))
        return digests & known

    lines = printed("text", [result()._replace(values=image) for image in images], trained=trained).splitlines()

    assert asked == [3]
    assert [number for number, line in enumerate(lines) if line.startswith("  one of the training images")] == [3]
    assert lines[-2] == "1 of 3: training images, pixel for pixel, so that right classes say little"


def test_a_folder_that_all_names_begin_with_is_said_once_where_they_are_too_long():
    folder = "/a/rather/long/path/to/the/pictures"
    names = [f"{folder}/coat/1.png", f"{folder}/coats/2.png", f"{folder}/coat/3.png"]

    lines = printed("text", [result(name) for name in names]).splitlines()

    assert lines[0] == f"in {folder}/:"
    assert [line.split()[0] for line in lines[2:5]] == ["coat/1.png", "coats/2.png", "coat/3.png"]
    assert printed("text", [result("b/1"), result("b/2")]).splitlines()[1].startswith("b/1 ")
    assert f"\n{names[0]}\n" in printed("text", [result(names[0]), result("test:1")])


def test_of_very_many_classes_the_most_frequent_are_counted():
    names = [f"class {number}" for number in range(30)]
    each = np.eye(30, dtype=np.float32)

    summary = printed("text", [result(shares=row) for row in [*each, each[7]]], classes=names).split("\n\n")[1]

    assert " ".join(summary.split()).startswith("31 pictures: 2 class 7, 1 class 0, ")
    assert "1 class 19, 10 of other classes" in " ".join(summary.split())
    assert max(map(len, summary.splitlines())) <= 80


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


@pytest.mark.fault("names with line breaks, escape codes or text that turns direction, or that a spreadsheet would run")
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
@pytest.mark.fault("names with line breaks, escape codes or text that turns direction, or that a spreadsheet would run")
def test_no_name_steers_a_terminal_and_one_class_has_no_runner_up(kind):
    hostile = Result("a\x1b]0;x\x07\n\udcff\u202e.png", IMAGE, np.float32([1]), 1, 0.5, ())

    text = printed(kind, [hostile], classes=["\u2066Coat"], networks=1)

    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.fault("very many pictures")
def test_programs_are_given_results_as_they_come():
    """And not at the end: of a folder of many thousands a batch at a time is in memory."""
    taken = []

    def batches():
        for number in range(3):
            taken.append(number)
            yield [result()]

    for kind in ("json", "csv"):
        taken.clear()
        lines = FORMATS[kind](batches(), CLASSES, 3)
        while not taken:
            next(lines)
        assert taken == [0]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.fault("very many pictures")
def test_no_image_is_kept_when_the_next_batch_is_asked_for(kind):
    images = []

    def batches():
        for _ in range(3):
            assert [image() for image in images[:-1]] == [None] * len(images[:-1])
            values = np.zeros((2, 2), np.uint8)
            images.append(weakref.ref(values))
            yield [result()._replace(values=values)]

    assert "a.png" in "".join(FORMATS[kind](batches(), CLASSES, 3))
    assert len(images) == 3


def test_a_picture_that_shows_nothing_is_told_though_most_do():
    """Of three, two are blank: each has its line, and the summary counts them."""
    blank = [result(f"{number}.png", notes=(BLANK,)) for number in range(2)]

    said = printed("text", [*blank, result("full.png")])

    assert said.count(f"  {BLANK}\n") == 2
    assert "2 of 3: nothing stands out from the background" in said
