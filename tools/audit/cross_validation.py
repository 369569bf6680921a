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
from core.files import arrays
from core.files.arrays import Split
from core.networks.runtime import keras
from stages.evaluate import out_of_distribution
from stages.train import trainer
from stages.train.progress import Report

FOLDS = 5
STEPS = 500  # that each network trains at least: a small data set needs more epochs than a large one
BATCHES = 8  # in an epoch, at least: a small data set needs smaller batches
BATCH = 1_000  # images predicted at once


class Predicted(NamedTuple):
    """The predictions for a split.

    probabilities: float64 (n, classes). unlike: float64 (n,), out-of-distribution scores, as evaluate has them.
    features: float32 (n, features), of network 0, which was trained on a part of the training images.
    """

    probabilities: np.ndarray
    unlike: np.ndarray
    features: np.ndarray


def folds(labels: np.ndarray, classes: Sequence[str], seed: int) -> np.ndarray:
    """Return the fold of each image, int64 (n,) in [0, FOLDS). Each class is spread evenly over the folds.

    labels: integer (n,). Raises DataError if a class has one image: a network without it could not name its class.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        what = f"too few training images of the class {classes[int(counts.argmin())]}"
        fix = "add images, or remove the class"
        raise DataError(Problem("the data set", what, expected="at least 2", got=str(counts.min()), fix=fix))
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
        some = seen[out_of_distribution.evenly_spaced(len(seen), out_of_distribution.MOST_IMAGES)]
        references, _ = _outputs(network, train.images, some)
        usual = out_of_distribution.distances(references, references, leave_one_out=True)
        threshold = max(np.percentile(usual, out_of_distribution.PERCENTILE), np.finfo(np.float32).tiny)
        for name, (images, labels) in splits.items():
            rows = np.flatnonzero(of_fold == fold) if name == "train" else np.arange(len(labels))
            share = 1 if name == "train" else len(runs)
            features, probabilities = _outputs(network, images, rows)
            found[name].probabilities[rows] += probabilities / share
            found[name].unlike[rows] += out_of_distribution.distances(features, references) / threshold / share
            if fold == 0:
                every, _ = _outputs(network, images, np.arange(len(labels)))
                found[name] = found[name]._replace(features=every)
    return found


def _outputs(network: keras.Model, images: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the features and the probabilities of some images, as `out_of_distribution.predict` does."""
    step = max(1, out_of_distribution.MOST_NUMBERS_AT_ONCE // math.prod(images.shape[1:]))
    blocks = (arrays.pick(images, some) for some in arrays.blocks(rows, step))
    parts = [out_of_distribution.predict(network, block, BATCH) for block in blocks]
    features, probabilities = map(np.concatenate, zip(*parts, strict=True))
    return features, probabilities
