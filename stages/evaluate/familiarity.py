"""How far images are from the training images, so that a picture of something else can be told: an out-of-distribution
score.

The features of an image are what the last layer of a network, `logits`, is given, divided by the square root of their
length. Its distance is that to the nearest of the training images (Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-Distribution
Detection with Deep Nearest Neighbors", ICML 2022, with k = 1). There features are divided by their length itself: that
tells other subjects by the direction of the features, but not noise, which their length tells. The square root keeps
some of both; `benchmarks.predict` measures it beside the alternatives.

A distance is counted in units of the threshold, below which 99 % of the training images are, each held against the
others. The score is the mean over the networks; where it is above 1, an image is unlike the training images.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.files import arrays, atomic, records
from core.networks.runtime import keras
from stages.evaluate import framing

PERCENTILE = 99
MOST_IMAGES = 5_000  # 50 of them beyond the percentile
MOST_KEPT = 2**21  # numbers of a network's references, 8 MB: fewer images where the layer is wide
MOST_NUMBERS = 2**24  # of pixels or distances at once, 64 MB


class Familiarity(NamedTuple):
    """references: float32 (replicates, m, features), the features of some training images. thresholds: float32
    (replicates,), above 0. framing: how the subject stands in the images.
    """

    references: np.ndarray
    thresholds: np.ndarray
    framing: framing.Framing


def measure(networks: Sequence[keras.Model], images: np.ndarray, *, batch_size: int) -> Familiarity:
    """Return what is typical of training images, float32 (n, height, width) in [0, 1].

    Of many images, a part that is evenly spaced stands for all. Each network's output is probabilities.
    """
    featured = [with_features(network) for network in networks]
    (_, features), _ = featured[0].output_shape
    chosen = spread(len(images), min(MOST_IMAGES, max(2, MOST_KEPT // features)))
    step = max(1, MOST_NUMBERS // math.prod(images.shape[1:]))

    def blocks() -> Iterator[np.ndarray]:
        return (arrays.pick(images, chosen[start : start + step]) for start in range(0, len(chosen), step))

    references = [_features(network, blocks(), batch_size) for network in featured]
    thresholds = [np.percentile(distances(each, each, others=True), PERCENTILE) for each in references]
    least = float(np.finfo(np.float32).tiny)  # in place of 0, to which equal images lead
    return Familiarity(
        np.array(references, np.float32),
        np.maximum(thresholds, least).astype(np.float32),
        framing.measure(arrays.blocks(images)),
    )


def _features(network: keras.Model, blocks: Iterable[np.ndarray], batch_size: int) -> np.ndarray:
    return np.concatenate([predict(network, block, batch_size)[0] for block in blocks])


def spread(images: int, most: int) -> np.ndarray:
    """Return `most` evenly spaced indices of that many images, in order, or all of them if there are no more."""
    count = min(images, most)
    return np.arange(count) * images // count


def with_features(network: keras.Model) -> keras.Model:
    """Return the network with two outputs: what its last layer is given, and the probabilities."""
    return keras.Model(network.inputs[0], [network.get_layer("logits").input, network.output])


def predict(featured: keras.Model, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and probabilities, float32 (n, features) and (n, classes), of float32 (n, height, width)."""
    starts = range(0, len(images), batch_size)
    batches = [featured(images[start : start + batch_size], training=False) for start in starts]
    seen, probabilities = (np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True))
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    return seen / np.sqrt(np.where(lengths > 0, lengths, 1)), probabilities


def distances(features: np.ndarray, references: np.ndarray, *, others: bool = False) -> np.ndarray:
    """Return the distance of each image to the nearest reference, float32 (n,).

    features: float32 (n, features); references: float32 (m, features). others: whether these are the same images, of
    which each is held against the others; of an only one, 0.
    """
    step = max(1, MOST_NUMBERS // len(references))
    lengths = np.square(references).sum(axis=1)
    nearest = np.empty(len(features), np.float32)
    for start in range(0, len(features), step):
        block = features[start : start + step]
        # |x - y|^2 = |x|^2 - 2 x y + |y|^2: one product of matrices in place of all differences.
        squares = np.square(block).sum(axis=1)[:, None] - 2 * block @ references.T + lengths
        if others:
            squares[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        nearest[start : start + step] = squares.min(axis=1)
    if others and len(references) == 1:
        nearest[:] = 0
    return np.sqrt(np.maximum(np.nan_to_num(nearest, nan=np.inf, posinf=np.inf), 0))


def write(folder: Path, familiarity: Familiarity) -> None:
    """Write references.npy, thresholds.npy and framing.json."""
    arrays.write(folder / "references.npy", familiarity.references)
    arrays.write(folder / "thresholds.npy", familiarity.thresholds)
    atomic.write_json(folder / "framing.json", familiarity.framing.model_dump())


def read(folder: Path, networks: Sequence[keras.Model]) -> Familiarity:
    """Return what was measured of networks, given with their features. Raises DataError where it was of others."""
    references = arrays.read(folder / "references.npy", np.float32, 3)
    thresholds = arrays.read(folder / "thresholds.npy", np.float32, 1)
    (_, features), _ = networks[0].output_shape
    expected, got = (len(networks), features, len(networks)), (*references.shape[::2], len(thresholds))
    if got != expected:
        raise records.damaged(folder, "measured of other networks", f"{expected}", f"{got}")
    if not np.isfinite(references).all() or not (np.isfinite(thresholds) & (thresholds > 0)).all():
        raise records.damaged(folder, "not distances", "finite features and thresholds > 0", "others")
    limits = records.read(folder / "framing.json", framing.Framing.model_validate_json)
    return Familiarity(references, thresholds, limits)
