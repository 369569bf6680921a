import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.command import Parser
from core.cli.errors import InputError, StageError
from core.formats.image_file import MOST_FILE_BYTES
from tools.predict import arguments, sources


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


@pytest.mark.fault("a folder: its order, hidden files, links in a circle, none in it")
def test_folders_are_replaced_by_the_pictures_in_them_in_order():
    touch("a/2.png", "a/10.JPG", "a/b/1.webp", "a/b.bmp", "a/notes.txt", "a/.hidden.png", "a/.git/x.png", "z.gif")
    os.symlink(".", "a/circle", target_is_directory=True)

    names, problems, _ = sources.listed(["z.gif", "a", "test:3", "-", "a"])

    inside = ["a/10.JPG", "a/2.png", "a/b.bmp", "a/b/1.webp"]
    assert names == ["z.gif", *inside, "test:3", "-", *inside] and problems == []


@pytest.mark.fault("a folder: its order, hidden files, links in a circle, none in it")
def test_a_folder_without_pictures_is_named():
    touch("empty/notes.txt", "full/a.png")

    names, (problem,), left_out = sources.listed(["empty", "full"])

    assert names == ["full/a.png"] and left_out == []
    assert str(problem).startswith("empty: no pictures in this folder that are read (expected files named .png, ")
    assert str(problem).endswith(" got 1 .txt); fix: check the name, and that it may be read")


def test_files_of_folders_that_are_left_out_are_named_with_how_to_convert_them():
    touch("a/1.png", "a/2.GIF", "a/b/3.tiff", "a/b/4.gif", "a/.5.gif", "a/.git/6.gif", "b/7.heic")

    names, (problem,), left_out = sources.listed(["a", "b"])

    assert names == ["a/1.png"]
    assert left_out[0] == "a: left out 2 .gif, 1 .tiff: only .png, .jpg, .jpeg, .webp, .bmp files are read"
    assert left_out[1].startswith("to make PNG files of them, run: python -c ") and left_out[1].endswith(
        " a .gif .tiff"
    )
    assert len(left_out) == 2
    assert "got 1 .heic); fix: make PNG files of them: python -m pip install pillow-heif" in str(problem)


@pytest.mark.parametrize(
    ("name", "number"),
    [("test:0", 0), ("test:12", 12), ("test:", None), ("test:-1", None), ("./test:1", None), ("test:1.png", None)],
)
def test_names_of_test_images(name, number):
    assert sources.test_image(name) == number


@pytest.mark.fault("a pipe, a device")
def test_what_is_no_regular_file_is_never_opened():
    """To open a pipe that nobody writes to would wait for ever."""
    os.mkfifo("pipe.png")

    for name in ("pipe.png", "/dev/zero"):
        with pytest.raises(StageError, match=rf"^{name}: not a regular file; fix: "):
            sources.read(name)


@pytest.mark.fault("one bad picture among good ones, a name that is not there")
@pytest.mark.fault("standard input: closed, without end, asked for twice")
def test_a_missing_file_and_standard_input_that_is_closed_are_refused(monkeypatch):
    with pytest.raises(StageError, match=r"^none\.png: No such file or directory; fix: check the name"):
        sources.read("none.png")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(StageError, match=r"^-: not a picture \(.*an empty file\)"):
        sources.read("-")


@pytest.mark.fault("standard input: closed, without end, asked for twice")
def test_of_standard_input_no_more_is_read_than_allowed(monkeypatch):
    with open("/dev/zero", encoding="latin-1") as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(StageError, match=rf"^-: too large a file \(expected at most {MOST_FILE_BYTES} bytes"):
            sources.read("-")


def test_standard_input_is_a_picture_as_any_other(monkeypatch):
    Image.fromarray(np.full((3, 5), 7, np.uint8)).save("a.png")
    with open("a.png", encoding="latin-1") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert sources.read("-").image.size == (5, 3)


@pytest.mark.parametrize("name", ["out.jpg", "out", "png", "a/out.png.pdf"])
@pytest.mark.fault("a figure by the name of another kind of file")
def test_a_figure_by_the_name_of_another_kind_of_file_is_refused(name):
    with pytest.raises(InputError, match=r"^--figure: .* \(expected a name that ends in .png, got ") as caught:
        arguments.check(["a.png"], Path(name))
    _, given = caught.value.problems[0].fix.split()
    arguments.check(["a.png"], Path(given))
    arguments.check(["a.png"], Path("OUT.PNG"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "the following arguments are required: IMAGE"),
        (["a.png", "--invert", "maybe"], "argument --invert: invalid choice: 'maybe'"),
        (["a.png", "--form", "csv"], "unrecognized arguments: --form csv"),
    ],
)
def test_what_can_not_be_meant_is_refused(given, message):
    with pytest.raises(InputError, match=f"^tools.predict: {re.escape(message)}.*; fix: tools.predict "):
        parser = Parser(prog="tools.predict", allow_abbrev=False)
        arguments.declare(parser)
        parser.parse_args(given)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["-", "a.png", "-"], "-: standard input can be read only once; fix: name - once"),
        ([""], "IMAGE: an empty name; fix: name a file or a folder"),
    ],
)
def test_names_that_make_no_sense_together_are_refused(images, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        arguments.check(images, None)
