import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import DataError
from core.files import arrays, atomic
from core.networks import models
from core.networks.runtime import keras
from core.scores import scores
from stages.evaluate import __main__ as evaluate
from stages.evaluate import prediction

COMMAND_LINE = (
    "stages.evaluate",
    *("train", "test", "classes.json", "model", "training.json"),
    *("predictions", "out_of_distribution", "reports/predictions.csv", "reports/reliability.csv"),
    *("reports/classes.csv", "reports/metrics.json"),
)


def brightest(order: list[int]) -> keras.Model:
    """A network that sees which of three pixels is the brightest, and takes it for the class that `order` says."""
    layers = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(3, use_bias=False, name="logits")]
    model = keras.Sequential([keras.Input((1, 3), name="images"), *layers], name="brightest")
    model.set_weights([4 * np.eye(3, dtype=np.float32)[order]])
    return models.with_probabilities(model)


BRIGHTEST = {"train": [0, 1, 2, 1, 0, 2, 1], "test": [2, 1, 0, 0, 2]}  # pixels
LABELS = {"train": [0, 1, 2, 2, 0, 2, 1], "test": [2, 1, 0, 1, 0]}


@pytest.fixture
def prepared(project, assign):
    """Seven bright training images, five darker test images, two networks. Replicate 0 takes the brightest pixel for
    the class, replicate 1 takes pixel 0 for class 2 and pixel 2 for class 0. Test image 3 is predicted alone.
    """
    for name, light in {"train": 1, "test": 0.5}.items():
        images = light * np.eye(3, dtype=np.float32)[BRIGHTEST[name]][:, None, :]
        arrays.write_split(Path(name), arrays.Split(images.astype(np.float32), np.uint8(LABELS[name])))
    assign("params.yaml", "evaluate.single_image", "3")
    atomic.write_json(Path("classes.json"), ["Coat", "Dress", "Bag"])
    digests = models.write(Path("model"), [brightest([0, 1, 2]), brightest([2, 1, 0])])
    card = {"networks": digests, "classes": ["Coat", "Dress", "Bag"], "image_shape": [1, 3]}
    atomic.write_json(Path("training.json"), card | {"parameters": 9})


def test_predictions_and_metrics_worked_by_hand(prepared, run_stage):
    """On the five test images replicate 0 is right, right, right, wrong, wrong; replicate 1 wrong, right, wrong, wrong,
    right. On the seven training images they are right six times and twice.
    """
    right, wrong = np.exp(2) / (np.exp(2) + 2), 1 / (np.exp(2) + 2)
    right_on_train, wrong_on_train = np.exp(4) / (np.exp(4) + 2), 1 / (np.exp(4) + 2)
    train_loss = -(8 * np.log(right_on_train) + 6 * np.log(wrong_on_train)) / 14
    test_loss = -(5 * np.log(right) + 5 * np.log(wrong)) / 10

    run = run_stage(*COMMAND_LINE)

    assert (run.code, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"train: accuracy {8 / 14:.4f}, loss {train_loss:.4f}",
        f"test: accuracy 0.5000, loss {test_loss:.4f}",
    ]
    probabilities = arrays.read(Path("predictions/probabilities.npy"), np.float32, 3)
    np.testing.assert_allclose(probabilities[0], np.where(np.eye(3)[[2, 1, 0, 0, 2]], right, wrong), atol=1e-6)
    np.testing.assert_allclose(probabilities[1], np.where(np.eye(3)[[0, 1, 2, 2, 0]], right, wrong), atol=1e-6)
    single = arrays.read(Path("predictions/single_image.npy"), np.float32, 2)
    np.testing.assert_allclose(single, np.where(np.eye(3)[[0, 2]], right, wrong), atol=1e-6)
    assert arrays.read(Path("out_of_distribution/references.npy"), np.float32, 3).shape == (2, 7, 3)
    np.testing.assert_allclose(
        np.load("out_of_distribution/thresholds.npy"), np.zeros(2), atol=1e-30
    )  # each is there twice
    framed = json.loads(Path("out_of_distribution/framing.json").read_text(encoding="utf-8"))
    assert (framed["background"], framed["subject"], framed["extent"]) == (0, 255, 1)
    with open("reports/predictions.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["actual", "predicted"]
    assert rows == [["Bag", "Bag"], ["Dress", "Dress"], ["Coat", "Coat"], ["Dress", "Coat"], ["Coat", "Bag"]]
    with open("reports/reliability.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["replicate", "confidence", "accuracy", "images"]
    assert [[replicate, accuracy, images] for replicate, _, accuracy, images in rows] == [
        ["0", "0.6", "5"],
        ["1", "0.4", "5"],
    ]
    assert [float(row[1]) for row in rows] == pytest.approx([right] * 2, abs=1e-6)
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] == 0.5
    assert metrics["train"]["accuracy"] == pytest.approx(8 / 14, abs=1e-6)
    assert metrics["test"]["loss"] == pytest.approx(test_loss, abs=1e-5)
    with open("reports/classes.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["class", "images", "recall", "recall_std", "precision", "f1"]
    assert [row[:2] for row in rows] == [["Coat", "2"], ["Dress", "2"], ["Bag", "1"]]
    scores = [[float(row[column]) for column in (2, 4, 5)] for row in rows]
    assert scores[1] == pytest.approx([0.5, 1, 2 / 3], abs=1e-6)
    assert scores[2] == pytest.approx([0.5, 0.25, 1 / 3], abs=1e-6)


def test_one_test_image_is_given_to_the_networks_alone(prepared, monkeypatch):
    """What they give for it is hardly other than among others, so the images given to them are looked at."""
    whole, given = prediction.predict, []
    monkeypatch.setattr(
        prediction,
        "predict",
        lambda networks, images, **named: given.append(images) or whole(networks, images, **named),
    )

    evaluate.main(*map(Path, COMMAND_LINE[1:]))

    assert sorted(map(len, given)) == [1, 5, 7]
    assert min(given, key=len).tolist() == [[[0.5, 0, 0]]]


@pytest.mark.slow
@pytest.mark.fault("a locale that has no letters beyond ASCII")
def test_the_locale_is_of_no_influence(prepared, run_stage):
    atomic.write_json(Path("classes.json"), ["Coat", "Trägerkleid", "Bag"])
    card = json.loads(Path("training.json").read_text(encoding="utf-8"))
    atomic.write_json(Path("training.json"), card | {"classes": ["Coat", "Trägerkleid", "Bag"]})
    first = run_stage(*COMMAND_LINE)
    second = run_stage(*COMMAND_LINE, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (second.code, second.stderr) == (0, "")
    assert second.after == first.after
    assert "Trägerkleid" in second.after["reports/predictions.csv"].decode("utf-8")


def test_a_single_image_that_is_not_there_is_refused(prepared, assign, run_stage, assert_clean_failure):
    assign("params.yaml", "evaluate.single_image", "5")

    assert_clean_failure(
        run_stage(*COMMAND_LINE),
        2,
        "error: params.yaml: evaluate.single_image: no such test image (expected 0 to 4, got 5); "
        "fix: edit params.yaml, then dvc repro",
    )


def test_files_that_training_did_not_leave_are_refused(prepared, run_stage, assert_clean_failure):
    """Each of them is named: HTML in place of a network, and a network that was trained by someone else."""
    digests = models.read_card(Path("training.json")).networks
    Path("model/0.keras").write_bytes(b"<html>")
    models.write(Path("other"), [brightest([1, 0, 2])])
    Path("other/0.keras").replace("model/1.keras")
    found = [hashlib.sha256(Path(f"model/{number}.keras").read_bytes()).hexdigest() for number in range(2)]

    assert_clean_failure(
        run_stage(*COMMAND_LINE),
        4,
        *(
            f"error: model/{number}.keras: not the file that training left "
            f"(expected SHA-256 {digests[number]}, got {found[number]}); "
            "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
            for number in range(2)
        ),
    )


@pytest.fixture
def refused(prepared):
    """A function that runs the stage here, and says why it refuses; it must leave all files as they were."""

    def refused() -> str:
        before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        with pytest.raises(DataError) as caught:
            evaluate.main(*map(Path, COMMAND_LINE[1:]))
        assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
        return str(caught.value)

    return refused


@pytest.mark.fault("predictions of another number than the labels, none at all")
def test_labels_of_another_number_and_no_images_are_refused(refused):
    arrays.write(Path("test/labels.npy"), np.uint8([2, 1]))
    assert "(expected 5 labels, one for each image, got 2)" in refused()
    arrays.write(Path("test/labels.npy"), np.uint8([2, 1, 3, 0, 0]))
    assert refused().startswith("test/labels.npy: a label without a class (expected 0 to 2, got 3)")
    arrays.write(Path("test/images.npy"), np.empty((0, 1, 3), np.float32))
    assert refused().startswith("test/images.npy: another array than this stage works on")


@pytest.mark.fault("predictions of another number than the labels, none at all")
def test_predictions_of_another_number_than_the_labels_are_refused(refused, monkeypatch):
    whole = prediction.predict
    for rows, got in ([1, 2, 3], "3 and 7"), ([0, *range(7)], "8 and 7"), ([], "0 and 7"):
        some = lambda *given, rows=rows, **named: (each[:, rows] for each in whole(*given, **named))  # noqa: E731
        monkeypatch.setattr(prediction, "predict", some)

        assert refused().startswith(f"predictions: can't be scored (expected as many as labels, and some, got {got})")


@pytest.mark.fault("a score that is no number")
def test_a_score_that_is_no_number_is_not_written(refused, monkeypatch):
    monkeypatch.setitem(scores.OF_AN_IMAGE, "brier", lambda probabilities, labels: np.full(len(labels), np.nan))

    assert refused().startswith("train.brier: can't be scored (expected a finite number, got nan)")


@pytest.mark.fault("networks of other classes or images, or in another order")
def test_networks_for_another_data_set_are_refused_before_they_are_read(refused):
    shutil.rmtree("model")
    atomic.write_json(Path("classes.json"), ["Coat", "Bag", "Dress"])
    for name in ("train", "test"):
        images = arrays.read_split(Path(name)).images
        arrays.write(Path(name) / "images.npy", np.concatenate([images, images], axis=1))

    assert [line for line in refused().splitlines() if "training.json" in line] == [
        "training.json: networks made for other classes "
        "(expected ['Coat', 'Bag', 'Dress'], got ['Coat', 'Dress', 'Bag']); "
        "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro",
        "training.json: networks made for other images (expected [2, 3], got [1, 3]); "
        "fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro",
    ]
