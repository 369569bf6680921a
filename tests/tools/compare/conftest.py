"""Two sides of made-up predictions, and what a page shows of them."""

from typing import NamedTuple

import numpy as np
import pytest

from core.files import history
from stages.download import garments
from tools.compare import comparison, evidence, page
from tools.compare.comparison import Comparison
from tools.compare.differences import Differences, Pair
from tools.compare.evidence import Evidence

HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", HOSTILE]
DIFFERENCES = Differences(
    sides=Pair("HEAD (1234567)", "workspace"),
    params={"train.epochs": Pair(10, 5)},
    files={"stages/train": Pair("0123456789abcdef", "fedcba9876543210")},
    packages={"keras": Pair("3.15.1", "3.16.0")},
)
HISTORIES = Pair(
    history.parse(b"replicate,epoch,train_loss,train_accuracy\n0,0,2.3,0.1\n0,1,0.5,0.8\n1,0,2.4,0.1\n1,1,0.7,0.7\n"),
    history.parse(
        b"replicate,epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
        b"0,0,2.3,0.1,2.3,0.1\n0,1,0.4,0.8,0.5,0.7\n0,2,0.25,0.9,0.6,0.6\n"
    ),
)


class Made(NamedTuple):
    """The probabilities of both sides, float32 (replicates, n, classes), the labels, the classes and the images, and
    what follows from them.
    """

    base: np.ndarray
    new: np.ndarray
    labels: np.ndarray
    classes: list[str]
    images: np.ndarray
    compared: Comparison
    evidence: Evidence

    @property
    def document(self):
        return page.document(self.compared, DIFFERENCES, self.evidence)

    @property
    def html(self) -> str:
        return page.page(self.compared, DIFFERENCES, self.evidence)


@pytest.fixture(scope="session")
def made():
    """A function that makes two sides of networks that are often right; those of `new` are right more often."""

    def made(replicates=(3, 5), classes=CLASSES, images=None, count=400, identical=False, tolerance=None) -> Made:
        random = np.random.default_rng(0)
        drawn, labels = garments.draw(count, seed=0, split="test")
        if images is None:
            images = drawn.astype(np.float32) / 255
        labels = labels if len(classes) == 10 else random.integers(0, len(classes), count).astype(np.uint8)
        sides = []
        for number, skill in zip(replicates, (3.0, 3.4), strict=True):
            logits = random.normal(0, 1, (number, count, len(classes))) + random.normal(0, 1.5, (count, len(classes)))
            exponentials = np.exp(logits + skill * np.eye(len(classes))[labels])
            sides.append((exponentials / exponentials.sum(axis=2, keepdims=True)).astype(np.float32))
        base, new = (sides[0], sides[0]) if identical else sides
        compared = comparison.of_predictions(base, new, labels, classes, tolerance=tolerance)
        shown = evidence.of(compared, (base, new, labels, classes), images, HISTORIES)
        return Made(base, new, labels, classes, images, compared, shown)

    return made
