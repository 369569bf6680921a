"""Out-of-distribution scores: how far an image is from the training images.

The features of an image are the input of a network's last layer, `logits`, divided by the square root of their length.
The distance of an image is that to its nearest training image (Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-Distribution
Detection with Deep Nearest Neighbors", ICML 2022, with k = 1). The paper divides by the length itself. Then noise is
missed, because only the length tells it apart. `benchmarks.predict` compares both with other scores.

A distance is given in units of a threshold: 99 % of the training images are nearer than it to another training image.
The score is the mean over the networks. An image with a score above 1 is unlike the training images.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.files import arrays, atomic, records
from core.networks.runtime import keras
from stages.evaluate import framing, prediction

PERCENTILE = 99
MOST_IMAGES = 5_000  # 50 of them are beyond the percentile
MOST_FRAMED = 100_000  # images whose framing is measured, as each takes 300 bytes
MOST_NUMBERS_KEPT = 2**21  # features of a network's references: 8 MB
MOST_NUMBERS_AT_ONCE = 2**24  # pixels or distances in memory: 64 MB


class Reference(NamedTuple):
    """Describes the training images.

    features: float32 (replicates, m, features) of m training images. thresholds: float32 (replicates,), above 0.
    framing: how their subjects are framed and lit, unless they are in colour.
    """

    features: np.ndarray
    thresholds: np.ndarray
    framing: framing.Framing | None


def measure(networks: Sequence[keras.Model], images: np.ndarray, *, batch_size: int) -> Reference:
    """Describe training images, float32 (n, height, width) or (n, height, width, 3) in [0, 1]. The networks return
    probabilities.

    If there are many images, the features and the framing are those of some evenly spaced images.
    """
    every = np.arange(len(images))
    found = [references(with_features(network), images, every, batch_size) for network in networks]
    features, thresholds = (np.array(each, np.float32) for each in zip(*found, strict=True))
    return Reference(
        features,
        thresholds,
        framing.measure(arrays.blocks(images[:: math.ceil(len(images) / MOST_FRAMED)])) if images.ndim == 3 else None,
    )


def references(
    network: keras.Model, images: np.ndarray, among: np.ndarray, batch_size: int
) -> tuple[np.ndarray, float]:
    """Return the features of some training images, float32 (m, features), and the threshold, which is above 0.

    network: with its features as the first output. images: as for `measure`. among: the indices of which some, evenly
    spaced, are chosen.
    """
    (_, width), _ = network.output_shape
    chosen = among[evenly_spaced(len(among), min(MOST_IMAGES, max(2, MOST_NUMBERS_KEPT // width)))]
    features, _ = predict_rows(network, images, chosen, batch_size)
    threshold = np.percentile(distances(features, features, leave_one_out=True), PERCENTILE)
    return features, max(threshold, np.finfo(np.float32).tiny)  # equal images have 0, and nothing is divided by 0


def evenly_spaced(images: int, most: int) -> np.ndarray:
    """Return at most `most` indices of that many images, evenly spaced and in order."""
    count = min(images, most)
    return np.arange(count) * images // count


def with_features(network: keras.Model) -> keras.Model:
    """Return the network with two outputs: the input of its last layer, (n, features), and the probabilities."""
    features = network.get_layer("logits").input
    if len(features.shape) > 2:
        features = keras.layers.Flatten(name="features")(features)
    return keras.Model(network.inputs[0], [features, network.output])


def predict_rows(
    network: keras.Model, images: np.ndarray, rows: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `predict` returns for some images, which may be mapped and larger than memory."""
    step = max(1, MOST_NUMBERS_AT_ONCE // math.prod(images.shape[1:]))
    parts = [predict(network, arrays.pick(images, part), batch_size) for part in arrays.blocks(rows, step)]
    features, probabilities = map(np.concatenate, zip(*parts, strict=True))
    return features, probabilities


def predict(network: keras.Model, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features, float32 (n, features), and probabilities, float32 (n, classes).

    network: with its features as the first output. images: float32 (n, height, width) or (n, height, width, 3).
    """
    step = prediction.at_once(images.shape[1:], batch_size)
    batches = [network(images[start : start + step], training=False) for start in range(0, len(images), step)]
    inputs, probabilities = (
        np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True)
    )
    lengths = np.linalg.norm(inputs, axis=1, keepdims=True)
    return inputs / np.sqrt(np.where(lengths > 0, lengths, 1)), probabilities


def distances(features: np.ndarray, references: np.ndarray, *, leave_one_out: bool = False) -> np.ndarray:
    """Return the distance of each image to its nearest reference, float32 (n,).

    features: float32 (n, features). references: float32 (m, features). With leave_one_out, both are the same images and
    each image is compared with all others; a single image has the distance 0.
    """
    step = max(1, MOST_NUMBERS_AT_ONCE // len(references))
    lengths = np.square(references).sum(axis=1)
    nearest = np.empty(len(features), np.float32)
    for start in range(0, len(features), step):
        block = features[start : start + step]
        # |x - y|^2 = |x|^2 - 2 x y + |y|^2: one product of matrices is faster than all differences.
        squares = 2 * block @ references.T
        np.subtract(np.square(block).sum(axis=1)[:, None], squares, out=squares)  # in place: new arrays take time, too
        squares += lengths
        if leave_one_out:
            squares[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        nearest[start : start + step] = squares.min(axis=1)
    if leave_one_out and len(references) == 1:
        nearest[:] = 0
    return np.sqrt(np.maximum(np.nan_to_num(nearest, nan=np.inf, posinf=np.inf), 0))


def write(folder: Path, reference: Reference) -> None:
    """Write references.npy, thresholds.npy and, for grey images, framing.json."""
    arrays.write(folder / "references.npy", reference.features)
    arrays.write(folder / "thresholds.npy", reference.thresholds)
    if reference.framing:
        atomic.write_json(folder / "framing.json", reference.framing.model_dump())


def read(folder: Path, networks: Sequence[keras.Model]) -> Reference:
    """Read what `write` wrote. networks: with their features as the first output.

    Raises DataError if the files are damaged or belong to other networks.
    """
    features = arrays.read(folder / "references.npy", np.float32, 3)
    thresholds = arrays.read(folder / "thresholds.npy", np.float32, 1)
    (_, width), _ = networks[0].output_shape
    expected, got = (len(networks), width, len(networks)), (*features.shape[::2], len(thresholds))
    if got != expected:
        raise records.damaged(folder, "made with other networks", f"{expected}", f"{got}")
    path, grey = folder / "framing.json", len(networks[0].input_shape) == 3
    framed = records.read(path, framing.Framing.model_validate_json) if grey else None
    return Reference(features, thresholds, framed)
