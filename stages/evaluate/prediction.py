"""From networks and images to probabilities that can be trusted to be such."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from stages import arrays, models
from stages.command import DataError, InputError, Problem
from stages.runtime import keras

Blocks: TypeAlias = Iterator[np.ndarray]


def predict(networks: Sequence[keras.Model], images: np.ndarray, *, classes: int, batch_size: int) -> Blocks:
    """Yield the probabilities of all images, batch by batch, float32 (replicates, m, classes), of all networks.

    Raises DataError where a network is not made for these images and classes, or gives something else than numbers.
    """
    expected = (None, *images.shape[1:]), (None, classes)
    for replicate, network in enumerate(networks):
        if (network.input_shape, network.output_shape) != expected:
            got = f"{network.input_shape} to {network.output_shape}"
            raise _unusable(replicate, "made for other data", f"{expected[0]} to {expected[1]}", got)
    for batch in arrays.blocks(images, batch_size):
        # Not `predict`, which compiles a function for each network: that takes longer than to use it here.
        probabilities = np.stack([network(batch, training=False) for network in networks])
        finite = np.isfinite(probabilities).all(axis=(1, 2))
        if not finite.all():
            raise _unusable(int(finite.argmin()), "gives no probabilities", "finite numbers", "NaN or infinity")
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
        raise InputError(Problem(place, "no such test image", fix, f"0 to {len(images) - 1}", str(index)))
    return images[index : index + 1]


def _unusable(replicate: int, what: str, expected: str, got: str) -> DataError:
    return DataError(Problem(f"network of replicate {replicate}", what, models.TRAIN_AGAIN, expected, got))
