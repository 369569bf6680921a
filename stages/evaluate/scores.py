"""Scores of predicted probabilities against labels. Nothing here knows how the probabilities came about."""

from collections.abc import Sequence

import numpy as np

from stages import confusion

# Keras clips probabilities so before it takes logarithms (keras.backend.epsilon), so that a loss is finite.
SMALLEST_PROBABILITY = 1e-7

DECIMALS = 6


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the share, in [0, 1], of rows of float (n, classes) whose largest entry is at the label."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of -ln(probability of the label), in nats."""
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(of_label.clip(SMALLEST_PROBABILITY, 1)).mean())


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


def summarize(classes: Sequence[str], splits: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, dict]:
    """Return the metrics of the splits train and test: probabilities float (replicates, n, classes), labels (n,).

    Every score is the mean over the replicates. `accuracy_std` and `loss_std` are the sample standard deviations over
    them, 0 where there is but one replicate and so nothing is known of it. `gap` is by how much the networks do better
    on what they were trained on: accuracy train - test, loss test - train.
    """
    metrics = {name: _means(*split) for name, split in splits.items()}
    metrics["gap"] = {
        "accuracy": metrics["train"]["accuracy"] - metrics["test"]["accuracy"],
        "loss": metrics["test"]["loss"] - metrics["train"]["loss"],
    }
    probabilities, labels = splits["test"]
    replicates = [by_class(confusion.counts(each.argmax(axis=1), labels, len(classes))) for each in probabilities]
    metrics["classes"] = {
        name: {score: float(np.mean([r[score][index] for r in replicates])) for score in replicates[0]}
        for index, name in enumerate(classes)
    }
    return _rounded(metrics)


def _means(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    scores = {
        "accuracy": [accuracy(each, labels) for each in probabilities],
        "loss": [cross_entropy(each, labels) for each in probabilities],
    }
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    spreads = {f"{name}_std": float(np.std(values, ddof=len(values) > 1)) for name, values in scores.items()}
    return means | spreads


def _rounded(node: dict) -> dict:
    """Cut the float noise off, so that a diff of metrics shows changes: six decimals are exact for 10,000 images."""
    return {key: _rounded(value) if isinstance(value, dict) else round(value, DECIMALS) for key, value in node.items()}
