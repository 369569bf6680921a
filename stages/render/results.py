"""What the other stages left, as the report is made from it, and what the report needs of it to be there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from core.config.datasets import Entry
from core.config.schema import Strict
from core.files import arrays, records
from core.files.arrays import Split
from core.scores import intervals, scores

HISTORY = ["replicate", "epoch", "train_loss", "train_accuracy"]
VALIDATION = ["validation_loss", "validation_accuracy"]


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
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]


Share = Annotated[float, Field(ge=0, le=1)]
MOST_LOSS = float(np.finfo(np.float32).max)  # of a network that learned too fast it may well be enormous
Loss = Annotated[float, Field(ge=0, le=MOST_LOSS)]
Word = Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]


class _Needed(Strict, extra="ignore"):
    """A part of a JSON file: what else stands there is for others."""


class _Train(_Needed):
    accuracy: Share
    loss: Loss


class _Metrics(_Needed):
    train: _Train


class _Training(_Needed):
    versions: dict[Word, Word]
    parameters: Annotated[int, Field(ge=1, le=10**12)]
    untrained_loss: Loss


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


def read_train_scores(path: Path) -> dict[str, float]:
    """Return accuracy and loss on the training images, which the probabilities of the test images do not tell.

    path: metrics.json. Raises DataError if one is missing.
    """
    return records.read_json(path, _Metrics).train.model_dump()


def read_training(path: Path) -> dict[str, Any]:
    """Return what training.json says. Raises DataError where any of it is missing."""
    return records.read_json(path, _Training).model_dump()


def read_history(path: Path) -> np.ndarray:
    """Return history.csv as a structured array: of replicates 0, 1, ... the epochs 0, 1, ..., at least two of each.

    Raises DataError where it has other rows, or where a score is none.
    """
    history = records.read_csv(path, HISTORY, HISTORY + VALIDATION)
    counts = np.unique(history["replicate"], return_counts=True)[1]
    replicates, epochs = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.arange(n) for n in counts])
    due = np.array_equal(history["replicate"], replicates) and np.array_equal(history["epoch"], epochs)
    if not due or counts.min() < 2:
        expected = "epochs 0, 1, ... of replicates 0, 1, ..."
        raise records.damaged(path, "not a row for each epoch", expected, "other epochs or replicates")
    for name in (history.dtype.names or ())[2:]:
        low, high, most = history[name].min(), history[name].max(), MOST_LOSS if name.endswith("loss") else 1
        if low < 0 or high > most:
            raise records.damaged(path, f"{name} out of range", f"0 <= x <= {most:g}", f"{low:g} to {high:g}")
    return history
