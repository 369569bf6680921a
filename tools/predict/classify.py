"""What the networks of the workspace say of images, all of them together."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli.errors import DataError, InputError, Problem
from core.files import class_names, training
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import familiarity, prediction

MODEL, TRAINING = Path("data/model"), Path("data/training.json")
CLASSES, FAMILIARITY = Path("data/normalized/classes.json"), Path("data/familiarity")


class Ensemble(NamedTuple):
    """networks: each with its features and its probabilities as outputs. shape: height and width of their images."""

    networks: list[keras.Model]
    classes: list[str]
    shape: tuple[int, int]
    typical: familiarity.Familiarity


class Answers(NamedTuple):
    """probabilities: float32 (n, classes), the mean over the networks. agreement: integer (n,), how many of them name
    the class to which that gives most. distances: float64 (n,), from the training images; 1 is the threshold.
    """

    probabilities: np.ndarray
    agreement: np.ndarray
    distances: np.ndarray


def load() -> Ensemble:
    """Return the networks of the workspace. Raises InputError where there are none yet, DataError for damaged ones."""
    missing = [path for path in (MODEL, TRAINING, CLASSES, FAMILIARITY) if not path.exists()]
    if missing:
        fix = "dvc repro, in the folder that holds dvc.yaml"
        raise InputError(*(Problem(str(path), "not there: the pipeline has to run first", fix=fix) for path in missing))
    height, width = training.read(TRAINING).image_shape
    classes = class_names.read(CLASSES)
    featured = list(map(familiarity.with_features, models.read(MODEL, TRAINING, classes, (height, width))))
    return Ensemble(featured, classes, (height, width), familiarity.read(FAMILIARITY, featured))


def classify(ensemble: Ensemble, images: np.ndarray) -> Answers:
    """Return what the networks say of float32 (n, height, width) in [0, 1], n >= 1.

    Raises DataError where that is no number.
    """
    count = len(images)
    if count == 1:  # alone, it would go through another matrix product, whose last digits differ
        images = np.concatenate([images, images])
    said = [familiarity.predict(network, images, len(images)) for network in ensemble.networks]
    each = np.stack([probabilities[:count] for _, probabilities in said])
    if not np.isfinite(each).all():
        raise DataError(
            Problem(
                str(MODEL), "gives no probabilities", expected="finite numbers", got="NaN", fix=prediction.TRAIN_SLOWER
            )
        )
    probabilities, named = each.mean(axis=0), each.argmax(axis=2)
    distances = [
        familiarity.distances(features[:count], references).astype(np.float64) / threshold
        for (features, _), references, threshold in zip(
            said, ensemble.typical.references, ensemble.typical.thresholds, strict=True
        )
    ]
    agreement = (named == probabilities.argmax(axis=1)).sum(axis=0)
    return Answers(probabilities, agreement, np.mean(distances, axis=0))
