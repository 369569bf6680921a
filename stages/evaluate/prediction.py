"""Predict images with networks."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from core.cli.errors import DataError, InputError, Problem
from core.config.params import Evaluate
from core.files import arrays
from core.networks.runtime import cores, keras

Blocks: TypeAlias = Iterator[np.ndarray]

# The fix for weights that are finite but too large: trained again, the network would be the same.
TRAIN_SLOWER = "lower train.learning_rate in params.yaml, then dvc repro"

# Of the images that a network takes at once: a convolution makes 32 MB of as many pixels, and there are several, and
# each core has a network at work.
MOST_PIXELS = 1 << 18


def at_once(image_shape: Sequence[int], batch_size: int) -> int:
    """Return how many images a network takes at once: `batch_size`, or fewer if they are large, but at least 1."""
    return min(batch_size, max(1, MOST_PIXELS // math.prod(image_shape[:2])))


def with_views(network: keras.Model, settings: Evaluate) -> keras.Model:
    """Return a network whose probabilities are the mean over an image and its other views, as the settings name them.

    `shift`: also shifted by so many pixels down and right, and up and left; pixels that come in are 0. `mirrored`: also
    the same views of the mirrored image. network: from images, float32 (n, height, width) or (n, height, width, 3), to
    probabilities, float32 (n, classes).
    """
    images = network.inputs[0]
    sides = [images, keras.ops.flip(images, axis=2)] if settings.mirrored else [images]
    moves = [0, settings.shift, -settings.shift] if settings.shift else [0]
    _, *others = [_shifted(side, move) for side in sides for move in moves]  # the first is the image as it is
    if not others:
        return network
    outputs = [network.outputs[0], *map(network, others)]
    return keras.Model(images, keras.layers.Average()(outputs), name=network.name)


def _shifted(images: keras.KerasTensor, move: int) -> keras.KerasTensor:
    """Return images shifted down and right by some pixels, or up and left if the number is negative."""
    if not move:
        return images
    height, width = images.shape[1:3]
    ends = (max(move, 0), max(-move, 0))
    padded = keras.ops.pad(images, [(0, 0), ends, ends, *[(0, 0)] * (len(images.shape) - 3)])
    return padded[:, ends[1] : ends[1] + height, ends[1] : ends[1] + width]


def predict(networks: Sequence[keras.Model], images: np.ndarray, batch_size: int) -> Blocks:
    """Yield the probabilities of all images, batch by batch: float32 (replicates, m, classes).

    images: float32 (n, height, width) or (n, height, width, 3). Raises DataError if a probability is not finite.
    """
    with ThreadPoolExecutor(cores()) as pool:  # as many networks at once as there are cores
        for batch in arrays.blocks(images, at_once(images.shape[1:], batch_size)):
            # Not Keras' `predict`, which compiles a function for each network: that takes longer than the predictions.
            probabilities = np.stack(list(pool.map(partial(_probabilities, batch), networks)))
            finite = np.isfinite(probabilities).all(axis=(1, 2))
            if not finite.all():
                subject, what = f"network of replicate {int(finite.argmin())}", "gives no probabilities"
                found = {"expected": "finite numbers", "got": "NaN or infinity"}
                raise DataError(Problem(subject, what, **found, fix=TRAIN_SLOWER))
            yield probabilities


def _probabilities(images: np.ndarray, network: keras.Model) -> np.ndarray:
    return np.asarray(network(images, training=False))


@contextmanager
def storing(path: Path, shape: tuple[int, int, int]) -> Iterator[Callable[[Blocks], Blocks]]:
    """Yield a function that passes on blocks of probabilities, (replicates, m, classes), and writes them to a file.

    The file, a .npy of this shape (replicates, n, classes), appears only when the `with` block has ended without an
    error.
    """
    with arrays.replacing(path, shape, np.float32) as put:

        def stored(blocks: Blocks) -> Blocks:
            start = 0
            for block in blocks:
                for replicate, probabilities in enumerate(block):
                    put((replicate, start), probabilities)
                start += block.shape[1]
                yield block

        yield stored


def batch_of_one(images: np.ndarray, index: int) -> np.ndarray:
    """Return image `index` of images, (n, ...), as (1, ...). Raises InputError if there is none."""
    if index >= len(images):
        param, fix = "params.yaml: evaluate.single_image", "edit params.yaml, then dvc repro"
        expected = f"0 to {len(images) - 1}"
        raise InputError(Problem(param, "no such test image", expected=expected, got=str(index), fix=fix))
    return images[index : index + 1]
