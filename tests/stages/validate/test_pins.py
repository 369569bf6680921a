"""Pins that an entry lacks: the stage prints them, and accepts them once they are pasted."""

import hashlib
import re

import pytest
from PIL import Image

from core.cli import command
from stages.validate import __main__ as stage
from tests.conftest import Run, snapshot

IMAGE = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3])
ARCHIVES = {
    "train_images": IMAGE + b"train?",
    "train_labels": bytes([0, 0, 8, 1, 0, 0, 0, 1, 0]),
    "test_images": IMAGE + b"test??",
    "test_labels": bytes([0, 0, 8, 1, 0, 0, 0, 1, 0]),
}
COMMON = """
  title: Own
  description: of the tests
  licence: none
  image_shape: [2, 3]
"""
PICTURED = "\nown:" + COMMON + "  source: images\n  folder: pictures\n"
WHAT = "not pinned, so a change of the data would go unnoticed"


def problem(key, pins):
    return (
        f"error: datasets.yaml: {key}: {WHAT}; fix: add {pins} there, if the data are as you want them; then dvc repro"
    )


@pytest.fixture
def add(project, assign):
    """A function that adds an entry to datasets.yaml and chooses it."""

    def add(entry):
        with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
            file.write(entry)
        assign("params.yaml", "dataset.name", "own")

    return add


@pytest.fixture
def validate(project, capsys):
    """A function that runs the stage in this process."""

    def validate():
        before = snapshot(project)
        with pytest.raises(SystemExit) as exit:
            command.run(stage.main, argv=["validated"])
        return Run(exit.value.code, *capsys.readouterr(), before, snapshot(project))

    return validate


@pytest.fixture
def archives(project, add):
    """Add an entry of four files, one of them pinned, which are in the second of two local mirrors."""
    entry = "\nown:" + COMMON + "  source: download\n  classes: [a]\n  mirrors: [./first, ./second/]\n  archives:\n"
    for role, data in ARCHIVES.items():
        entry += f"    {role}:\n      file: {role}.idx\n"
        (project / "second").mkdir(exist_ok=True)
        (project / "second" / f"{role}.idx").write_bytes(data)
    sha256 = hashlib.sha256(ARCHIVES["train_images"]).hexdigest()
    add(entry.replace("train_images.idx\n", f'train_images.idx\n      size: 22\n      sha256: "{sha256}"\n'))


@pytest.mark.usefixtures("archives")
@pytest.mark.fault("data that are not pinned")
def test_each_archive_without_a_pin_gives_a_line_with_it(validate, assert_clean_failure):
    lines = [
        problem(f"own.archives.{role}", f'size: {len(data)} and sha256: "{hashlib.sha256(data).hexdigest()}"')
        for role, data in ARCHIVES.items()
        if role != "train_images"
    ]

    assert_clean_failure(validate(), 2, *lines)


@pytest.mark.usefixtures("archives")
def test_the_printed_pins_can_be_pasted(project, validate):
    path = project / "datasets.yaml"
    for role, size, sha256 in re.findall(r"archives\.(\w+): .* size: (\d+) and sha256: (\"\w+\")", validate().stderr):
        text = path.read_text(encoding="utf-8")
        pinned = f"file: {role}.idx\n      size: {size}\n      sha256: {sha256}\n"
        path.write_text(text.replace(f"file: {role}.idx\n", pinned), encoding="utf-8")

    ended = validate()

    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.usefixtures("archives")
@pytest.mark.fault("another kind of file: a ZIP, a CSV table, a web page, a picture")
def test_an_archive_of_another_format_is_refused_and_not_pinned(project, validate, assert_clean_failure):
    (project / "second/test_labels.idx").write_bytes(b"text")
    line = (
        "error: datasets.yaml: own.archives.test_labels: second/test_labels.idx: another kind of file instead of "
        "labels (expected a beginning of 00 00 08 01, got 74 65 78 74); fix: name an IDX file; then give its size "
        "and sha256 (wc -c and sha256sum); then dvc repro"
    )

    assert_clean_failure(validate(), 4, line)


@pytest.mark.usefixtures("archives")
def test_a_missing_archive_is_named(project, validate, assert_clean_failure):
    (project / "second/test_labels.idx").unlink()
    line = (
        "error: datasets.yaml: own.archives.test_labels.file: no such file: first/test_labels.idx or "
        "second/test_labels.idx; fix: correct file or mirrors in datasets.yaml, then dvc repro"
    )

    assert_clean_failure(validate(), 2, line)


@pytest.fixture
def picture(project):
    for split in ("train", "test"):
        (project / "pictures" / split / "a").mkdir(parents=True)
        Image.new("L", (3, 2)).save(project / "pictures" / split / "a/1.png")


@pytest.mark.usefixtures("picture")
@pytest.mark.fault("data that are not pinned")
def test_a_folder_without_a_pin_gives_a_line_with_the_pin(project, add, validate, assert_clean_failure):
    add(PICTURED)
    of_file = hashlib.sha256((project / "pictures/train/a/1.png").read_bytes()).hexdigest()
    lines = f"test/a/1.png {of_file}\ntrain/a/1.png {of_file}\n"
    pin = f'sha256: "{hashlib.sha256(lines.encode()).hexdigest()}"'
    assert_clean_failure(validate(), 2, problem("own", pin))

    with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
        file.write(f"  {pin}\n")
    ended = validate()

    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.fault("the data of an entry that was not chosen are not there")
def test_a_data_set_that_is_not_chosen_needs_no_data(add, assign, validate):
    add(PICTURED)
    assign("params.yaml", "dataset.name", "mnist")

    assert validate().code == 0
