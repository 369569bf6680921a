"""Image folders in right and wrong layouts. The files need not be pictures, as image_folder decodes none."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.errors import DataError
from core.config import datasets
from core.formats import image_file, image_folder

SUFFIXES = ".png, .jpg, .jpeg, .webp, .bmp"
EMPTY = "no pictures of this class that can be read"


@pytest.fixture
def make(tmp_path):
    """A function that fills a folder with files that hold their own names, and returns an entry for it."""

    def make(*names, **keys):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return datasets.ImageFolder(
            title="t", description="d", licence="l", image_shape=[2, 3], source="images", folder=str(tmp_path), **keys
        )

    return make


def refusal(entry, tmp_path):
    with pytest.raises(DataError) as caught:
        image_folder.listing(entry)
    assert all("then dvc repro" in problem.fix for problem in caught.value.problems)
    return [str(problem).replace(f"{tmp_path}/", "").split("; fix: ")[0] for problem in caught.value.problems]


def test_classes_are_folders_within_train_and_test(make):
    listing = image_folder.listing(
        make("train/b/2.png", "train/b/1.JPG", "train/a/x.webp", "test/a/x.jpeg", "test/b/1.bmp")
    )

    assert listing.classes == ["a", "b"]
    assert [(place.name, place.label, place.split) for place in listing.places] == [
        ("test/a/x.jpeg", 0, "test"),
        ("test/b/1.bmp", 1, "test"),
        ("train/a/x.webp", 0, "train"),
        ("train/b/1.JPG", 1, "train"),
        ("train/b/2.png", 1, "train"),
    ]
    assert [place.path.read_text() for place in listing.places] == [place.name for place in listing.places]


@pytest.mark.parametrize(("classes", "labels"), [([], [0, 1, 2]), (["c", "a", "b"], [1, 2, 0])])
def test_classes_are_the_folders_with_a_test_fraction_in_the_order_of_the_entry(make, classes, labels):
    chosen = {"classes": classes} if classes else {}
    listing = image_folder.listing(make("b/1.png", "a/1.png", "c/1.png", test_fraction=0.5, **chosen))

    assert listing.classes == (classes or ["a", "b", "c"])
    assert [tuple(place[1:]) for place in listing.places] == [
        (f"{name}/1.png", label, "") for name, label in zip("abc", labels, strict=True)
    ]


@pytest.mark.fault("hidden files, and files that are no pictures by their names")
def test_hidden_files_are_ignored_and_other_files_are_counted(make):
    entry = make("a/1.png", "a/.DS_Store", "a/notes.txt", ".git/x.png", "README.md", "a/.1.png", test_fraction=0.5)

    listing = image_folder.listing(entry)

    assert [place.name for place in listing.places] == ["a/1.png"]
    assert listing.others == {".txt": 1, ".md": 1}


@pytest.mark.fault("pictures of other kinds (GIF, TIFF, HEIC) left out without a word, and how to convert them")
def test_files_left_out_are_named_by_their_suffixes_the_most_frequent_first():
    others = {".txt": 1, ".gif": 1200, "": 2, ".xmp": 1}

    line, command = image_folder.left_out("own", others)

    assert line.startswith("own: left out 1,200 .gif, 2 without a suffix, 1 .txt, 1 .xmp: only .png, .jpg, ")
    assert command.startswith('to make PNG files of them, run: python -c "') and command.endswith(" own .gif")
    assert image_folder.converter("own", [".heic"]).startswith("python -m pip install pillow-heif && python -c ")
    assert image_folder.left_out("own", {}) == []
    assert len(image_folder.left_out("own", {".txt": 1})) == 1
    assert image_folder.counted({f".{letter}": 2 for letter in "abcdefghij"}).endswith("2 .h, 4 others")


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

    command = image_folder.converter("it's $HOME", [".gif", ".tif", ".tiff", ".txt"])
    subprocess.run(["/bin/sh", "-c", command.replace("python", f"'{sys.executable}'", 1)], check=True)

    made = {path.name: path for path in Path("it's $HOME").rglob("*.png")}
    assert set(made) == {"a.gif.png", "B.GIF.png", "c.tiff.png", "turned.tif.png", "16 bits.tif.png"}
    for name, path in made.items():
        image = image_file.decode(image_file.read(path), name).image
        expected = np.rot90(rows, -1) if name.startswith("turned") else rows
        assert image_file.grey(image, 255).tolist() == expected.tolist(), name


@pytest.mark.fault("a system that takes letters with accents apart")
def test_accents_may_be_stored_apart_from_their_letters(make, tmp_path):
    entry = make("A\u0308rmel/1.png", test_fraction=0.5, classes=["\u00c4rmel"])

    assert image_folder.listing(entry).places[0].name == "\u00c4rmel/1.png"


FRACTION = {"test_fraction": 0.5}
NO_CLASSES = "no class folders here (expected a folder for each class, got"


@pytest.mark.parametrize(
    ("names", "keys", "lines"),
    [
        ([], {}, [f".: {NO_CLASSES} an empty folder)"]),
        (["1.png", "2.jpg"], {}, [f".: {NO_CLASSES} 2 pictures directly in it)"]),
        (["train/a/1.png"], {}, [".: not the folders of a data set (expected train and test alone, got train)"]),
        (["train/a/1.png", "test/a/1.png"], FRACTION, [".: already split into train and test"]),
        (["a/1.png", "b/1.gif", "b/2.HEIC"], FRACTION, [f"b: {EMPTY} (expected {SUFFIXES}, got 1 .gif, 1 .heic)"]),
        (
            ["a/1.png", "2.png", "b/c/1.png"],
            FRACTION,
            ["2.png: a picture in no class", "b/c: a folder in a class folder", f"b: {EMPTY}"],
        ),
        (
            ["a/1.png", "b/1.png"],
            FRACTION | {"classes": ["a", "c"]},
            [".: its folders are not the classes of datasets.yaml: b or c"],
        ),
    ],
)
@pytest.mark.fault("a folder that is not there, or is laid out otherwise")
@pytest.mark.fault("a class without pictures, pictures in no class or directly in the folder, a folder within a class")
@pytest.mark.fault("folders that are other classes than the entry lists")
def test_a_wrong_layout_is_refused_with_every_problem(make, tmp_path, names, keys, lines):
    assert [line.replace(str(tmp_path), ".") for line in refusal(make(*names, **keys), tmp_path)] == lines


@pytest.mark.parametrize("names", [["a/1.png", "A/1.png"], [f"{'a' * 65}/1.png"]])
@pytest.mark.fault("folders whose names are equal to the eye, too long, or no text")
def test_folders_that_are_no_class_names_are_to_be_renamed(make, names):
    with pytest.raises(DataError, match="fix: rename or remove folders, then dvc repro"):
        image_folder.listing(make(*names, **FRACTION))


@pytest.mark.parametrize(("name", "what"), [("none", "no such folder"), ("table.csv", "a file, not a folder")])
@pytest.mark.fault("a folder that is not there, or is laid out otherwise")
@pytest.mark.fault("an archive or a table in the place of the folder")
def test_a_missing_folder_or_a_file_in_its_place_is_named(make, tmp_path, name, what):
    entry = make("table.csv")

    assert refusal(entry.model_copy(update={"folder": str(tmp_path / name)}), tmp_path) == [f"{name}: {what}"]


def test_a_name_that_is_no_text_is_a_line(make, tmp_path):
    entry = make(test_fraction=0.5)
    os.makedirs(os.fsencode(tmp_path) + b"/\xff")

    [line] = refusal(entry, tmp_path)
    assert line.isprintable()


@pytest.mark.fault("hundreds of faults in one folder")
def test_the_first_twenty_of_many_problems_are_shown(make, tmp_path):
    lines = refusal(make(*(f"class {number:02}/a.txt" for number in range(30)), test_fraction=0.5), tmp_path)

    assert lines[19:] == [f"class 19: {EMPTY}", "the folder: 10 more problems"]


@pytest.mark.fault("a picture is changed, renamed, moved, added or removed")
def test_the_pin_is_the_hash_of_a_list_that_a_shell_can_make(make):
    """`find . -type f | cut -c3- | sort`, each with its `sha256sum`: it pins each name and each byte."""
    entry = make("b/\u00e4.png", "a/1.png", test_fraction=0.5)
    lines = "".join(f"{name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("a/1.png", "b/\u00e4.png"))

    assert image_folder.pin(entry) == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.fault("pictures that can't be read, a pipe among them")
def test_a_pipe_among_the_pictures_does_not_block(make, tmp_path):
    entry = make("a/1.png", test_fraction=0.5)
    os.mkfifo(tmp_path / "a/2.png")

    with pytest.raises(DataError, match="not a regular file"):
        image_folder.pin(entry)


@pytest.mark.parametrize(
    ("of_folder", "sha256", "fraction", "split"),
    [("", "3" + "f" * 63, 0.25, "test"), ("", "4" + "0" * 63, 0.25, "train"), ("train", "0" * 64, 0, "train")],
)
@pytest.mark.fault("a picture that is added and moves others into the other split")
def test_the_split_is_of_the_folder_or_test_if_the_hash_is_below_the_fraction(of_folder, sha256, fraction, split):
    place = image_folder.Place("a/1.png", "a/1.png", 0, of_folder)

    assert image_folder.split_of(place, sha256, fraction) == split
