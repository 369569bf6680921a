"""The networks of the workspace, and what all of them together predict for images."""

from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.config import params
from core.files import class_names, training
from core.networks import models
from core.networks.architectures import Shape
from core.networks.runtime import keras
from stages.evaluate import out_of_distribution, prediction
from tools import pipeline

OUTPUTS = ("model", "training.json", "classes.json", "out_of_distribution")  # of the pipeline, needed to classify


class Ensemble(NamedTuple):
    """networks: with their features and their probabilities as outputs. shape: of one of their images."""

    networks: list[keras.Model]
    classes: list[str]
    shape: Shape
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
    model, record, names, reference = paths = [pipeline.path(name) for name in OUTPUTS]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError(
            *(Problem(str(path), "missing: the pipeline has to run first", fix="dvc repro") for path in missing)
        )
    shape = tuple(training.read(record).image_shape)
    classes = class_names.read(names)
    networks = models.read(model, record, classes, shape)
    if params.section(params.Evaluate).mirrored:
        networks = list(map(prediction.with_mirrored, networks))
    featured = list(map(out_of_distribution.with_features, networks))
    return Ensemble(featured, classes, shape, out_of_distribution.read(reference, featured))


def classify(ensemble: Ensemble, images: np.ndarray) -> Predictions:
    """Return the predictions for images, float32 (n, ...) in [0, 1], n >= 1."""
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
