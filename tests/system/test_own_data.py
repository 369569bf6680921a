"""Data sets of one's own through the pipeline: pictures give what the same images give as archives, and any number of
classes gives a report.
"""

import gzip
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

LOCK, RAW = "requirements-pillow.lock", ["data/raw"]
NORMALIZED = ["data/normalized/train", "data/normalized/test", "data/normalized/classes.json"]
# The arguments of each stage, its module first.
PIPELINE = yaml.safe_load((Path(__file__).parents[2] / "dvc.yaml").read_text(encoding="utf-8"))
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
def add(project, assign):
    """A function that adds an entry to datasets.yaml, pinned by what validate says, and chooses it."""

    def add(name, entry, capsys):
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


def snapshot(*names):
    files = [file for name in names for file in [Path(name), *Path(name).rglob("*")] if file.is_file()]
    return {str(file): file.read_bytes() for file in files}


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def normalized(project, assign, add, capsys):
    """A function that makes images and labels the data set `pictures`, and another one, `archives`, of the same images
    in the order of the hashes of their pixels, and returns what normalize makes of each.
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
            entry += f"    {role}: {{file: {file}, size: {len(body)}, "
            entry += f'sha256: "{hashlib.sha256(body).hexdigest()}"}}\n'
        pictured = PICTURED.format(name="pictures", shape=[28, 28])
        add("pictures", f"{entry}{pictured}  classes: {CLASSES}\n  test_fraction: {test_fraction}\n", capsys)

        made = {}
        for name in ("archives", "pictures"):
            assign("params.yaml", "dataset.name", name)
            assert run(download, LOCK, *RAW) == 0
            assert run(normalize, *RAW, *NORMALIZED) == 0
            made[name] = snapshot(*NORMALIZED)
        return made

    return normalized


@pytest.mark.fault("pictures that give other results than the same images as archives")
def test_pictures_give_the_bytes_that_the_same_images_give_as_archives(normalized):
    images, labels = garments.draw(300, seed=0, split="train")

    made = normalized(images, labels, 0.25)

    assert made["pictures"] == made["archives"]
    assert json.loads(made["pictures"]["data/normalized/classes.json"]) == CLASSES
    tested = len(made["pictures"]["data/normalized/test/labels.npy"]) - 128  # bytes before the values
    assert 50 < tested < 100


@pytest.mark.slow
@pytest.mark.fault("pictures that give other results than the same images as archives")
def test_pictures_give_the_accuracy_that_the_same_images_give_as_archives(normalized, project, assign, run_stage):
    """The first 2,000 of a data set, as in the README."""
    images, labels = garments.draw(2000, seed=0, split="train")
    normalized(images, labels, 0.2)
    assign("params.yaml", "train.epochs", "3")
    assign("params.yaml", "train.replicates", "1")
    metrics = []
    for name in ("archives", "pictures"):
        assign("params.yaml", "dataset.name", name)
        for stage in ("download", "normalize", "train", "evaluate"):
            ended = run_stage(*COMMANDS[stage])
            assert ended.code == 0, ended.stderr
        metrics.append(Path("reports/metrics.json").read_bytes())

    assert metrics[0] == metrics[1]
    assert json.loads(metrics[0])["test"]["accuracy"] > 0.3  # of ten classes


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "height", "width"), [(1, 9, 5), (256, 6, 7)])
@pytest.mark.fault("one class, 256 of them, images that are not square")
def test_any_number_of_classes_and_any_size_give_a_report(
    project, assign, add, run_stage, capsys, classes, height, width
):
    chance = np.random.RandomState(0)
    for label in range(classes):
        pattern = chance.randint(0, 200, (height, width))
        for split, count in (("train", 6), ("test", 3)):
            folder = project / "pictures" / split / f"class {label:03}"
            folder.mkdir(parents=True)
            for number in range(count):
                image = pattern + chance.randint(0, 56, (height, width))
                Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
    add("own", PICTURED.format(name="own", shape=[height, width]), capsys)
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
    assert gzip.decompress(Path("data/raw/train-images-idx3-ubyte.gz").read_bytes())[4:16] == struct.pack(
        ">3I", 6 * classes, height, width
    )
    assert Path("reports/figures/confusion_counts.png").stat().st_size > 1000
