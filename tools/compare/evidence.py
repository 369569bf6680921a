"""What the pictures of a change show: the predictions of both sides, their histories and the test images."""

from typing import NamedTuple

import numpy as np

from core.files import arrays
from core.scores import ensemble, scores
from stages.render.figures import samples
from tools.compare.differences import Pair


class Evidence(NamedTuple):
    """probabilities: of the networks that are compared, a pair of float32 (replicates, n, classes); ensembles: those of
    their ensembles, a pair of float32 (n, classes); right: how many of the networks are right, a pair of integer (n,).

    labels: integer (n,). images: float32 (n, height, width) or (n, height, width, 3) in [0, 1]; negative: whether
    pictures exchange light and dark. histories: a pair of tables of history.csv.
    """

    probabilities: Pair
    ensembles: Pair
    right: Pair
    labels: np.ndarray
    classes: list[str]
    images: np.ndarray
    negative: bool
    histories: Pair

    def test_images(self, indices: list[int]) -> np.ndarray:
        """Return the test images with these indices as pictures show them."""
        images = arrays.pick(self.images, np.asarray(indices, np.int64))
        return 1 - images if self.negative else images


def of(
    covers: str,
    base: np.ndarray,
    new: np.ndarray,
    labels: np.ndarray,
    classes: list[str],
    images: np.ndarray,
    histories: Pair,
) -> Evidence:
    """Return what the pictures of a comparison show. covers: as in Comparison. base, new: the probabilities."""
    probabilities = Pair(base[:1], new[:1]) if covers == "networks" else Pair(base, new)
    ensembles = Pair(*map(ensemble.average, probabilities))
    right = Pair(*(np.sum([scores.right(each, labels) for each in side], axis=0) for side in probabilities))
    negative = samples.white_on_black(images)
    return Evidence(probabilities, ensembles, right, labels, classes, images, negative, histories)
