"""The files beside pictures: how they are counted, and the command that converts them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.images import decoding, pixels, suffixes


@pytest.mark.fault("pictures of other kinds (GIF, TIFF, HEIC) left out without a word, and how to convert them")
def test_files_left_out_are_named_by_their_suffixes_the_most_frequent_first():
    others = {".txt": 1, ".gif": 1200, "": 2, ".xmp": 1}

    line, command = suffixes.left_out("own", others)

    assert line.startswith("own: left out 1,200 .gif, 2 without a suffix, 1 .txt, 1 .xmp: only .png, .jpg, ")
    assert command.startswith('to make PNG files of them, run: python -c "') and command.endswith(" own .gif")
    assert suffixes.converter("own", [".heic"]).startswith("python -m pip install pillow-heif && python -c ")
    assert suffixes.left_out("own", {}) == []
    assert len(suffixes.left_out("own", {".txt": 1})) == 1
    assert suffixes.counted({f".{letter}": 2 for letter in "abcdefghij"}).endswith("2 .h, 4 others")


@pytest.mark.fault("pictures of other kinds (GIF, TIFF, HEIC) left out without a word, and how to convert them")
def test_the_printed_command_makes_png_files(tmp_path, monkeypatch):
    """In a folder whose name a shell would take apart, in folders below it, whatever the case of the suffix."""
    monkeypatch.chdir(tmp_path)
    rows = np.arange(12, dtype=np.uint8).reshape(3, 4)
    upright = Image.Exif()
    upright[0x0112] = 6  # shown turned clockwise by a quarter
    for name, options in {
        "a.gif": {},
        "deep/er/B.GIF": {"save_all": True, "append_images": [Image.fromarray(255 - rows)]},
        "c.tiff": {},
        "turned.tif": {"exif": upright},
        "16 bits.tif": {},
        "notes.gif.txt": {"format": "GIF"},
    }.items():
        path = Path("it's $HOME", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rows.astype(np.uint16) * 257 if name[0] == "1" else rows).save(path, **options)

    command = suffixes.converter("it's $HOME", [".gif", ".tif", ".tiff", ".txt"])
    subprocess.run(["/bin/sh", "-c", command.replace("python", f"'{sys.executable}'", 1)], check=True)

    made = {path.name: path for path in Path("it's $HOME").rglob("*.png")}
    assert set(made) == {"a.gif.png", "B.GIF.png", "c.tiff.png", "turned.tif.png", "16 bits.tif.png"}
    for name, path in made.items():
        image = decoding.decode(decoding.read(path), name).image
        expected = np.rot90(rows, -1) if name.startswith("turned") else rows
        assert pixels.grey(image, 255).tolist() == expected.tolist(), name
