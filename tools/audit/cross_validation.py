"""Predict each image with networks that were not trained on it.

The training images are divided into folds, and network i is trained on all folds but fold i. It predicts the images of
fold i. All networks together predict the images of the other splits.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, Problem
from core.config.params import Train
from core.files.arrays import Split
from stages.evaluate import out_of_distribution
from stages.train import trainer
from stages.train.progress import Report

FOLDS = 5
STEPS = 500  # that each network trains at least: a small data set needs more epochs than a large one
BATCHES = 8  # in an epoch, at least: a small data set needs smaller batches
BATCH = 1_000  # images predicted at once


class Predicted(NamedTuple):
    """The predictions for a split.

    probabilities: float64 (n, classes). out_of_distribution: float64 (n,), scores as evaluate has them. features:
    float32 (n, features), of network 0, which was trained on a part of the training images.
    """

    probabilities: np.ndarray
    out_of_distribution: np.ndarray
    features: np.ndarray


def folds(labels: np.ndarray, classes: Sequence[str], seed: int) -> np.ndarray:
    """Return the fold of each image, int64 (n,) in [0, FOLDS). Each class is spread evenly over the folds.

    labels: integer (n,). Raises DataError if a class has one image, because a network without it could not name its
    class, or if there are fewer images than folds.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        what = f"too few training images of the class {classes[int(counts.argmin())]}"
        fix = "add images, or remove the class"
        raise DataError(Problem("the data set", what, expected="at least 2", got=str(counts.min()), fix=fix))
    if len(labels) < FOLDS:
        what, expected = "too few training images", f"at least {FOLDS}"
        raise DataError(Problem("the data set", what, expected=expected, got=str(len(labels)), fix="add images"))
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    found = np.empty(len(labels), np.int64)
    found[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % FOLDS
    return found


def settings_for(images: int, settings: Train) -> Train:
    """Return the settings for cross-validation on this number of images: small data sets need more, smaller steps."""
    batch_size = max(1, min(settings.batch_size, images // BATCHES))
    epochs = max(settings.epochs, math.ceil(STEPS * batch_size / images))
    changes = {"batch_size": batch_size, "epochs": epochs, "replicates": FOLDS}
    return settings.model_copy(update=changes | {"validation_fraction": 0.0, "early_stopping_patience": 0})


def predict(
    splits: Mapping[str, Split], classes: Sequence[str], settings: Train, report: Report
) -> dict[str, Predicted]:
    """Return the predictions for each split. `settings_for` has made the settings. Raises DataError.

    report: as for `trainer.fit`.
    """
    train = splits["train"]
    of_fold = folds(train.labels, classes, settings.seed)
    runs = trainer.fit(train, len(classes), settings, report=report, folds=of_fold)
    found = {
        name: Predicted(np.zeros((len(labels), len(classes))), np.zeros(len(labels)), np.empty(0))
        for name, (_, labels) in splits.items()
    }
    for fold, run in enumerate(runs):
        network = out_of_distribution.with_features(run.model)
        seen = np.flatnonzero(of_fold != fold)
        references, threshold = out_of_distribution.references(network, train.images, seen, BATCH)
        for name, (images, labels) in splits.items():
            every = np.arange(len(labels))
            unseen, share = (np.flatnonzero(of_fold == fold), 1) if name == "train" else (every, len(runs))
            rows = unseen if fold else every
            features, probabilities = out_of_distribution.predict_rows(network, images, rows, BATCH)
            if fold == 0:
                found[name] = found[name]._replace(features=features)
                features, probabilities = features[unseen], probabilities[unseen]
            found[name].probabilities[unseen] += probabilities / share
            scores = out_of_distribution.distances(features, references) / threshold
            found[name].out_of_distribution[unseen] += scores / share
    return found
