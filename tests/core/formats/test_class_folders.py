"""Folders of classes in right and wrong layouts. The files need not be pictures, as none is decoded."""

import os

import pytest

from core.cli.errors import DataError
from core.formats import pictures
from core.sources.tree import Tree
from tests.layouts import card, zipped

SUFFIXES = ".png, .jpg, .jpeg, .webp, .bmp"


@pytest.fixture
def make(tmp_path):
    """A function that fills a folder with empty files."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    return make


def places(folder, **keys):
    """Return the class names, and the split and label of each picture by its name."""
    with Tree(folder) as tree:
        return pictures.class_folders.places(tree, tree.files, card(**keys))


def refusal(folder, **keys):
    with Tree(folder) as tree, pytest.raises(DataError) as caught:
        pictures.read(tree, card(**keys))
    assert all(problem.fix.endswith(", then dvc repro") for problem in caught.value.problems)
    return [
        str(problem).replace(f"{folder}/", "").replace(str(folder), ".").split("; fix: ")[0]
        for problem in caught.value.problems
    ]


def test_classes_are_folders_within_the_splits(make, tmp_path):
    make("train/b/2.png", "train/b/1.JPG", "train/a/x.webp", "Test/a/x.jpeg", "Test/b/1.bmp", "val/a/1.png")

    assert places(tmp_path) == (
        ["a", "b"],
        {
            "Test/a/x.jpeg": ("test", 0),
            "Test/b/1.bmp": ("test", 1),
            "train/a/x.webp": ("train", 0),
            "train/b/1.JPG": ("train", 1),
            "train/b/2.png": ("train", 1),
            "val/a/1.png": ("validation", 0),
        },
    )


def test_splits_have_the_names_that_files_of_splits_have(make, tmp_path):
    splits = {"training": "train", "Testing": "test", "t10k": "test"}
    splits |= dict.fromkeys(("val", "valid", "validation"), "validation")
    make(*(f"{name}/a/1.png" for name in splits))

    assert places(tmp_path)[1] == {f"{name}/a/1.png": (split, 0) for name, split in splits.items()}


@pytest.mark.parametrize(("classes", "labels"), [(None, [0, 1, 2]), (["c", "a", "b"], [1, 2, 0])])
def test_classes_without_splits_have_the_order_of_the_card(make, tmp_path, classes, labels):
    make("b/1.png", "a/1.png", "c/1.png")

    found, placed = places(tmp_path, classes=classes)

    assert found == (classes or ["a", "b", "c"])
    assert placed == {f"{name}/1.png": ("train", label) for name, label in zip("abc", labels, strict=True)}


def test_labels_count_from_the_first_label(make, tmp_path):
    make("a/1.png", "b/2.png")

    assert [place.label for place in places(tmp_path, first_label=1)[1].values()] == [1, 2]


def test_a_class_may_be_called_train(make, tmp_path):
    make("train/1.png", "plane/1.png")

    assert places(tmp_path)[1] == {"plane/1.png": ("train", 0), "train/1.png": ("train", 1)}


@pytest.mark.parametrize("names", [["train/a/1.png", "test/a/1.png"], ["a/1.png", "b/1.png"]])
@pytest.mark.fault("folders around the folders of a data set, as in many zip files")
def test_folders_around_a_data_set_do_not_count(make, tmp_path, names):
    make(*names)
    expected = [(f"own/deep/{name}", place) for name, place in places(tmp_path)[1].items()]
    (tmp_path / "outer/own").mkdir(parents=True)
    for name in {name.split("/")[0] for name in names}:
        (tmp_path / name).rename(tmp_path / "outer/own" / name)
    (tmp_path / "outer/own").rename(tmp_path / "outer/deep")
    (tmp_path / "outer").rename(tmp_path / "own")
    make("licence.txt", "documentation/more.txt")

    assert list(places(tmp_path)[1].items()) == expected


@pytest.mark.fault("hidden files, and files that are no pictures by their names")
def test_hidden_files_and_other_files_are_no_pictures(make, tmp_path):
    make("a/1.png", "a/.DS_Store", "a/notes.txt", ".git/x.png", "README.md", "a/.1.png", "b/2.png", "x.csv")

    assert list(places(tmp_path)[1]) == ["a/1.png", "b/2.png"]


@pytest.mark.fault("a system that takes letters with accents apart")
def test_accents_may_be_stored_apart_from_their_letters(make, tmp_path):
    make("A\u0308rmel/1.png", "b/1.png")

    assert places(tmp_path, classes=["b", "\u00c4rmel"])[1]["A\u0308rmel/1.png"] == ("train", 1)


@pytest.mark.parametrize(
    ("names", "empty", "lines"),
    [
        (["a/1.png", "b/1.png"], "c", ["c: no train picture of class c"]),
        (["a/1.png"], "b", ["b: no train picture of class b"]),
        (["own/a/1.png", "own/b/1.png"], "own/.git/c", []),
        (["train/a/1.png", "test/a/1.png"], "train/b", [".: no test picture of class b", "train/b: no train picture"]),
        (["train/a/1.png", "test/a/1.png"], "more", []),
        (["own/a/1.png", "own/b/1.png"], "more", []),
    ],
)
@pytest.mark.fault("a class folder that was emptied")
def test_an_empty_folder_beside_class_folders_is_a_class_without_pictures(make, tmp_path, names, empty, lines):
    make(*names)
    (tmp_path / empty).mkdir(parents=True)
    if not lines:
        with Tree(tmp_path) as tree:
            assert "c" not in pictures.read(tree, card()).classes
        return

    for hidden in ([], [f"{empty}/.DS_Store"]):
        make(*hidden)
        found = refusal(tmp_path)
        assert [line.startswith(start) for line, start in zip(found, lines, strict=True)] == [True] * len(lines)
        assert all("got no files" in line for line in found)


def test_an_empty_folder_beside_an_archive_is_no_class(tmp_path):
    (tmp_path / "own.zip").write_bytes(zipped({"a/1.png": b"", "b/2.png": b""}))
    (tmp_path / "c").mkdir()
    with Tree(tmp_path) as tree:
        assert pictures.read(tree, card()).classes == ["a", "b"]


NONE = "no train picture of class b that can be read"


@pytest.mark.parametrize(
    ("names", "keys", "lines"),
    [
        (["1.png", "2.jpg"], {}, [".: all pictures in one folder (expected a folder for each class, got none)"]),
        (["own/1.png"], {}, ["own: all pictures in one folder (expected a folder for each class, got none)"]),
        (
            ["train/a/1.png", "test/a/1.png", "more/a/1.png"],
            {},
            [".: folders beside the splits (expected train and test, maybe validation, got more, test, train)"],
        ),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png"],
            {},
            [f".: no test picture of class b that can be read (expected {SUFFIXES}, got no files)"],
        ),
        (["a/1.png", "b/1.gif", "b/2.HEIC"], {}, [f"b: {NONE} (expected {SUFFIXES}, got 1 .gif, 1 .heic)"]),
        (["a/1.png", "c/1.png", "b/1.cr2"], {}, [f"b: {NONE} (expected {SUFFIXES}, got 1 .cr2)"]),
        (
            ["a/1.png", "2.png", "b/c/1.png", "b/c/2.png", "b/3.png"],
            {},
            ["2.png: a picture outside the class folders", "b/c: a folder in a class folder"],
        ),
        (
            ["train/1.png", "test/2.png"],
            {},
            ["test/2.png: a picture outside the class folders", "train/1.png: a picture outside the class folders"],
        ),
        (
            ["a/1.png", "b/1.png"],
            {"classes": ["a", "c"]},
            [".: its folders are not the classes of the card: b or c"],
        ),
    ],
)
@pytest.mark.fault("a folder that is not there, or is laid out otherwise")
@pytest.mark.fault("a class without pictures, pictures in no class or directly in the folder, a folder within a class")
@pytest.mark.fault("folders that are other classes than the card lists")
def test_a_wrong_layout_is_refused_with_every_problem(make, tmp_path, names, keys, lines):
    make(*names)

    assert refusal(tmp_path, **keys) == lines


def test_a_validation_split_may_lack_a_class_but_not_its_readable_pictures(make, tmp_path):
    names = [f"{split}/{name}/1.png" for split in ("train", "test") for name in "ab"]
    make(*names, "val/a/1.png")
    assert len(places(tmp_path)[1]) == 5

    make("val/b/1.heic")
    [line] = refusal(tmp_path)
    assert line.startswith("val/b: no validation picture of class b that can be read (expected .png")


@pytest.mark.fault("pictures of other kinds (GIF, TIFF, HEIC) left out without a word, and how to convert them")
def test_a_class_of_other_pictures_has_the_command_that_converts_them(make, tmp_path):
    make("a/1.png", "b/1.heic")
    with pytest.raises(DataError) as caught:
        places(tmp_path)

    [problem] = caught.value.problems
    assert problem.fix.startswith("make PNG files of them: python -m pip install pillow-heif && python -c")
    assert problem.fix.endswith(f" {tmp_path}/b .heic, then dvc repro")


def test_a_class_of_other_pictures_in_an_archive_has_no_command(tmp_path):
    """The command converts the files of a folder."""
    (tmp_path / "own.zip").write_bytes(zipped({"a/1.png": b"", "b/1.heic": b""}))
    line = r"got 1 \.heic\); fix: add some, or remove the class, then dvc repro"
    with Tree(tmp_path) as tree, pytest.raises(DataError, match=line):
        pictures.class_folders.places(tree, tree.members("own.zip"), card())


def test_a_name_that_is_no_text_is_a_line(make, tmp_path):
    make("a/1.png")
    os.makedirs(os.fsencode(tmp_path) + b"/\xff")
    (tmp_path / os.fsdecode(b"\xff") / "1.heic").touch()

    [line] = refusal(tmp_path)
    assert line.isprintable()


@pytest.mark.fault("hundreds of faults in one folder")
def test_the_first_twenty_of_many_problems_are_shown(make, tmp_path):
    make("a/1.png", "b/1.png", *(f"{number:02}.png" for number in range(30)))

    lines = refusal(tmp_path)

    assert lines[19:] == ["19.png: a picture outside the class folders", "the files: 10 more problems"]
