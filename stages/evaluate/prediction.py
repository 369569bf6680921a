"""From networks and images to probabilities that can be trusted to be such."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from core.cli.errors import MEND, DataError, InputError, Problem
from core.files import arrays
from core.networks.runtime import keras

Blocks: TypeAlias = Iterator[np.ndarray]

# What to do about a network whose weights are numbers, but too large: trained again, it would be the same.
TRAIN_SLOWER = "lower train.learning_rate in params.yaml, then dvc repro"


def predict(networks: Sequence[keras.Model], images: np.ndarray, *, classes: int, batch_size: int) -> Blocks:
    """Yield the probabilities of all images, batch by batch, float32 (replicates, m, classes), of all networks.

    Raises DataError where a network is not made for these images and classes, or gives something else than numbers.
    """
    expected = (None, *images.shape[1:]), (None, classes)
    for replicate, network in enumerate(networks):
        if (network.input_shape, network.output_shape) != expected:
            got = f"{network.input_shape} to {network.output_shape}"
            raise _unusable(replicate, "made for other data", MEND, f"{expected[0]} to {expected[1]}", got)
    for batch in arrays.blocks(images, batch_size):
        # Not `predict`, which compiles a function for each network: that takes longer than to use it here.
        probabilities = np.stack([network(batch, training=False) for network in networks])
        finite = np.isfinite(probabilities).all(axis=(1, 2))
        if not finite.all():
            what, got = "gives no probabilities", "NaN or infinity"
            raise _unusable(int(finite.argmin()), what, TRAIN_SLOWER, "finite numbers", got)
        yield probabilities


@contextmanager
def storing(path: Path, shape: tuple[int, int, int]) -> Iterator[Callable[[Blocks], Blocks]]:
    """Yield a function that passes blocks of probabilities (replicates, m, classes) on as they come, and writes them as
    .npy of shape (replicates, n, classes), which appears when the `with` block has ended well.
    """
    with arrays.replacing(path, shape, np.float32) as put:

        def stored(blocks: Blocks) -> Blocks:
            start = 0
            for block in blocks:
                for replicate, each in enumerate(block):
                    put((replicate, start), each)
                start += block.shape[1]
                yield block

        yield stored


def batch_of_one(images: np.ndarray, index: int) -> np.ndarray:
    """Return image `index` of float32 (n, height, width) as (1, height, width). Raises InputError if there is none."""
    if index >= len(images):
        fix = "edit params.yaml, then dvc repro"
        place = "params.yaml: evaluate.single_image"
        raise InputError(
            Problem(place, "no such test image", expected=f"0 to {len(images) - 1}", got=str(index), fix=fix)
        )
    return images[index : index + 1]


def _unusable(replicate: int, what: str, fix: str, expected: str, got: str) -> DataError:
    return DataError(Problem(f"network of replicate {replicate}", what, expected=expected, got=got, fix=fix))
