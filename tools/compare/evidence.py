"""What the pictures of a change show: the predictions of both sides, their histories and the test images."""

from typing import NamedTuple

import numpy as np

from core.scores import ensemble
from stages.render.figures import samples
from tools.compare.comparison import Comparison
from tools.compare.differences import Pair
from tools.compare.sides import Predictions


class Evidence(NamedTuple):
    """probabilities: of the networks that are compared, a pair of float32 (replicates, n, classes). labels: integer
    (n,). images: float32 (n, height, width) or (n, height, width, 3) in [0, 1]; negative: whether pictures exchange
    light and dark. histories: a pair of tables of history.csv.
    """

    probabilities: Pair
    labels: np.ndarray
    classes: list[str]
    images: np.ndarray
    negative: bool
    histories: Pair

    def answers(self, index: int) -> dict[str, tuple[np.ndarray, int]]:
        """Return how the sides, "base" and "new", answer a test image: the probabilities that the ensemble gives it,
        float32 (classes,), and how many of its networks are right.
        """
        return {
            side: (ensemble.average(each[:, index]), int((each[:, index].argmax(axis=1) == self.labels[index]).sum()))
            for side, each in self.probabilities._asdict().items()
        }

    def test_images(self, indices: list[int]) -> np.ndarray:
        """Return the test images with these indices as pictures show them."""
        images = self.images[indices]
        return 1 - images if self.negative else images


def of(compared: Comparison, sides: Predictions, images: np.ndarray, histories: Pair) -> Evidence:
    """Return what the pictures of a comparison of these predictions show."""
    base, new, labels, classes = sides
    networks = slice(1 if compared.covers == "networks" else None)
    negative = samples.white_on_black(images)
    return Evidence(Pair(base[networks], new[networks]), labels, classes, images, negative, histories)
