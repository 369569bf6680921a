"""Users' own data sets through the pipeline: an image folder gives the results of the same images as archives, and any
number of classes gives a report.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from core.cli import command
from stages.download import __main__ as download
from stages.download import garments
from stages.normalize import __main__ as normalize
from stages.validate import __main__ as validate

PIPELINE = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text(encoding="utf-8"))
# The module and the arguments of each stage.
COMMANDS = {name: stage["cmd"].removeprefix("python -m ").split() for name, stage in PIPELINE["stages"].items()}
FILES = {"train_images": "a.idx", "train_labels": "b.idx", "test_images": "c.idx", "test_labels": "d.idx"}

CLASSES = ["shirt", "trouser", "pullover", "dress", "coat", "sandal", "blouse", "sneaker", "bag", "boot"]
COMMON = """
{name}:
  title: Own
  description: of the tests
  licence: none
  image_shape: {shape}
"""
PICTURED = COMMON + "  source: images\n  folder: pictures\n"


@pytest.fixture
def add(project, assign, capsys):
    """A function that adds an entry to datasets.yaml, pinned as validate says, and chooses it."""

    def add(name, entry):
        path = project / "datasets.yaml"
        path.write_text(path.read_text(encoding="utf-8") + entry, encoding="utf-8")
        assign("params.yaml", "dataset.name", name)
        assert run(validate, "data/validated") == 2
        pin = capsys.readouterr().err.split("fix: add ")[1].split(" there, ")[0]
        path.write_text(path.read_text(encoding="utf-8") + f"  {pin}\n", encoding="utf-8")
        assert run(validate, "data/validated") == 0

    return add


def run(stage, *paths):
    """Return the exit code of a stage that is run in this process."""
    with pytest.raises(SystemExit) as exit:
        command.run(stage.main, argv=paths)
    return exit.value.code


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def normalized(project, assign, add):
    """A function that makes images and labels two data sets, an image folder and archives in the order of the hashes of
    the pixels, and returns the files that normalize makes of each.
    """

    def normalized(images, labels, test_fraction):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = project / "pictures" / CLASSES[label] / f"{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        hashes = np.array([hashlib.sha256(b"28 28\n" + image.tobytes()).hexdigest() for image in images])
        order = np.lexsort((labels, hashes))
        tested = np.array([int(sha256, 16) < test_fraction * 2**256 for sha256 in hashes])
        entry = COMMON.format(name="archives", shape=[28, 28])
        entry += f"  source: download\n  classes: {CLASSES}\n  mirrors: [./]\n  archives:\n"
        for role, file in FILES.items():
            chosen = order[tested[order] == role.startswith("test")]
            body = idx((images if role.endswith("images") else labels)[chosen])
            (project / file).write_bytes(body)
            pins = f'size: {len(body)}, sha256: "{hashlib.sha256(body).hexdigest()}"'
            entry += f"    {role}: {{file: {file}, {pins}}}\n"
        pictured = PICTURED.format(name="pictures", shape=[28, 28])
        add("pictures", f"{entry}{pictured}  classes: {CLASSES}\n  test_fraction: {test_fraction}\n")

        made = {}
        for name in ("archives", "pictures"):
            assign("params.yaml", "dataset.name", name)
            assert run(download, *COMMANDS["download"][1:]) == run(normalize, *COMMANDS["normalize"][1:]) == 0
            files = [path for path in Path("data/normalized").rglob("*") if path.is_file()]
            made[name] = {str(path): path.read_bytes() for path in files}
        return made

    return normalized


@pytest.mark.fault("pictures that give other results than the same images as archives")
def test_an_image_folder_gives_the_bytes_of_the_same_images_as_archives(normalized):
    images, labels = garments.draw(300, seed=0, split="train")

    made = normalized(images, labels, 0.25)

    assert made["pictures"] == made["archives"] and len(made["archives"]) == 5
    assert json.loads(made["pictures"]["data/normalized/classes.json"]) == CLASSES
    assert 50 < len(np.load("data/normalized/test/labels.npy")) < 100


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "height", "width"), [(1, 9, 5), (256, 6, 7)])
@pytest.mark.fault("one class, 256 of them, images that are not square")
def test_any_number_of_classes_and_any_size_give_a_report(project, assign, add, run_stage, classes, height, width):
    chance = np.random.RandomState(0)
    for label in range(classes):
        pattern = chance.randint(0, 200, (height, width))
        for split, count in (("train", 6), ("test", 3)):
            folder = project / "pictures" / split / f"class {label:03}"
            folder.mkdir(parents=True)
            for number in range(count):
                image = pattern + chance.randint(0, 56, (height, width))
                Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
    add("own", PICTURED.format(name="own", shape=[height, width]))
    for key, value in {
        **{"train.epochs": 3, "train.replicates": 2, "train.batch_size": 4},
        **{"evaluate.single_image": 1, "render.examples": [0, 1], "render.dpi": 50},
    }.items():
        assign("params.yaml", key, str(value))

    for stage in ("download", "normalize", "train", "evaluate", "render"):
        ended = run_stage(*COMMANDS[stage])
        assert ended.code == 0, ended.stderr

    test = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))["test"]
    assert len(Path("reports/classes.csv").read_text(encoding="utf-8").splitlines()) == 1 + classes
    if classes == 1:
        assert test == {"accuracy": 1, "accuracy_std": 0, "ece": 0, "loss": 0}
    else:
        assert test["accuracy"] > 0.5
    assert np.load("data/normalized/train/images.npy").shape == (6 * classes, height, width)
    assert Path("reports/figures/confusion_counts.png").stat().st_size > 1000
