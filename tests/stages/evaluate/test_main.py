import csv
import json
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import DataError, InputError
from core.config import params
from core.files import arrays, atomic
from core.files import training as trainings
from core.files.training import Training
from core.networks import architectures, models
from core.networks.runtime import keras
from core.scores import scores
from stages.evaluate import __main__ as evaluate
from stages.evaluate import prediction
from tests.conftest import snapshot, write_split

COMMAND_LINE = (
    "stages.evaluate",
    *("train", "test", "classes.json", "model", "training.json"),
    *("predictions", "out_of_distribution", "ensemble.json", "reports/predictions.csv", "reports/reliability.csv"),
    *("reports/classes.csv", "reports/metrics.json"),
)
BRIGHTEST = {"train": [0, 1, 2, 1, 0, 2, 1], "test": [2, 1, 0, 0, 2]}  # pixels
LABELS = {"train": [0, 1, 2, 2, 0, 2, 1], "test": [2, 1, 0, 1, 0]}


def brightest(settings: params.Train, order: list[int]) -> keras.Model:
    """Return a network that predicts class order[i] if pixel i of three is the brightest; logits are 4 times pixels."""
    model = architectures.build((1, 3), 3, settings)
    model.set_weights([4 * np.eye(3), np.zeros(3), np.eye(3)[order], np.zeros(3)])
    return models.with_probabilities(model)


@pytest.fixture
def prepared(project, assign):
    """Seven bright training images, five darker test images, two networks. Replicate 0 predicts the brightest pixel,
    replicate 1 swaps the classes 0 and 2. Test image 3 is predicted alone.
    """
    for name, light in {"train": 1, "test": 0.5}.items():
        images = light * np.eye(3, dtype=np.float32)[BRIGHTEST[name]][:, None, :]
        write_split(Path(name), arrays.Split(images.astype(np.float32), np.uint8(LABELS[name])))
    assign("params.yaml", "evaluate.single_image", "3")
    assign("params.yaml", "train.hidden_units", "3")
    classes = ["Coat", "Dress", "Bag"]
    atomic.write_json(Path("classes.json"), classes)
    settings = params.section(params.Train)
    digests = models.write(Path("model"), [brightest(settings, [0, 1, 2]), brightest(settings, [2, 1, 0])])
    facts = {"networks": digests, "classes": classes, "image_shape": [1, 3], "settings": settings}
    trainings.write(Path("training.json"), Training(**facts, versions={}, parameters=9, untrained_loss=1.1))


def table(path: str) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_predictions_and_metrics_worked_by_hand(prepared, run_stage):
    """On the five test images replicate 0 is right, right, right, wrong, wrong; replicate 1 wrong, right, wrong, wrong,
    right. On the seven training images they are right six times and twice. The ensemble gives two classes the same
    probability for all test images but the second; the first of them wins.
    """
    right, wrong = np.exp(2) / (np.exp(2) + 2), 1 / (np.exp(2) + 2)
    right_on_train, wrong_on_train = np.exp(4) / (np.exp(4) + 2), 1 / (np.exp(4) + 2)
    train_loss = -(8 * np.log(right_on_train) + 6 * np.log(wrong_on_train)) / 14
    test_loss = -(5 * np.log(right) + 5 * np.log(wrong)) / 10
    half = (right + wrong) / 2
    ensemble_loss = -(np.log(right) + np.log(wrong) + 3 * np.log(half)) / 5

    run = run_stage(*COMMAND_LINE)

    assert (run.code, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"train: accuracy {8 / 14:.4f}, loss {train_loss:.4f}",
        f"test: accuracy 0.5000, loss {test_loss:.4f}",
        f"ensemble: accuracy 0.6000, loss {ensemble_loss:.4f}",
    ]
    probabilities = arrays.read(Path("predictions/probabilities.npy"), np.float32, 3)
    np.testing.assert_allclose(probabilities[0], np.where(np.eye(3)[[2, 1, 0, 0, 2]], right, wrong), atol=1e-6)
    np.testing.assert_allclose(probabilities[1], np.where(np.eye(3)[[0, 1, 2, 2, 0]], right, wrong), atol=1e-6)
    single = arrays.read(Path("predictions/single_image.npy"), np.float32, 2)
    np.testing.assert_allclose(single, np.where(np.eye(3)[[0, 2]], right, wrong), atol=1e-6)
    assert arrays.read(Path("out_of_distribution/references.npy"), np.float32, 3).shape == (2, 7, 3)
    assert table("reports/predictions.csv") == [
        ["actual", "predicted"],
        *(["Bag", "Coat"], ["Dress", "Dress"], ["Coat", "Coat"], ["Dress", "Coat"], ["Coat", "Coat"]),
    ]
    header, *rows = table("reports/reliability.csv")
    assert header == ["replicate", "confidence", "accuracy", "images"]
    assert [[row[0], *row[2:]] for row in rows] == [["0", "0.6", "5"], ["1", "0.4", "5"]]
    assert [float(row[1]) for row in rows] == pytest.approx([right] * 2, abs=1e-6)
    header, *rows = table("reports/classes.csv")
    assert header == ["class", "images", "recall", "recall_std", "precision", "f1"]
    assert [row[:2] for row in rows] == [["Coat", "2"], ["Dress", "2"], ["Bag", "1"]]
    of_classes = [[float(row[column]) for column in (2, 4, 5)] for row in rows]
    assert of_classes[1] == pytest.approx([0.5, 1, 2 / 3], abs=1e-6)
    assert of_classes[2] == pytest.approx([0.5, 0.25, 1 / 3], abs=1e-6)
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] == 0.5
    assert metrics["train"]["accuracy"] == pytest.approx(8 / 14, abs=1e-6)
    assert metrics["test"]["loss"] == pytest.approx(test_loss, abs=1e-5)


def test_mirrored_images_take_part_in_the_probabilities_but_not_in_the_features(prepared, run_stage, assign):
    """Replicate 0 predicts the brightest pixel of three. Of an image and its mirror image, these are 2 and 0 for test
    image 0, and the middle pixel twice for test image 1. Both logits are 2.
    """
    run_stage(*COMMAND_LINE)
    features = arrays.read(Path("out_of_distribution/references.npy"), np.float32, 3)
    assign("params.yaml", "evaluate.mirrored", "true")
    right, wrong = np.exp(2) / (np.exp(2) + 2), 1 / (np.exp(2) + 2)
    half = (right + wrong) / 2

    assert run_stage(*COMMAND_LINE).code == 0

    probabilities = arrays.read(Path("predictions/probabilities.npy"), np.float32, 3)
    np.testing.assert_allclose(probabilities[0, :2], [[half, wrong, half], [wrong, right, wrong]], rtol=1e-6)
    single = arrays.read(Path("predictions/single_image.npy"), np.float32, 2)
    np.testing.assert_allclose(single[0], [half, wrong, half], rtol=1e-6)
    np.testing.assert_array_equal(arrays.read(Path("out_of_distribution/references.npy"), np.float32, 3), features)


def test_one_test_image_is_predicted_alone(prepared, monkeypatch):
    """Its probabilities are hardly different, so the test looks at the images that the networks are given."""
    predict, given = prediction.predict, []
    monkeypatch.setattr(
        prediction,
        "predict",
        lambda networks, images, **named: given.append(images) or predict(networks, images, **named),
    )

    evaluate.main(*map(Path, COMMAND_LINE[1:]))

    assert sorted(map(len, given)) == [1, 5, 7]
    assert min(given, key=len).tolist() == [[[0.5, 0, 0]]]


@pytest.fixture
def refused(prepared):
    """A function that runs the stage and returns the error; the stage must leave all files as they were."""

    def refused() -> str:
        before = snapshot(Path())
        with pytest.raises((DataError, InputError)) as caught:
            evaluate.main(*map(Path, COMMAND_LINE[1:]))
        assert snapshot(Path()) == before
        return str(caught.value)

    return refused


@pytest.mark.fault("networks of other classes or images, or in another order")
def test_damaged_networks_other_classes_and_a_missing_image_are_refused(refused, assign):
    assign("params.yaml", "evaluate.single_image", "5")
    assert refused().startswith("params.yaml: evaluate.single_image: no such test image (expected 0 to 4, got 5)")
    atomic.write_json(Path("classes.json"), ["Coat", "Bag", "Dress"])
    assert refused().startswith(
        "training.json: the networks were trained on another data set (expected [1, 3, 'Coat', 'Bag'"
    )
    atomic.write_json(Path("classes.json"), ["Coat", "Dress", "Bag"])
    Path("model/0.keras").write_bytes(b"<html>")
    assert refused().startswith("model/0.keras: not the file that training wrote")


@pytest.mark.fault("predictions of another number than the labels, none at all")
def test_predictions_of_another_number_than_the_labels_are_refused(refused, monkeypatch):
    whole = prediction.predict
    for rows in [1, 2, 3], [0, *range(7)], []:
        some = lambda *given, rows=rows, **named: (each[:, rows] for each in whole(*given, **named))  # noqa: E731
        monkeypatch.setattr(prediction, "predict", some)

        expected = f"(expected 7, one for each label, got {len(rows)})"
        assert refused().startswith(f"predictions: not one for each label {expected}")


@pytest.mark.fault("a score that is no number")
def test_a_score_that_is_no_number_is_not_written(refused, monkeypatch):
    monkeypatch.setitem(scores.OF_AN_IMAGE, "brier", lambda probabilities, labels: np.full(len(labels), np.nan))

    assert refused().startswith("ensemble.brier: not a finite number (expected a number, got nan)")
