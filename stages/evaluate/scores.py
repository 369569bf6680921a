"""Scores of predicted probabilities against labels. Nothing here knows how the probabilities came about.

Throughout, probabilities are float (n, classes) and labels integer (n,).
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from stages import calibration, confusion, intervals
from stages.command import DataError, Problem

# Keras clips probabilities so before it takes logarithms (keras.backend.epsilon), so that a loss is finite.
_SMALLEST_PROBABILITY = 1e-7

DECIMALS = 6  # of every score in a file


def right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return, bool (n,), whether a row's largest entry is at the label; of equal ones, the first counts."""
    return probabilities.argmax(axis=1) == labels


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return -ln(probability of the label) of each row, float64 (n,), in nats."""
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(of_label.clip(_SMALLEST_PROBABILITY, 1))


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share, in [0, 1], of rows that are right."""
    return float(right(probabilities, labels).mean())


def top2_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of rows that have the label among their two largest entries; of equal ones, the first count."""
    second = np.array(probabilities)
    first = second.argmax(axis=1)
    second[np.arange(len(labels)), first] = -1
    return float(np.mean((first == labels) | (second.argmax(axis=1) == labels)))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of the losses, in nats."""
    return float(losses(probabilities, labels).mean())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over the rows of the squared distance to the truth, summed over all classes: from 0 to 2.

    (Brier, "Verification of forecasts expressed in terms of probability", 1950.)
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(labels)), labels] -= 1
    return float((distance**2).sum(axis=1).mean())


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the expected calibration error, in [0, 1]."""
    return calibration.reliability(probabilities, labels).expected_error


def by_class(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return recall, precision and F1 of each class, float (classes,) in [0, 1], of a confusion matrix.

    A share of nothing counts as 0, as in scikit-learn: the precision of a class that was never predicted.
    """
    right, actual, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return {
        "recall": right / np.maximum(actual, 1),
        "precision": right / np.maximum(predicted, 1),
        "f1": 2 * right / np.maximum(actual + predicted, 1),
    }


Score = Callable[[np.ndarray, np.ndarray], float]

OF_A_SPLIT: Mapping[str, Score] = {"accuracy": accuracy, "loss": cross_entropy}
OF_TEST: Mapping[str, Score] = {
    **OF_A_SPLIT,
    "top2_accuracy": top2_accuracy,
    "expected_calibration_error": calibration_error,
    "brier": brier,
}


def summarize(classes: Sequence[str], splits: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, dict]:
    """Return the metrics of the splits train and test: probabilities float (replicates, n, classes), labels (n,).

    Every score is the mean over the replicates; beside it, `<score>_std` is the sample standard deviation over them, 0
    where there is but one replicate and so nothing is known of it. `accuracy_low` and `accuracy_high` are the ends of
    the test accuracy's 95 % interval for the choice of test images alone. `gap` is by how much the networks do better
    on what they were trained on: accuracy train - test, loss test - train.

    Raises DataError where predictions and labels of a split don't go together, or where a score is no finite number.
    """
    for name, (probabilities, labels) in splits.items():
        _check_pairs(name, probabilities, labels)
    train, test = _of_replicates(OF_A_SPLIT, *splits["train"]), _of_replicates(OF_TEST, *splits["test"])
    gap = {"accuracy": train["accuracy"] - test["accuracy"], "loss": test["loss"] - train["loss"]}
    metrics: dict[str, Any] = {"train": _summary(train), "test": _summary(test), "gap": _summary(gap)}
    probabilities, labels = splits["test"]
    low, high = intervals.wilson(metrics["test"]["accuracy"], len(labels))
    metrics["test"] |= {"accuracy_low": float(low), "accuracy_high": float(high)}
    scores = [by_class(confusion.counts(each.argmax(axis=1), labels, len(classes))) for each in probabilities]
    metrics["classes"] = {
        name: _summary({score: np.array([each[score][index] for each in scores]) for score in scores[0]})
        for index, name in enumerate(classes)
    }
    return _rounded(metrics)


def _check_pairs(split: str, probabilities: np.ndarray, labels: np.ndarray) -> None:
    _, images, classes = probabilities.shape
    if images != len(labels) or not images:
        raise _unusable(f"{split} images", "as many predictions as labels, and some", f"{images} and {len(labels)}")
    if labels.max() >= classes:
        raise _unusable(f"{split} labels", f"0 to {classes - 1}", str(labels.max()))


def _of_replicates(scores: Mapping[str, Score], probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.array([score(each, labels) for each in probabilities]) for name, score in scores.items()}


def _summary(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return mean and standard deviation of each score, given its value for each replicate."""
    means = {name: float(np.mean(of_replicates)) for name, of_replicates in values.items()}
    spreads = {f"{name}_std": float(np.std(v, ddof=len(v) > 1)) for name, v in values.items()}
    return means | spreads


def _rounded(node: Mapping[str, Any], place: str = "metrics") -> dict[str, Any]:
    """Cut the float noise off, so that a diff of metrics shows changes: six decimals are exact for 10,000 images."""
    rounded: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            rounded[key] = _rounded(value, f"{place}.{key}")
        elif isfinite(value):
            rounded[key] = round(value, DECIMALS)
        else:
            raise _unusable(f"{place}.{key}", "a finite number", str(value))
    return rounded


def _unusable(subject: str, expected: str, got: str) -> DataError:
    return DataError(Problem(subject, "can't be scored", "dvc checkout --force, then dvc repro", expected, got))
