import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stages import arrays, atomic, models
from stages.command import DataError
from stages.evaluate import __main__ as evaluate
from stages.evaluate import prediction, scores
from stages.runtime import keras

COMMAND_LINE = (
    "stages.evaluate",
    *("train", "test", "classes.json", "model", "training.json"),
    *("predictions", "familiarity", "reports/predictions.csv", "reports/reliability.csv", "reports/metrics.json"),
)


def brightest(order: list[int]) -> keras.Model:
    """A network that sees which of three pixels is the brightest, and takes it for the class that `order` says."""
    layers = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(3, use_bias=False, name="logits")]
    model = keras.Sequential([keras.Input((1, 3), name="images"), *layers], name="brightest")
    model.set_weights([4 * np.eye(3, dtype=np.float32)[order]])
    return models.with_probabilities(model)


@pytest.fixture
def prepared(project):
    """Four training and three test images; replicate 0 is right everywhere, replicate 1 takes 2 for 0 and back."""
    for name, labels in {"train": [0, 1, 2, 1], "test": [2, 1, 0]}.items():
        images = np.eye(3, dtype=np.float32)[labels][:, None, :]
        arrays.write_split(Path(name), arrays.Split(images, np.uint8(labels)))
    atomic.write_json(Path("classes.json"), ["Coat", "Dress", "Bag"])
    digests = models.write(Path("model"), [brightest([0, 1, 2]), brightest([2, 1, 0])])
    card = {"networks": digests, "classes": ["Coat", "Dress", "Bag"], "image_shape": [1, 3]}
    atomic.write_json(Path("training.json"), card | {"epochs": 10})


def test_predictions_and_metrics_worked_by_hand(prepared, run_stage):
    right, wrong = np.exp(4) / (np.exp(4) + 2), 1 / (np.exp(4) + 2)

    run = run_stage(*COMMAND_LINE)

    assert (run.code, run.stderr) == (0, "")
    probabilities = arrays.read(Path("predictions/probabilities.npy"), np.float32, 3)
    np.testing.assert_allclose(probabilities[0], np.where(np.eye(3)[[2, 1, 0]], right, wrong), atol=1e-6)
    np.testing.assert_allclose(probabilities[1], np.where(np.eye(3)[[0, 1, 2]], right, wrong), atol=1e-6)
    single = arrays.read(Path("predictions/single_image.npy"), np.float32, 2)
    np.testing.assert_allclose(single, probabilities[:, 1], atol=1e-6)  # params.yaml names image 1
    assert (arrays.read(Path("familiarity/means.npy"), np.float32, 3) == np.eye(3)[[[0, 1, 2], [2, 1, 0]]]).all()
    assert arrays.read(Path("familiarity/thresholds.npy"), np.float32, 1).tolist() == [0, 0]
    assert json.loads(Path("familiarity/framing.json").read_text(encoding="utf-8")) == {"background": 0, "extent": 1.0}
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


@pytest.mark.slow
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
    assign("params.yaml", "evaluate.single_image", "3")

    assert_clean_failure(
        run_stage(*COMMAND_LINE),
        2,
        "error: params.yaml: evaluate.single_image: no such test image (expected 0 to 2, got 3); "
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


def test_labels_of_another_number_and_no_images_are_refused(refused):
    arrays.write(Path("test/labels.npy"), np.uint8([2, 1]))
    assert "(expected 3 labels, one for each image, got 2)" in refused()
    arrays.write(Path("test/labels.npy"), np.uint8([2, 1, 3]))
    assert refused().startswith("test/labels.npy: a label without a class (expected 0 to 2, got 3)")
    arrays.write(Path("test/images.npy"), np.empty((0, 1, 3), np.float32))
    assert refused().startswith("test/images.npy: another array than this stage works on")


def test_predictions_of_another_number_than_the_labels_are_refused(refused, monkeypatch):
    whole = prediction.predict
    for rows, got in ([1, 2, 3], "3 and 4"), ([0, 0, 1, 2, 3], "5 and 4"), ([], "0 and 4"):
        some = lambda *given, rows=rows, **named: (each[:, rows] for each in whole(*given, **named))  # noqa: E731
        monkeypatch.setattr(prediction, "predict", some)

        assert refused().startswith(f"predictions: can't be scored (expected as many as labels, and some, got {got})")


def test_a_score_that_is_no_number_is_not_written(refused, monkeypatch):
    monkeypatch.setitem(scores.OF_AN_IMAGE, "brier", lambda probabilities, labels: np.full(len(labels), np.nan))

    assert refused().startswith("metrics.test.brier: can't be scored (expected a finite number, got nan)")


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
