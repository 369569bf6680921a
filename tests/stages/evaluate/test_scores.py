import math

import numpy as np
import pytest

from stages.evaluate import scores

# Four images of three classes; the third is taken for class 0, the fourth is nearly a toss-up.
LABELS = np.array([0, 1, 2, 2], np.uint8)
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.3, 0.3, 0.4]], np.float32)


def test_accuracy_and_loss_worked_by_hand():
    assert scores.accuracy(PROBABILITIES, LABELS) == 0.75
    expected = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.4)) / 4
    assert scores.cross_entropy(PROBABILITIES, LABELS) == pytest.approx(expected, abs=1e-7)


def test_the_loss_of_a_label_given_no_probability_is_finite():
    assert scores.cross_entropy(np.array([[1, 0]], np.float32), np.array([1])) == pytest.approx(-math.log(1e-7))


def test_scores_by_class_worked_by_hand():
    """Class 0: right 1 of 1, predicted twice. Class 2: right 1 of 2, predicted once."""
    by_class = scores.by_class(np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]]))

    np.testing.assert_allclose(by_class["recall"], [1, 1, 1 / 2])
    np.testing.assert_allclose(by_class["precision"], [1 / 2, 1, 1])
    np.testing.assert_allclose(by_class["f1"], [2 / 3, 1, 2 / 3])


def test_a_class_never_predicted_has_precision_0():
    by_class = scores.by_class(np.array([[0, 2], [0, 3]]))

    assert by_class["precision"].tolist() == [0, 0.6]
    assert by_class["f1"].tolist() == [0, 0.75]


def test_metrics_are_means_over_replicates_with_their_spread():
    """The second replicate is right everywhere and sure of it: accuracies 0.75 and 1."""
    sure = np.eye(3, dtype=np.float32)[LABELS]
    test = np.stack([PROBABILITIES, sure]), LABELS
    train = np.stack([sure, sure]), LABELS

    metrics = scores.summarize(["a", "b", "c/d"], {"train": train, "test": test})

    first_loss = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.4)) / 4
    assert metrics["test"]["accuracy"] == 0.875
    assert metrics["test"]["accuracy_std"] == round(0.25 / math.sqrt(2), 6)
    assert metrics["test"]["loss"] == round(first_loss / 2, 6)
    assert metrics["train"] == {"accuracy": 1, "accuracy_std": 0, "loss": 0, "loss_std": 0}
    assert metrics["gap"] == {"accuracy": 0.125, "loss": round(first_loss / 2, 6)}
    assert metrics["classes"]["c/d"] == {"recall": 0.75, "precision": 1, "f1": round((2 / 3 + 1) / 2, 6)}


def test_the_spread_of_one_replicate_is_0_and_no_nan():
    split = PROBABILITIES[None], LABELS

    metrics = scores.summarize(["a", "b", "c"], {"train": split, "test": split})

    assert metrics["test"]["accuracy_std"] == 0
