"""From networks and images to probabilities that can be trusted to be such."""

from itertools import product

import numpy as np

from stages.command import DataError, InputError, Problem
from stages.runtime import keras


def predict(networks: list[keras.Model], images: np.ndarray, *, classes: int, batch_size: int) -> np.ndarray:
    """Return the probabilities of all images, float32 (replicates, n, classes), by each network in turn.

    Raises DataError where a network is not made for these images and classes, or gives something else than numbers.
    """
    expected = (None, *images.shape[1:]), (None, classes)
    for replicate, network in enumerate(networks):
        if (network.input_shape, network.output_shape) != expected:
            got = f"{network.input_shape} to {network.output_shape}"
            raise _unusable(replicate, "made for other data", f"{expected[0]} to {expected[1]}", got)
    starts = range(0, len(images), batch_size)
    probabilities = np.empty((len(networks), len(images), classes), np.float32)
    for network, start in product(range(len(networks)), starts):
        batch = slice(start, start + batch_size)
        # Not `predict`, which compiles a function for each network: that takes longer than to use it here.
        probabilities[network, batch] = networks[network](images[batch], training=False)
    for replicate, each in enumerate(probabilities):
        if not np.isfinite(each).all():
            raise _unusable(replicate, "gives no probabilities", "finite numbers", "NaN or infinity")
    return probabilities


def batch_of_one(images: np.ndarray, index: int) -> np.ndarray:
    """Return image `index` of float32 (n, height, width) as (1, height, width). Raises InputError if there is none."""
    if index >= len(images):
        fix = "edit params.yaml, then dvc repro"
        place = "params.yaml: evaluate.single_image"
        raise InputError(Problem(place, "no such test image", fix, f"0 to {len(images) - 1}", str(index)))
    return images[index : index + 1]


def _unusable(replicate: int, what: str, expected: str, got: str) -> DataError:
    return DataError(
        Problem(f"network of replicate {replicate}", what, "dvc repro --single-item --force train", expected, got)
    )
