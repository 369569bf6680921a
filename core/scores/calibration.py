"""Calibration: whether predictions of 90 % confidence are right nine times in ten.

The confidence of a prediction is the largest of its probabilities.
"""

from typing import NamedTuple

import numpy as np

# As in Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017.
BINS = 15


class Reliability(NamedTuple):
    """Predictions in bins of confidence, which have equal widths from 0 to 1.

    images: int64 (BINS,), their number. confidence, accuracy: float64 (BINS,), the means of each bin; NaN if empty.
    """

    images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean over all images of |accuracy - confidence| of their bin."""
        filled = self.images > 0
        distance = np.abs(self.accuracy - self.confidence)[filled]
        return float((distance * self.images[filled]).sum() / self.images.sum())


def sums(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the number of images of each bin, the sum of their confidences, and how many are right: float64 (3, BINS).

    probabilities: float (n, classes), of one network; labels: integer (n,). A confidence on the edge of two bins is in
    the lower one. The sums of two blocks of images can be added.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    of_bin = np.searchsorted(edges[1:-1], confidence)
    return np.stack([np.bincount(of_bin, weights, BINS) for weights in (None, confidence, right)])


def means(of_bins: np.ndarray) -> Reliability:
    """Return the bins that have these sums."""
    images, confidence, right = of_bins
    with np.errstate(invalid="ignore"):
        return Reliability(images.astype(np.int64), confidence / images, right / images)


def accuracy_by_coverage(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the accuracy on the 1, 2, ... n most confident images, float64 (n,).

    Images of equal confidence are taken in their order.
    """
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = probabilities.argmax(axis=1) == labels
    return np.cumsum(right[order]) / np.arange(1, len(labels) + 1)
