"""Scores of predicted probabilities against labels. Nothing here knows how the probabilities came about.

`evaluate` writes the scores that decide, `render` calculates all of them for the report, by the same functions.
Throughout, probabilities are float (n, classes) and labels integer (n,).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.scores import calibration, confusion

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


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of the losses, in nats."""
    return float(losses(probabilities, labels).mean())


def in_top2(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return, bool (n,), whether the label is among a row's two largest entries; of equal ones, the first count."""
    second = np.array(probabilities)
    first = second.argmax(axis=1)
    second[np.arange(len(labels)), first] = -1
    return (first == labels) | (second.argmax(axis=1) == labels)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared distance of each row to the truth, summed over all classes, float64 (n,): from 0 to 2.

    (Brier, "Verification of forecasts expressed in terms of probability", 1950.)
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(labels)), labels] -= 1
    return (distance**2).sum(axis=1)


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


# Scores that are means over the images, and what of each image.
OF_AN_IMAGE: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "accuracy": right,
    "loss": losses,
    "top2_accuracy": in_top2,
    "brier": brier,
}


class Tally(NamedTuple):
    """What the scores of networks on some images are made of: sums over the images, so that few are needed at a time.

    images: their number. sums: of each of OF_AN_IMAGE, float64 (replicates,). bins: what `calibration.sums` gives for
    each network, float64 (replicates, 3, BINS). confusion: each network's matrix, int64 (replicates, classes, classes).
    """

    images: int
    sums: dict[str, np.ndarray]
    bins: np.ndarray
    confusion: np.ndarray

    def means(self) -> dict[str, np.ndarray]:
        """Return each score of each replicate, float64 (replicates,)."""
        errors = [calibration.means(bins).expected_error for bins in self.bins]
        return {name: of_all / self.images for name, of_all in self.sums.items()} | {
            "expected_calibration_error": np.array(errors)
        }


def tally(blocks: Iterable[np.ndarray], labels: np.ndarray, classes: int) -> Tally:
    """Add up blocks of images in their order: probabilities float (replicates, m, classes), labels (n,) of all.

    Raises DataError unless there are as many predictions as labels, and some.
    """
    start, sums, bins, counts = 0, dict.fromkeys(OF_AN_IMAGE, np.zeros(())), np.zeros(()), np.zeros((), np.int64)
    for block in blocks:
        of_block = labels[start : start + block.shape[1]]
        start += block.shape[1]
        if len(of_block) < block.shape[1]:
            break
        for name, score in OF_AN_IMAGE.items():
            sums[name] = sums[name] + [score(each, of_block).sum(dtype=np.float64) for each in block]
        bins = bins + [calibration.sums(each, of_block) for each in block]
        counts = counts + [confusion.counts(each.argmax(axis=1), of_block, classes) for each in block]
    if start != len(labels) or not start:
        raise _unusable("predictions", "as many as labels, and some", f"{start} and {len(labels)}")
    return Tally(start, sums, bins, counts)


def summary(tally: Tally, name: str) -> dict[str, float]:
    """Return the mean of each score over the replicates; beside it, `<score>_std` is the sample standard deviation, or
    0 if there is only one replicate, which tells nothing about it.

    Raises DataError, with the name of what was scored, if a score is not a finite number.
    """
    return _over_replicates(tally.means(), name)


def of_classes(tally: Tally, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return recall, precision and F1 of each class, and their standard deviations, as `summary` does."""
    scores = [by_class(counts) for counts in tally.confusion]
    return {
        name: _over_replicates({score: np.array([each[score][index] for each in scores]) for score in scores[0]}, name)
        for index, name in enumerate(classes)
    }


def _over_replicates(values: Mapping[str, np.ndarray], name: str) -> dict[str, float]:
    """Return mean and standard deviation of each score, rounded, so that a diff shows changes and no float noise: six
    decimals are exact for 10,000 images.
    """
    both = {score: float(np.mean(of_replicates)) for score, of_replicates in values.items()}
    both |= {f"{score}_std": float(np.std(v, ddof=len(v) > 1)) for score, v in values.items()}
    for score, value in both.items():
        if not isfinite(value):
            raise _unusable(f"{name}.{score}", "a finite number", str(value))
    return {score: round(value, DECIMALS) for score, value in both.items()}


def _unusable(subject: str, expected: str, got: str) -> DataError:
    return DataError(Problem(subject, "can't be scored", expected=expected, got=got, fix=MEND))
