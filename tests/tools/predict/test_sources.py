import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.command import Parser
from core.cli.errors import InputError, StageError
from core.images.decoding import MOST_FILE_BYTES
from tools.predict import __main__, sources


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


@pytest.mark.fault("a folder: its order, hidden files, links in a circle, none in it")
def test_a_folder_is_replaced_by_its_pictures_in_order():
    touch("a/2.png", "a/10.JPG", "a/b/1.webp", "a/b.bmp", "a/notes.txt", "a/.hidden.png", "a/.git/x.png", "z.gif")
    os.symlink(".", "a/circle", target_is_directory=True)

    names, problems, _ = sources.listed(["z.gif", "a", "test:3", "-", "a"])
    numbers = list(map(sources.test_image, ["test:0", "test:12", "test:", "test:-1", "./test:1", "test:1.png"]))

    inside = ["a/10.JPG", "a/2.png", "a/b.bmp", "a/b/1.webp"]
    assert names == ["z.gif", *inside, "test:3", "-", *inside] and problems == []
    assert numbers == [0, 12, None, None, None, None]


@pytest.mark.fault("a folder: its order, hidden files, links in a circle, none in it")
def test_files_that_are_left_out_are_counted_with_the_command_that_converts_them():
    touch("a/1.png", "a/2.GIF", "a/b/3.tiff", "a/b/4.gif", "a/.5.gif", "a/.git/6.gif", "b/7.heic", "c/notes.txt")

    names, problems, left_out = sources.listed(["a", "b", "c"])

    assert names == ["a/1.png"]
    assert left_out[0] == "a: left out 2 .gif, 1 .tiff: only .png, .jpg, .jpeg, .webp, .bmp files are read"
    assert left_out[1].startswith("to make PNG files of them, run: python -c ") and len(left_out) == 2
    photos, notes = map(str, problems)
    assert photos.startswith("b: no pictures in this folder (expected files named .png, ")
    assert "got 1 .heic); fix: make PNG files of them: python -m pip install pillow-heif" in photos
    assert notes.endswith(" got 1 .txt); fix: check the name and the permissions")


@pytest.mark.fault("a pipe, a device")
@pytest.mark.fault("standard input: closed, without end, asked for twice")
def test_pipes_devices_and_endless_input_are_refused(monkeypatch):
    """To open a pipe to which nobody writes would wait forever."""
    os.mkfifo("pipe.png")

    for name in ("pipe.png", "/dev/zero"):
        with pytest.raises(StageError, match=rf"^{name}: not a regular file; fix: "):
            sources.read(name)
    with open("/dev/zero", encoding="latin-1") as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(StageError, match=rf"^-: too large a file \(expected at most {MOST_FILE_BYTES} bytes"):
            sources.read("-")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(StageError, match=r"^-: not a picture \(.*an empty file\)"):
        sources.read("-")


def test_standard_input_is_a_picture_like_any_other(monkeypatch):
    Image.fromarray(np.full((3, 5), 7, np.uint8)).save("a.png")
    with open("a.png", encoding="latin-1") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert sources.read("-").image.size == (5, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "tools.predict: the following arguments are required: IMAGE"),
        (["a.png", "--invert", "maybe"], "tools.predict: argument --invert: invalid choice: 'maybe'"),
        (["a.png", "--form", "csv"], "tools.predict: unrecognized arguments: --form csv"),
        (["-", "a.png", "-"], "-: standard input can be read only once; fix: give - once"),
        (
            ["a.png", "--figure", "out.jpg"],
            "--figure: not the name of a PNG file (expected a name that ends in .png, got ",
        ),
        (["a.png", "--figure", ""], "--figure: not the name of a PNG file"),
        ([""], "IMAGE: an empty name; fix: give the name of a file or a folder"),
    ],
)
@pytest.mark.fault("standard input: closed, without end, asked for twice")
@pytest.mark.fault("a figure by the name of another kind of file")
def test_bad_arguments_are_refused(given, message):
    parser = Parser(prog="tools.predict", allow_abbrev=False)
    __main__.declare(parser)

    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        __main__.main(**vars(parser.parse_args(given)))
