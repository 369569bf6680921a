"""The networks of the workspace, and what all of them together predict for images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.files import class_names, training
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import out_of_distribution

MODEL, TRAINING = Path("data/model"), Path("data/training.json")
CLASSES, REFERENCE = Path("data/normalized/classes.json"), Path("data/out_of_distribution")
TRAIN_IMAGES, TEST_IMAGES = Path("data/normalized/train/images.npy"), Path("data/normalized/test/images.npy")


class Ensemble(NamedTuple):
    """networks: with their features and their probabilities as outputs. shape: height and width of their images."""

    networks: list[keras.Model]
    classes: list[str]
    shape: tuple[int, int]
    reference: out_of_distribution.Reference


class Predictions(NamedTuple):
    """probabilities: float32 (n, classes), mean of the networks. agreement: integer (n,), how many networks predict the
    class with the highest mean. distances: float64 (n,), out-of-distribution scores; images above 1 are flagged.
    """

    probabilities: np.ndarray
    agreement: np.ndarray
    distances: np.ndarray


def load() -> Ensemble:
    """Return the networks of the workspace. Raises InputError if there are none yet, DataError if they are damaged."""
    missing = [path for path in (MODEL, TRAINING, CLASSES, REFERENCE) if not path.exists()]
    if missing:
        fix = "dvc repro, in the folder that holds dvc.yaml"
        raise InputError(*(Problem(str(path), "missing: the pipeline has to run first", fix=fix) for path in missing))
    height, width = training.read(TRAINING).image_shape
    classes = class_names.read(CLASSES)
    found = models.read(MODEL, TRAINING, classes, (height, width))
    featured = list(map(out_of_distribution.with_features, found))
    return Ensemble(featured, classes, (height, width), out_of_distribution.read(REFERENCE, featured))


def classify(ensemble: Ensemble, images: np.ndarray) -> Predictions:
    """Return the predictions for float32 (n, height, width) in [0, 1], n >= 1."""
    count = len(images)
    if count == 1:  # a single image goes through another matrix product, whose last digits differ
        images = np.concatenate([images, images])
    outputs = [out_of_distribution.predict(network, images, len(images)) for network in ensemble.networks]
    of_networks = np.stack([probabilities[:count] for _, probabilities in outputs])
    probabilities = of_networks.mean(axis=0)
    agreement = (of_networks.argmax(axis=2) == probabilities.argmax(axis=1)).sum(axis=0)
    distances = [
        out_of_distribution.distances(features[:count], references).astype(np.float64) / threshold
        for (features, _), references, threshold in zip(
            outputs, ensemble.reference.features, ensemble.reference.thresholds, strict=True
        )
    ]
    return Predictions(probabilities, agreement, np.mean(distances, axis=0))
