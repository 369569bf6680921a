"""Archives against their entry: a wrong file is named as its owner named it, with advice that works."""

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
PINS = "then give its size and sha256 (wc -c and sha256sum); then dvc repro"


def packed(array, kind=8):
    body = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()
    return gzip.compress(body, mtime=0)


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A function that returns an entry of four sound archives in the folder `own`, except for the given ones."""
    monkeypatch.chdir(tmp_path)
    sound = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES[1:], "test_labels": LABELS[1:]}

    def entry(mirrors=("./own/",), **given):
        Path("own").mkdir(exist_ok=True)
        files = {}
        for role, file in FILES.items():
            data = given.get(role, packed(sound[role]))
            Path("own", file).write_bytes(data)
            files[role] = {"file": file, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        shape = {"source": "download", "image_shape": [2, 2], "mirrors": list(mirrors), "archives": files}
        return datasets.Downloaded.model_validate(COMMON | shape)

    return entry


def read(entry, folder="own"):
    paths = {role: Path(folder, file) for role, file in entry.files().items()}
    return archives.Archives("mine", entry, paths, entry.classes)


def lines(entry, **settings):
    with pytest.raises(DataError) as caught:
        read(entry, **settings).check()
    return str(caught.value).splitlines()


def test_sound_archives_are_read_as_they_are(entry, monkeypatch):
    """In blocks of one image, each of one value."""
    monkeypatch.setattr(archives.idx, "BLOCK", 4)
    black_and_white = np.array([0, 0, 255, 255], np.uint8).repeat(4).reshape(4, 2, 2)
    whole = read(entry(train_images=packed(black_and_white)))

    parts = whole.parts()

    assert (parts["train"].shape, parts["test"].shape) == ((4, 2, 2), (3, 2, 2))
    assert (parts["train"].labels.tolist(), parts["test"].labels.tolist()) == ([0, 1, 0, 1], [1, 0, 1])
    assert [block.tolist() for block in whole.images("train")] == [[image] for image in black_and_white.tolist()]
    whole.check()


def test_labels_of_256_classes_pass(entry):
    labels = np.arange(256, dtype=np.uint8)
    images = labels.repeat(4).reshape(256, 2, 2)
    roles = {"train_images": packed(images), "train_labels": packed(labels)}
    roles |= {"test_images": packed(images[::-1]), "test_labels": packed(labels[::-1])}

    read(entry(**roles).model_copy(update={"classes": [str(value) for value in range(256)]})).check()


@pytest.mark.parametrize(
    ("role", "array", "what", "fix"),
    [
        (
            "train_images",
            IMAGES.reshape(4, 1, 4),  # as many pixels, so nothing later would notice
            "images of another shape than in datasets.yaml (expected (n, 2, 2), got (4, 1, 4))",
            "set image_shape: [1, 4], or name another file",
        ),
        ("train_images", IMAGES[:0], "no images (expected at least one, got (0, 2, 2))", "name a file with images"),
        (
            "test_images",
            np.full((3, 2, 2), 7, np.uint8),
            "every pixel of every image has the same value (expected different values, got only the value 7)",
            "name another file",
        ),
        (
            "train_labels",
            LABELS[:3],
            "images and labels differ in number (expected 4 labels, got 3)",
            "name the labels of these images",
        ),
        (
            "train_labels",
            np.array([0, 1, 0, 2], np.uint8),
            "label 3 is out of range (expected 0 to 1, got 2)",
            "list 3 classes, one for each label, or name another file",
        ),
        (
            "train_labels",
            np.array([0, 1, 0, 255], np.uint8),
            "label 3 is out of range (expected 0 to 1, got 255)",
            "list 256 classes, one for each label, or name another file",
        ),
        (
            "train_labels",
            LABELS * 0 + 1,
            "no image of class hat (expected at least one of each class, got counts [0, 4])",
            "add images of hat, or remove it from classes and renumber the labels",
        ),
    ],
)
@pytest.mark.fault("no images, or of another shape")
@pytest.mark.fault("images that show nothing")
@pytest.mark.fault("images and labels of different number")
@pytest.mark.fault("labels out of range, a class without images")
def test_arrays_that_do_not_fit_are_refused(entry, role, array, what, fix):
    assert lines(entry(**{role: packed(array)})) == [f"{THERE}.{role}: own/{FILES[role]}: {what}; fix: {fix}; {PINS}"]


def test_problems_of_all_files_are_reported_at_once(entry):
    exchanged = entry(train_images=packed(LABELS), train_labels=packed(IMAGES), test_labels=b"PK\3\4")

    assert [line.partition(" (")[0] for line in lines(exchanged)] == [
        f"{THERE}.train_images: own/x: labels instead of images",
        f"{THERE}.train_labels: own/y: images instead of labels",
        f"{THERE}.test_labels: own/y_test: a ZIP archive instead of labels",
    ]


@pytest.mark.fault("an archive that is blamed on damage, or by the name of a file that is gone")
def test_the_named_file_is_that_of_its_owner_even_if_a_copy_is_read(entry):
    cut = entry(mirrors=["./nowhere/", "./own/"], test_labels=packed(LABELS)[:-4])
    os.rename("own", "elsewhere")
    what = "cut short (expected a gzip file with its end, got none); fix: get the whole file"

    assert lines(cut, folder="elsewhere") == [f"{THERE}.test_labels: y_test: {what}; {PINS}"]
    os.symlink("elsewhere", "own")
    assert lines(cut, folder="elsewhere") == [f"{THERE}.test_labels: own/y_test: {what}; {PINS}"]


QMNIST = np.repeat(LABELS[:, None], 8, axis=1).astype(">i4") * [1, 9, 9, 9, 9, 9, 9, 9]
TABLE = np.hstack([LABELS[:, None], IMAGES.reshape(4, 4)])
HEADER, ROWS = b"label,a,b,c,d\n", b"\n".join(b",".join(str(value).encode() for value in row) for row in TABLE)
WRONG = {
    "labels from 1": ("train_labels", packed(LABELS + 1), LABELS),
    "int32 labels": ("train_labels", packed(QMNIST.astype(">i4"), 12), LABELS),
    "table of labels": ("train_labels", HEADER + ROWS, LABELS),
    "table of images": ("train_images", HEADER + ROWS, IMAGES),
    "table without a header": ("train_images", ROWS.replace(b",", b";"), IMAGES),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.fault("labels as QMNIST has them, labels from 1")
def test_the_printed_command_converts_the_file(entry, case):
    """In a folder with a name that needs quotes in a shell and in Python; the old file stays."""
    role, wrong, right = WRONG[case]
    folder = Path("""it's "own\"""")
    bad = entry(mirrors=[f"./{folder}/"], **{role: wrong})
    os.rename("own", folder)

    (line,) = lines(bad, folder=folder)

    assert line.startswith(f"{THERE}.{role}: {folder / FILES[role]}: ")
    command, _, rest = line[line.index("python -c ") :].partition("; name ")
    shell = ["sh", "-c", f"{shlex.quote(sys.executable)} {command.removeprefix('python ')}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(shell, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    new = f"converted-{role}.gz"
    assert rest == f"{new} here, without size and sha256; then dvc repro"
    assert archives.idx.read(folder / new, right.ndim).tolist() == right.tolist()
    assert (folder / FILES[role]).read_bytes() == wrong


def test_remote_archives_must_be_downloaded_before_they_are_converted(entry):
    assert lines(entry(mirrors=["https://something.invalid/"], train_labels=packed(LABELS + 1))) == [
        f"{THERE}.train_labels: y: labels start at 1 instead of 0: 1 to 2 (expected 0 to 1, got 1 to 2); fix: subtract "
        "1: download the archives into a folder and name it as the only mirror; dvc repro then prints the command; "
        "then dvc repro"
    ]


@pytest.mark.fault("an archive that is blamed on damage, or by the name of a file that is gone")
def test_archives_made_by_download_are_damaged_or_show_nothing(entry):
    entry()
    pictured = {"source": "images", "image_shape": [2, 2], "folder": "pictures", "test_fraction": 0.5}
    made = datasets.ImageFolder.model_validate(COMMON | pictured)
    for role, file in made.files().items():
        os.rename(Path("own", FILES[role]), Path("own", file))
    read(made).check()

    images = Path("own", made.files()["train_images"])
    images.write_bytes(packed(np.zeros((4, 2, 2), np.uint8)))
    assert lines(made) == [
        "pictures: every pixel of every image has the same value (expected different values, got only the value 0); "
        "fix: use other pictures, then dvc repro"
    ]
    images.write_bytes(packed(IMAGES)[:-1])
    assert lines(made) == [f"{images}: cut short (expected a gzip file with its end, got none); fix: {MEND}"]


def test_pinned_archives_have_their_pins(entry):
    old = entry()
    archives.require_pinned(old, read(old).paths)
    entry(train_images=packed(IMAGES[::-1]))

    with pytest.raises(DataError, match=r"^own/x: not the archive of datasets\.yaml .*fix: python -m tools\.verify"):
        archives.require_pinned(old, read(old).paths)
