"""What the report needs of the files before it: what is there is read, what is missing is named."""

import json
import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.cli.errors import DataError
from core.files import arrays
from stages.render import results

HEADER = "replicate,epoch,train_loss,train_accuracy"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record"


@pytest.fixture
def lines(path):
    """A function that returns what is said of a file that holds a text, without its name and the remedy."""

    def lines(text, read, *arguments):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            read(path, *arguments)
        end = "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
        return [str(problem).removeprefix(f"{path}: ").removesuffix(end) for problem in caught.value.problems]

    return lines


def without(node, *keys):
    """Return JSON of a mapping without one of its keys."""
    copy = json.loads(json.dumps(node))
    place = copy
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    return json.dumps(copy)


METRICS = {"train": {"accuracy": 0.9, "loss": 0.25}, "test": {"accuracy": 0.8}}


def test_of_the_metrics_the_scores_of_the_training_images_are_read(path):
    path.write_text(json.dumps(METRICS), encoding="utf-8")

    assert results.read_train_scores(path) == {"accuracy": 0.9, "loss": 0.25}


@pytest.mark.parametrize("score", ["accuracy", "loss"])
def test_a_missing_score_is_named(lines, score):
    [line] = lines(without(METRICS, "train", score), results.read_train_scores)

    assert line == f"train.{score}: missing"


def test_what_is_no_score_is_refused(lines):
    said = lines(json.dumps({"train": {"accuracy": 1.5, "loss": "much"}}), results.read_train_scores)

    assert said[0] == "train.accuracy: wrong value (expected less than or equal to 1, got 1.5)"
    assert said[1].startswith("train.loss: wrong value (expected a valid number, got ")


def test_all_scores_of_the_report_worked_by_hand():
    """Of four images, two of each class, the first network gets three right and the second one all, with certainty."""
    first = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]]
    second = [[1, 0], [1, 0], [0, 1], [0, 1]]
    labels = np.uint8([0, 0, 1, 1])

    found = results.measured(np.float32([first, second]), labels, ["Coat", "=1"], {"accuracy": 0.95, "loss": 0.05})

    loss = -(math.log(0.9) + math.log(0.4) + math.log(0.8) + math.log(0.7)) / 4
    brier = 2 * (0.1**2 + 0.6**2 + 0.2**2 + 0.3**2) / 4
    test = found["test"]
    assert (test["accuracy"], test["top2_accuracy"]) == (0.875, 1)
    assert test["accuracy_std"] == pytest.approx(0.25 / math.sqrt(2), abs=1e-6)
    assert [test["loss"], test["brier"]] == pytest.approx([loss / 2, brier / 2], abs=1e-6)
    assert [test["accuracy_low"], test["accuracy_high"]] == pytest.approx(
        proportion_confint(0.875 * 4, 4, method="wilson"), abs=1e-6
    )  # not of both networks' images together: these are the same images
    assert found["train"] == {"accuracy": 0.95, "loss": 0.05}
    assert found["gap"] == pytest.approx({"accuracy": 0.075, "loss": loss / 2 - 0.05}, abs=1e-6)
    coat, other = found["classes"]["Coat"], found["classes"]["=1"]
    assert [coat[score] for score in ("recall", "precision", "f1")] == [0.75, 1, pytest.approx(5 / 6, abs=1e-6)]
    assert [other[score] for score in ("recall", "precision", "f1")] == [
        1,
        pytest.approx(5 / 6, abs=1e-6),
        pytest.approx(0.9, abs=1e-6),
    ]
    assert coat["recall_std"] == pytest.approx(0.5 / math.sqrt(2), abs=1e-6)


@pytest.fixture
def predictions(tmp_path):
    """A folder with the probabilities that two networks give four images, and one image alone, of three classes."""
    folder = tmp_path / "predictions"
    arrays.write(folder / "probabilities.npy", np.full((2, 4, 3), 1 / 3, np.float32))
    arrays.write(folder / "single_image.npy", np.full((2, 3), 1 / 3, np.float32))
    return folder


def test_predictions_are_those_of_the_test_images(predictions):
    probabilities, alone = results.read_predictions(predictions, 4, 3)

    assert (probabilities.shape, alone.shape) == ((2, 4, 3), (2, 3))


@pytest.mark.parametrize(("images", "classes"), [(5, 3), (4, 2), (4, 4)])
def test_predictions_of_other_images_or_classes_are_refused(predictions, images, classes):
    with pytest.raises(DataError) as caught:
        results.read_predictions(predictions, images, classes)

    assert str(caught.value).startswith(
        f"{predictions}/probabilities.npy: not of these test images and classes "
        f"(expected (2, {images}, {classes}), got (2, 4, 3)); fix: python -m tools.verify, "
    )


def test_an_image_predicted_alone_by_other_networks_is_refused(predictions):
    arrays.write(predictions / "single_image.npy", np.full((1, 3), 1 / 3, np.float32))

    with pytest.raises(DataError, match=r"single_image.npy: .* \(expected \(2, 3\), got \(1, 3\)\); fix: "):
        results.read_predictions(predictions, 4, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["probabilities.npy", "single_image.npy"])
def test_what_is_no_probability_is_refused(predictions, name, value):
    array = np.load(predictions / name)
    array[..., 1] = value
    arrays.write(predictions / name, array)

    with pytest.raises(
        DataError, match=rf"{name}: no probabilities \(expected finite numbers, got NaN or infinity\); fix: "
    ):
        results.read_predictions(predictions, 4, 3)


TRAINING = {
    "networks": ["of another reader"],
    "parameters": 101770,
    "untrained_loss": 2.3,
    "versions": {"keras": "3.15.1"},
}


def test_what_train_writes_is_what_is_needed(path):
    path.write_text(json.dumps(TRAINING), encoding="utf-8")

    assert results.read_training(path) == {name: TRAINING[name] for name in TRAINING if name != "networks"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"parameters": 0}, "parameters: wrong value (expected greater than or equal to 1, got 0)"),
        ({"parameters": 1.5}, "parameters: wrong value (expected a valid integer, got 1.5)"),
        ({"versions": ["3"]}, 'versions: wrong value (expected a mapping, got ["3"])'),
        (
            {"versions": {"keras": None}},
            "versions.keras: wrong value (expected a text, ",
        ),
        ({"versions": {"a\nb": "1"}}, "versions.a\\nb: String should match pattern '^[!-~]{1,100}$'"),
        ({"versions": {"keras": "<\ud800>"}}, "versions.keras: wrong value (expected a valid string, "),
    ],
)
def test_what_is_no_record_of_training_is_refused(lines, change, line):
    [said] = lines(json.dumps(TRAINING | change), results.read_training)

    assert said.startswith(line)


@pytest.mark.parametrize("key", ["parameters", "untrained_loss", "versions"])
def test_what_is_missing_of_the_training_is_named(lines, key):
    [line] = lines(without(TRAINING, key), results.read_training)

    assert line == f"{key}: missing"


@pytest.mark.parametrize("more", [[], ["0,2,0.25,1"]])
def test_history_is_read_by_column_and_replicates_may_differ_in_length(path, more):
    path.write_text("\n".join([HEADER, "0,0,1.1,0.3", "0,1,0.5,0.8", *more, "1,0,1,0", "1,1,3e38,1"]), encoding="utf-8")

    history = results.read_history(path)

    assert history["replicate"].tolist() == [0, 0, *[0] * len(more), 1, 1]
    assert history["train_loss"].tolist() == [1.1, 0.5, *[0.25] * len(more), 1, 3e38]


EPOCHS = "not a row for each epoch (expected epochs 0, 1, ... of replicates 0, 1, ..., got other epochs or replicates)"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["0,0,1,0"], EPOCHS),
        (["0,1,1,0", "0,2,1,0"], EPOCHS),
        (["0,0,1,0", "0,2,1,0"], EPOCHS),
        (["0,0,1,0", "0,0,1,0"], EPOCHS),
        (["0,0,1,0", "0,0.5,1,0"], EPOCHS),
        (["1,0,1,0", "1,1,1,0"], EPOCHS),
        (["0,0,1,0", "1,0,1,0", "0,1,1,0", "1,1,1,0"], EPOCHS),
        (["0,0,1,0", "0,1,1,0", "2,0,1,0", "2,1,1,0"], EPOCHS),
        (["0,0,1,0", "0,1,1,1.5"], "train_accuracy out of range (expected 0 <= x <= 1, got 0 to 1.5)"),
        (["0,0,1,0", "0,1,-1,1"], "train_loss out of range (expected 0 <= x <= 3.40282e+38, got -1 to 1)"),
        (["0,0,1,0", "0,1,1e39,1"], "train_loss out of range (expected 0 <= x <= 3.40282e+38, got 1 to 1e+39)"),
    ],
)
def test_a_history_that_is_not_whole_is_refused(lines, rows, line):
    assert lines("\n".join([HEADER, *rows, ""]), results.read_history) == [line]


def test_validation_is_both_of_its_columns_or_none(path, lines):
    path.write_text(f"{HEADER},validation_loss,validation_accuracy\n0,0,1,0,1,0\n0,1,1,1,0,1\n", encoding="utf-8")
    assert results.read_history(path)["validation_accuracy"].tolist() == [0, 1]

    [line] = lines(f"{HEADER},validation_loss\n0,0,1,0,1\n0,1,1,1,0\n", results.read_history)
    assert line.startswith(f"not the columns that are needed (expected {HEADER} or {HEADER},validation_loss,")
