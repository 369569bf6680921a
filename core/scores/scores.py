"""Scores of predicted probabilities against labels.

`evaluate` writes the few scores that runs are compared by; `render` calculates all scores for the report, with the same
functions. Everywhere here, probabilities are float (n, classes) and labels integer (n,).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.scores import calibration, intervals

# Before logarithms, Keras clips probabilities to this value (keras.backend.epsilon), which keeps a loss finite.
_SMALLEST_PROBABILITY = 1e-7

DECIMALS = 6  # of each score in a file


def right(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether the largest entry of each row is at the label, bool (n,); ties go to the lower index."""
    return probabilities.argmax(axis=1) == labels


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return -ln(probability of the label) of each row, float64 (n,), in nats."""
    of_label = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(of_label.clip(_SMALLEST_PROBABILITY, 1))


def in_top2(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return whether the label is among the two largest entries of each row, bool (n,); the first of equals count."""
    second = np.array(probabilities)
    first = second.argmax(axis=1)
    second[np.arange(len(labels)), first] = -1
    return (first == labels) | (second.argmax(axis=1) == labels)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared error of each row, summed over the classes, float64 (n,) from 0 to 2.

    (Brier, "Verification of forecasts expressed in terms of probability", 1950.)
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(labels)), labels] -= 1
    return (distance**2).sum(axis=1)


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how many images of each class were predicted as each class, int64 (classes, classes), a row a label.

    predicted: integer (n,), indices into the classes.
    """
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def by_class(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return recall, precision and F1 of each class, float (classes,) in [0, 1], of a confusion matrix.

    As in scikit-learn, the precision of a class that was never predicted is 0.
    """
    right, actual, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return {
        "recall": right / np.maximum(actual, 1),
        "precision": right / np.maximum(predicted, 1),
        "f1": 2 * right / np.maximum(actual + predicted, 1),
    }


# The scores that are means over the images, with the function that gives the value of each image.
OF_AN_IMAGE: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "accuracy": right,
    "loss": losses,
    "top2_accuracy": in_top2,
    "brier": brier,
}


class Tally(NamedTuple):
    """Sums over the images from which all scores follow, so that only a block of images is needed at a time.

    images: their number. sums, squares: the sums of each score in OF_AN_IMAGE, and of its square, float64
    (replicates,). bins: the result of `calibration.sums` for each network, float64 (replicates, 3, BINS). confusion:
    the matrix of each network, int64 (replicates, classes, classes).
    """

    images: int
    sums: dict[str, np.ndarray]
    squares: dict[str, np.ndarray]
    bins: np.ndarray
    confusion: np.ndarray

    def means(self) -> dict[str, np.ndarray]:
        """Return each score of each replicate, float64 (replicates,)."""
        errors = np.array([bins.expected_error for bins in self.reliability()])
        return {name: sums / self.images for name, sums in self.sums.items()} | {"expected_calibration_error": errors}

    def reliability(self) -> list[calibration.Reliability]:
        """Return the bins of confidence of each replicate."""
        return list(map(calibration.means, self.bins))

    def interval(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper ends, (replicates,), of the 95 % interval of a score for the choice of images."""
        return intervals.of_mean(self.sums[name], self.squares[name], self.images)

    def networks(self, part: slice) -> "Tally":
        """Return the sums of some of the networks alone."""
        sums, squares = ({name: values[part] for name, values in of.items()} for of in (self.sums, self.squares))
        return Tally(self.images, sums, squares, self.bins[part], self.confusion[part])


def tally(blocks: Iterable[np.ndarray], labels: np.ndarray, classes: int) -> Tally:
    """Return the sums over blocks of images, given in the order of the labels, (n,): float (replicates, m, classes).

    Raises DataError unless there are as many predictions as labels, and at least one.
    """
    start, bins, counts = 0, np.zeros(()), np.zeros((), np.int64)
    sums, squares = (dict.fromkeys(OF_AN_IMAGE, np.zeros(())) for _ in range(2))
    for block in blocks:
        of_block = labels[start : start + block.shape[1]]
        start += block.shape[1]
        if len(of_block) < block.shape[1]:
            break
        for name, score in OF_AN_IMAGE.items():
            values = np.array([score(each, of_block) for each in block], np.float64)
            sums[name] = sums[name] + values.sum(axis=1)
            squares[name] = squares[name] + np.square(values).sum(axis=1)
        bins = bins + [calibration.sums(each, of_block) for each in block]
        counts = counts + [confusion(each.argmax(axis=1), of_block, classes) for each in block]
    if start != len(labels) or not start:
        expected, got = f"{len(labels)}, one for each label", str(start)
        raise DataError(Problem("predictions", "not one for each label", expected=expected, got=got, fix=MEND))
    return Tally(start, sums, squares, bins, counts)


def summary(tally: Tally, name: str) -> dict[str, float]:
    """Return the mean of each score over the replicates, and its sample standard deviation as `<score>_std`.

    The standard deviation of one replicate is 0. Raises DataError, with this name, if a score is not a finite number.
    """
    return _over_replicates(tally.means(), name)


def of_classes(tally: Tally, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return recall, precision and F1 of each class as `summary` does, with their standard deviations."""
    scores = [by_class(counts) for counts in tally.confusion]
    return {
        name: _over_replicates({score: np.array([each[score][index] for each in scores]) for score in scores[0]}, name)
        for index, name in enumerate(classes)
    }


def _over_replicates(values: Mapping[str, np.ndarray], name: str) -> dict[str, float]:
    """Return mean and standard deviation of each score, rounded: a diff then shows changes, but no float noise.

    Six decimals are exact for 10,000 images.
    """
    both = {score: float(np.mean(of_replicates)) for score, of_replicates in values.items()}
    both |= {f"{score}_std": float(np.std(v, ddof=len(v) > 1)) for score, v in values.items()}
    for score, value in both.items():
        if not isfinite(value):
            subject, what = f"{name}.{score}", "not a finite number"
            raise DataError(Problem(subject, what, expected="a number", got=str(value), fix=MEND))
    return {score: round(value, DECIMALS) for score, value in both.items()}
