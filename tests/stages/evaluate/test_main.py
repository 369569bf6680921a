import csv
import json
from pathlib import Path

import numpy as np
import pytest

from stages import arrays, atomic, models
from stages.runtime import keras

COMMAND_LINE = (
    "stages.evaluate",
    *("train", "test", "classes.json", "model"),
    *("predictions", "reports/predictions.csv", "reports/reliability.csv", "reports/metrics.json"),
)


def brightest(order: list[int]) -> keras.Model:
    """A network that sees which of three pixels is the brightest, and takes it for the class that `order` says."""
    model = keras.Sequential(
        [keras.Input((1, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax", use_bias=False)]
    )
    model.set_weights([4 * np.eye(3, dtype=np.float32)[order]])
    return model


@pytest.fixture
def prepared(project):
    """Four training and three test images; replicate 0 is right everywhere, replicate 1 takes 2 for 0 and back."""
    for name, labels in {"train": [0, 1, 2, 1], "test": [2, 1, 0]}.items():
        images = np.eye(3, dtype=np.float32)[labels][:, None, :]
        arrays.write_split(Path(name), arrays.Split(images, np.uint8(labels)))
    atomic.write_json(Path("classes.json"), ["Coat", "Dress", "Bag"])
    models.write(Path("model"), [brightest([0, 1, 2]), brightest([2, 1, 0])])


def test_predictions_and_metrics_worked_by_hand(prepared, run_stage):
    right, wrong = np.exp(4) / (np.exp(4) + 2), 1 / (np.exp(4) + 2)

    run = run_stage(*COMMAND_LINE)

    assert (run.code, run.stderr) == (0, "")
    probabilities = arrays.read(Path("predictions/probabilities.npy"), np.float32, 3)
    np.testing.assert_allclose(probabilities[0], np.where(np.eye(3)[[2, 1, 0]], right, wrong), atol=1e-6)
    np.testing.assert_allclose(probabilities[1], np.where(np.eye(3)[[0, 1, 2]], right, wrong), atol=1e-6)
    single = arrays.read(Path("predictions/single_image.npy"), np.float32, 2)
    np.testing.assert_allclose(single, probabilities[:, 1], atol=1e-6)  # params.yaml names image 1
    with open("reports/predictions.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["actual", "predicted"]
    assert rows == [["Bag", "Bag"], ["Dress", "Dress"], ["Coat", "Coat"]]
    with open("reports/reliability.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["replicate", "confidence", "accuracy", "images"]
    assert [[replicate, accuracy, images] for replicate, _, accuracy, images in rows] == [
        ["0", "1.0", "3"],
        ["1", "0.333333", "3"],
    ]
    assert [float(row[1]) for row in rows] == pytest.approx([right] * 2, abs=1e-6)
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"]["accuracy"] == pytest.approx((1 + 1 / 3) / 2, abs=1e-6)
    assert metrics["train"]["accuracy"] == pytest.approx((1 + 2 / 4) / 2, abs=1e-6)
    expected = (-np.log(right) - (np.log(right) + 2 * np.log(wrong)) / 3) / 2
    assert metrics["test"]["loss"] == pytest.approx(expected, abs=1e-5)
    coat, dress = metrics["classes"]["Coat"], metrics["classes"]["Dress"]
    assert [coat[score] for score in ("recall", "precision", "f1")] == [0.5, 0.5, 0.5]
    assert [dress[score] for score in ("recall", "precision", "f1")] == [1, 1, 1]


def test_a_single_image_that_is_not_there_is_refused(prepared, assign, run_stage, assert_clean_failure):
    assign("params.yaml", "evaluate.single_image", "3")

    assert_clean_failure(
        run_stage(*COMMAND_LINE),
        2,
        "error: params.yaml: evaluate.single_image: no such test image (expected 0 to 2, got 3); "
        "fix: edit params.yaml, then dvc repro",
    )


def test_a_damaged_model_is_refused(prepared, run_stage, assert_clean_failure):
    Path("model/1.keras").write_bytes(b"<html>")

    assert_clean_failure(
        run_stage(*COMMAND_LINE),
        4,
        "error: model/1.keras: not a .keras file (expected a zip archive, got something else); "
        "fix: dvc checkout --force, or dvc repro --single-item --force train",
    )
