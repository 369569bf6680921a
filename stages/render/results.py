"""What the other stages left, as the report is made from it, and what the report needs of it to be there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.config.datasets import Entry
from core.files import arrays, records
from core.files.arrays import Split
from core.files.training import Training
from core.scores import intervals, scores


class Results(NamedTuple):
    """Everything that the report can say.

    settings: values of params.yaml by their full names; probabilities: float32 (replicates, test images, classes);
    single: the index of a test image and its probabilities when predicted alone, float32 (replicates, classes);
    history: a structured array with the columns of history.csv; training: what is in training.json; metrics: all
    scores, as `measured` returns them.
    """

    settings: Mapping[str, object]
    entry: Entry
    classes: list[str]
    train: Split
    test: Split
    probabilities: np.ndarray
    single: tuple[int, np.ndarray]
    history: np.ndarray
    training: Training
    metrics: Mapping[str, Any]


def read_predictions(folder: Path, images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of all test images, float32 (replicates, images, classes), and of the one that was
    predicted alone, float32 (replicates, classes).

    Raises DataError if there are not so many images and classes, or if a probability is not a number.
    """
    paths = folder / "probabilities.npy", folder / "single_image.npy"
    probabilities, alone = arrays.read(paths[0], np.float32, 3), arrays.read(paths[1], np.float32, 2)
    expected = (len(probabilities), images, classes), (len(probabilities), classes)
    for path, array, shape in zip(paths, (probabilities, alone), expected, strict=True):
        if array.shape != shape:
            raise records.damaged(path, "not of these test images and classes", str(shape), str(array.shape))
        if not np.isfinite(array).all():
            raise records.damaged(path, "no probabilities", "finite numbers", "NaN or infinity")
    return probabilities, alone


def measured(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], train: Mapping[str, float]
) -> dict[str, Any]:
    """Return all scores of the report, as `scores.summary` and `scores.of_classes` do: of the training images (given),
    of the test images, of each class, and `gap`, by how much the networks do better on the training images.

    probabilities: float (replicates, n, classes); labels: integer (n,); train: accuracy and loss. `accuracy_low` and
    `accuracy_high` are the ends of the test accuracy's 95 % interval for the choice of test images alone.
    """
    tally = scores.tally([probabilities], labels, len(classes))
    test = scores.summary(tally, "test")
    low, high = intervals.wilson(test["accuracy"], len(labels))
    return {
        "train": train,
        "test": test | {"accuracy_low": float(low), "accuracy_high": float(high)},
        "gap": {"accuracy": train["accuracy"] - test["accuracy"], "loss": test["loss"] - train["loss"]},
        "classes": scores.of_classes(tally, classes),
    }
