"""The networks of the workspace, and what all of them together predict for images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.config import params
from core.files import class_names, training
from core.networks import models
from core.networks.architectures import Shape
from core.networks.runtime import keras
from stages.evaluate import out_of_distribution, prediction
from stages.normalize import scaling
from tools import pipeline
from tools.predict.formats import Result
from tools.predict.preparing import Prepared

OUTPUTS = ("model", "training.json", "classes.json", "out_of_distribution")  # of the pipeline, needed to classify


class Ensemble(NamedTuple):
    """networks: with their features and their probabilities as outputs. shape: of one of their images."""

    networks: list[keras.Model]
    classes: list[str]
    shape: Shape
    reference: out_of_distribution.Reference


class Predictions(NamedTuple):
    """probabilities: float32 (n, classes), mean of the networks. votes: integer (n, classes), how many networks predict
    each class. distances: float64 (n,), out-of-distribution scores; images above 1 are flagged.
    """

    probabilities: np.ndarray
    votes: np.ndarray
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
    settings, networks = params.section(params.Evaluate), models.read(model, record, classes, shape)
    featured = [out_of_distribution.with_features(prediction.with_views(network, settings)) for network in networks]
    return Ensemble(featured, classes, shape, out_of_distribution.read(reference, featured))


def classify(ensemble: Ensemble, images: np.ndarray) -> Predictions:
    """Return the predictions for images, float32 (n, ...) in [0, 1], n >= 1."""
    count = len(images)
    if count == 1:  # a single image goes through another matrix product, whose last digits differ
        images = np.concatenate([images, images])
    outputs = [out_of_distribution.predict(network, images, len(images)) for network in ensemble.networks]
    of_networks = np.stack([probabilities[:count] for _, probabilities in outputs])
    probabilities = of_networks.mean(axis=0)
    votes = (of_networks.argmax(axis=2)[..., None] == np.arange(probabilities.shape[1])).sum(axis=0)
    distances = [
        out_of_distribution.distances(features[:count], references).astype(np.float64) / threshold
        for (features, _), references, threshold in zip(
            outputs, ensemble.reference.features, ensemble.reference.thresholds, strict=True
        )
    ]
    return Predictions(probabilities, votes, np.mean(distances, axis=0))


def results(ensemble: Ensemble, batch: Sequence[tuple[str, Prepared]]) -> list[Result]:
    """Return the classification of each of at least one picture, given with its name."""
    predictions = classify(ensemble, scaling.scale(np.stack([prepared.values for _, prepared in batch])))
    return [
        Result(name, prepared.values, probabilities, votes, float(distance), prepared.notes)
        for (name, prepared), probabilities, votes, distance in zip(batch, *predictions, strict=True)
    ]
