"""The predictions that the report reads, and its scores."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.cli.errors import DataError
from core.files import arrays
from core.scores.metrics import Scores
from stages.render import results


def test_all_scores_worked_by_hand():
    """Four images, two of each class: the first network gets three right, the second all, with certainty."""
    first = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]]
    second = [[1, 0], [1, 0], [0, 1], [0, 1]]
    labels = np.uint8([0, 0, 1, 1])

    found = results.measured(np.float32([first, second]), labels, ["Coat", "=1"], Scores(accuracy=0.95, loss=0.05))

    loss = -(math.log(0.9) + math.log(0.4) + math.log(0.8) + math.log(0.7)) / 4
    brier = 2 * (0.1**2 + 0.6**2 + 0.2**2 + 0.3**2) / 4
    test = found["test"]
    assert (test["accuracy"], test["top2_accuracy"]) == (0.875, 1)
    assert test["accuracy_std"] == pytest.approx(0.25 / math.sqrt(2), abs=1e-6)
    assert [test["loss"], test["brier"]] == pytest.approx([loss / 2, brier / 2], abs=1e-6)
    assert [test["accuracy_low"], test["accuracy_high"]] == pytest.approx(
        proportion_confint(0.875 * 4, 4, method="wilson"), abs=1e-6
    )  # of four images, not of eight: both networks see the same images
    assert found["train"] == {"accuracy": 0.95, "loss": 0.05}
    assert found["gap"] == pytest.approx({"accuracy": 0.075, "loss": loss / 2 - 0.05}, abs=1e-6)
    scores = [[found["classes"][name][score] for score in ("recall", "precision", "f1")] for name in ("Coat", "=1")]
    assert np.allclose(scores, [[0.75, 1, 5 / 6], [1, 5 / 6, 0.9]], atol=1e-6)
    assert found["classes"]["Coat"]["recall_std"] == pytest.approx(0.5 / math.sqrt(2), abs=1e-6)


@pytest.fixture
def predictions(tmp_path):
    """Probabilities of two networks for four images and a single image, of three classes."""
    arrays.write(tmp_path / "probabilities.npy", np.full((2, 4, 3), 1 / 3, np.float32))
    arrays.write(tmp_path / "single_image.npy", np.full((2, 3), 1 / 3, np.float32))
    return tmp_path


@pytest.mark.parametrize(("images", "classes"), [(5, 3), (4, 2)])
def test_predictions_for_other_images_or_classes_are_refused(predictions, images, classes):
    assert [array.shape for array in results.read_predictions(predictions, 4, 3)] == [(2, 4, 3), (2, 3)]

    shapes = rf"\(expected \(2, {images}, {classes}\), got \(2, 4, 3\)\); fix: python -m tools.verify"
    with pytest.raises(DataError, match=rf"probabilities.npy: not the predictions for these test images {shapes}"):
        results.read_predictions(predictions, images, classes)


def test_a_single_image_predicted_by_other_networks_is_refused(predictions):
    arrays.write(predictions / "single_image.npy", np.full((1, 3), 1 / 3, np.float32))

    with pytest.raises(DataError, match=r"single_image.npy: .* \(expected \(2, 3\), got \(1, 3\)\)"):
        results.read_predictions(predictions, 4, 3)


@pytest.mark.parametrize("name", ["probabilities.npy", "single_image.npy"])
def test_a_probability_that_is_no_number_is_refused(predictions, name):
    array = np.load(predictions / name)
    array[..., 1] = np.nan
    arrays.write(predictions / name, array)

    with pytest.raises(DataError, match=rf"{name}: not probabilities \(expected finite numbers, got NaN or infinity\)"):
        results.read_predictions(predictions, 4, 3)
