"""Archives against their entry: what is wrong is said of the file that its owner named, and what to do was done."""

import gzip
import hashlib
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import MEND, DataError
from core.config import datasets
from core.formats import archives
from tests.conftest import ROOT

FILES = {"train_images": "x", "train_labels": "y", "test_images": "x_test", "test_labels": "y_test"}
COMMON = {"title": "Mine", "description": "of the tests", "licence": "none", "classes": ["hat", "shoe"]}
IMAGES = np.arange(16, dtype=np.uint8).reshape(4, 2, 2)
LABELS = np.array([0, 1, 0, 1], np.uint8)
THERE = "datasets.yaml: mine.archives"


def packed(array, kind=8):
    body = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()
    return gzip.compress(body, mtime=0)


def pinned(data):
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A function that returns an entry of four sound archives in the folder `own`, but for those that are given."""
    monkeypatch.chdir(tmp_path)
    sound = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[1:], "test_labels": LABELS[1:]}

    def entry(mirrors=("./own/",), pins=False, **given):
        Path("own").mkdir(exist_ok=True)
        files = {}
        for role, file in FILES.items():
            data = given.get(role, packed(sound[role]))
            Path("own", file).write_bytes(data)
            files[role] = {"file": file} | (pinned(data) if pins else {})
        shape = {"source": "download", "image_shape": [2, 2], "mirrors": list(mirrors), "archives": files}
        return datasets.Downloaded.model_validate(COMMON | shape)

    return entry


def read(entry, classes=None, folder="own"):
    paths = {role: Path(folder, file) for role, file in entry.files().items()}
    return archives.Archives("mine", entry, paths, classes or entry.classes)


def lines(entry, **settings):
    with pytest.raises(DataError) as caught:
        read(entry, **settings).check()
    return str(caught.value).splitlines()


def test_sound_archives_are_read_as_they_are(entry):
    whole = read(entry())

    parts = whole.parts()

    assert (parts["train"].shape, parts["test"].shape) == ((4, 2, 2), (3, 2, 2))
    assert (parts["train"].labels.tolist(), parts["test"].labels.tolist()) == ([0, 1, 0, 1], [1, 0, 1])
    assert np.concatenate(list(whole.images("test"))).tolist() == IMAGES[1:].tolist()
    whole.check()


def test_blocks_come_in_their_order_and_may_be_constant_each(entry, monkeypatch):
    """Black images, then white ones: together they show something."""
    monkeypatch.setattr(archives.idx, "BLOCK", 4)
    black_and_white = np.array([0, 0, 255, 255], np.uint8).repeat(4).reshape(4, 2, 2)

    blocks = list(read(entry(train_images=packed(black_and_white))).images("train"))

    assert [block.tolist() for block in blocks] == [[image] for image in black_and_white.tolist()]


def test_images_may_be_of_any_height_and_width_that_the_entry_has(entry):
    wide = entry(train_images=packed(IMAGES.reshape(4, 1, 4)), test_images=packed(IMAGES[1:].reshape(3, 1, 4)))

    read(wide.model_copy(update={"image_shape": [1, 4]})).check()


def test_labels_of_256_classes_pass(entry):
    labels = packed(np.arange(256, dtype=np.uint8))
    images = packed(np.zeros((256, 2, 2), np.uint8) + np.arange(256, dtype=np.uint8)[:, None, None])
    roles = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}

    read(entry(**roles), classes=[str(value) for value in range(256)]).check()


AGAIN = "leave out size and sha256 of a file that changes; then dvc repro"


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((4, 1, 4), f"give the entry image_shape: [1, 4], or bring others; {AGAIN}"),
        ((2, 4, 2), f"give the entry image_shape: [4, 2], or bring others; {AGAIN}"),
        ((0, 2, 2), f"bring others; {AGAIN}"),
    ],
)
@pytest.mark.fault("no images, or of another shape")
def test_images_of_another_shape_or_none_are_refused(entry, shape, fix):
    """As many pixels a row, so nothing later would notice."""
    images = packed(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape))

    assert lines(entry(train_images=images)) == [
        f"{THERE}.train_images: own/x: not the images of datasets.yaml (expected (n, 2, 2), n >= 1, got {shape}); "
        f"fix: {fix}"
    ]


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.fault("images that show nothing")
def test_constant_images_are_refused(entry, value):
    assert lines(entry(test_images=packed(np.full((3, 2, 2), value, np.uint8)))) == [
        f"{THERE}.test_images: own/x_test: every pixel of every image is the same "
        f"(expected pictures, got only the value {value}); fix: bring other images; {AGAIN}"
    ]


RENUMBERED = "or leave it out of classes and renumber the labels"


@pytest.mark.parametrize(
    ("labels", "what", "fix"),
    [
        (
            [0, 1, 0],
            "images and labels differ in number (expected 4 labels, got 3)",
            "bring the labels of these images",
        ),
        ([], "images and labels differ in number (expected 4 labels, got 0)", "bring the labels of these images"),
        (
            [0, 1, 2, 3],
            "label 2 is out of range (expected 0 to 1, got 2)",
            "list 4 classes in the entry, a name for each label, or bring others",
        ),
        (
            [0, 1, 0, 255],
            "label 3 is out of range (expected 0 to 1, got 255)",
            "list 256 classes in the entry, a name for each label, or bring others",
        ),
        (
            [0, 0, 0, 0],
            "no image of class shoe (expected at least one of each class, got counts [4, 0])",
            f"bring images of shoe, {RENUMBERED}",
        ),
        (
            [1, 1, 1, 1],
            "no image of class hat (expected at least one of each class, got counts [0, 4])",
            f"bring images of hat, {RENUMBERED}",
        ),
    ],
)
@pytest.mark.fault("labels out of range, a class without images")
def test_labels_that_do_not_fit_are_refused(entry, labels, what, fix):
    assert lines(entry(train_labels=packed(np.array(labels, np.uint8)))) == [
        f"{THERE}.train_labels: own/y: {what}; fix: {fix}; {AGAIN}"
    ]


def test_all_that_is_wrong_with_the_four_is_said_at_once(entry):
    exchanged = entry(train_images=packed(LABELS), train_labels=packed(IMAGES), test_labels=b"PK\3\4")

    assert [line.partition(" (")[0] for line in lines(exchanged)] == [
        f"{THERE}.train_images: own/x: labels where images are due",
        f"{THERE}.train_labels: own/y: images where labels are due",
        f"{THERE}.test_labels: own/y_test: a ZIP archive where labels are due",
    ]


@pytest.mark.fault("an archive that is blamed on damage, or by the name of a file that is gone")
def test_the_file_named_is_that_of_the_owner_wherever_it_is_read(entry, tmp_path):
    """Also where it is not on this machine, or not in the first folder that is named."""
    cut = entry(mirrors=["./nowhere/", "./own/"], test_labels=packed(LABELS)[:-4])
    os.rename("own", "elsewhere")
    shown = (
        f"{THERE}.test_labels: {{}}: cut short (expected a gzip file with its end, got none); fix: bring the whole file"
    )

    assert lines(cut, folder="elsewhere") == [f"{shown.format('y_test')}; {AGAIN}"]
    os.symlink("elsewhere", "own")
    assert lines(cut, folder="elsewhere") == [f"{shown.format('own/y_test')}; {AGAIN}"]

    far = entry(mirrors=["https://something.invalid/"], pins=True, test_labels=packed(LABELS)[:-4])
    assert lines(far) == [
        f"{shown.format('y_test')}; give size and sha256 of a file that changes; then dvc repro",
    ]


QMNIST = np.repeat(LABELS[:, None], 8, axis=1).astype(">i4") * [1, 9, 9, 9, 9, 9, 9, 9]
WRONG = {
    "labels-from-1": ("train_labels", packed(LABELS + 1), LABELS),
    "int32-labels": ("train_labels", packed(QMNIST.astype(">i4"), 12), LABELS),
    "colour": ("train_images", packed(np.repeat(IMAGES[..., None], 3, axis=3)), IMAGES),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("pins", [False, True])
def test_the_command_that_is_printed_makes_the_file_that_is_wanted(entry, case, pins):
    """In a folder whose name no shell and no Python takes as it is; the old file stays."""
    role, wrong, right = WRONG[case]
    bad = entry(mirrors=["""./it's "own"/"""], pins=pins, **{role: wrong})
    folder = Path("""it's "own\"""")
    os.rename("own", folder)

    (line,) = lines(bad, folder=folder)

    assert line.startswith(f"{THERE}.{role}: {folder / FILES[role]}: ")
    command, _, rest = line[line.index("python -c ") :].partition("; name ")
    shell = ["sh", "-c", f"{shlex.quote(sys.executable)} {command.removeprefix('python ')}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(shell, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    new = f"converted-{FILES[role]}"
    assert rest == f"{new} here, without size and sha256; then dvc repro"
    assert archives.idx.read(folder / new, right.ndim).tolist() == right.tolist()
    assert (folder / FILES[role]).read_bytes() == wrong


def test_of_archives_that_are_elsewhere_one_is_told_to_bring_them_first(entry):
    far = entry(mirrors=["https://something.invalid/"], pins=True, train_labels=packed(LABELS + 1))

    assert lines(far) == [
        f"{THERE}.train_labels: y: labels from 1 to 2: they start at 0 (expected 0 to 1, got 1 to 2); fix: put the "
        "archives into a folder, the only mirror; dvc repro then has the command to subtract 1; then dvc repro"
    ]


PICTURED = {"source": "images", "image_shape": [2, 2], "folder": "pictures", "test_fraction": 0.5}


@pytest.mark.fault("an archive that is blamed on damage, or by the name of a file that is gone")
def test_what_was_made_here_can_but_be_damaged(entry, tmp_path):
    """But that pictures show nothing is a matter of the pictures."""
    entry()
    made = datasets.Pictured.model_validate(COMMON | PICTURED)
    for role, file in made.files().items():
        os.rename(Path("own", FILES[role]), Path("own", file))
    read(made).check()

    images = Path("own", made.files()["train_images"])
    images.write_bytes(packed(np.zeros((4, 2, 2), np.uint8)))
    assert lines(made) == [
        "pictures: every pixel of every image is the same (expected pictures, got only the value 0); "
        "fix: bring other pictures, then dvc repro"
    ]
    images.write_bytes(packed(IMAGES)[:-1])
    assert lines(made) == [
        f"{images}: cut short (expected a gzip file with its end, got none); fix: {MEND}",
    ]


def test_pinned_archives_have_their_pins(entry):
    archives.require_pinned(entry(pins=True), read(entry(pins=True)).paths)
    old = entry(pins=True)
    entry(train_images=packed(IMAGES[::-1]))

    with pytest.raises(DataError, match=r"^own/x: not the archive of datasets\.yaml .*fix: python -m tools\.verify"):
        archives.require_pinned(old, read(old).paths)
