"""What the pictures of a change show: the predictions of both sides, their histories and the test images."""

from typing import NamedTuple

import numpy as np

from core.cli.errors import NetworkError
from core.files import arrays
from core.scores import ensemble, scores
from stages.render.figures import samples
from tools.compare.comparison import Comparison
from tools.compare.differences import Pair
from tools.compare.sides import Side


class Evidence(NamedTuple):
    """probabilities: of the networks that are compared, a pair of float32 (replicates, n, classes); ensembles: those of
    their ensembles, a pair of float32 (n, classes); right: how many of the networks are right, a pair of integer (n,).

    labels: integer (n,). images: float32 (n, height, width) or (n, height, width, 3) in [0, 1]; negative: whether
    pictures exchange light and dark. changed: the indices of the images that changed, the clearest first, with "fixed"
    or "broken". histories: a pair of
    tables of history.csv.
    """

    probabilities: Pair
    ensembles: Pair
    right: Pair
    labels: np.ndarray
    classes: list[str]
    images: np.ndarray
    negative: bool
    changed: dict[int, str]
    histories: Pair

    def of_kind(self, kind: str) -> list[int]:
        """Return the images that are "fixed" or "broken", the clearest first."""
        return [index for index, each in self.changed.items() if each == kind]

    def test_images(self, indices: list[int]) -> np.ndarray:
        """Return the test images with these indices as pictures show them."""
        images = arrays.pick(self.images, np.asarray(indices, np.int64))
        return 1 - images if self.negative else images


def of(
    compared: Comparison,
    base: np.ndarray,
    new: np.ndarray,
    labels: np.ndarray,
    classes: list[str],
    images: np.ndarray,
    histories: Pair,
) -> Evidence:
    """Return what the pictures of a comparison show. base, new: probabilities of all networks of a side.

    An image is clearer if more networks change their answer, then if the ensemble's probability of the true class
    changes more.
    """
    kept = slice(1 if compared.covers == "networks" else None)
    probabilities = Pair(base[kept], new[kept])
    ensembles = Pair(*map(ensemble.average, probabilities))
    right = Pair(*(np.sum([scores.right(each, labels) for each in side], axis=0) for side in probabilities))
    shares = [count / len(side) for count, side in zip(right, probabilities, strict=True)]
    votes = np.abs(shares[1] - shares[0]).round(9)  # 1 - 1/3 is not exactly 2/3
    of_label = [side[np.arange(len(labels)), labels] for side in ensembles]
    order = np.lexsort((-np.abs(of_label[1] - of_label[0]), -votes))
    kinds = dict.fromkeys(compared.fixed, "fixed") | dict.fromkeys(compared.broken, "broken")
    changed = {index: kinds[index] for index in order.tolist() if index in kinds}
    negative = samples.white_on_black(images)
    return Evidence(probabilities, ensembles, right, labels, classes, images, negative, changed, histories)


def read(base: Side, new: Side) -> tuple[np.ndarray, Pair]:
    """Return the test images, which both sides share, and the histories of both.

    Raises NetworkError if a file can't be had, DataError if it is damaged.
    """
    histories = Pair(base.history(), new.history())
    try:
        return new.images(), histories
    except NetworkError:
        return base.images(), histories
