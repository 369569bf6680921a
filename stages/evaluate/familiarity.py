"""How far training images are from what is typical of their class, so that a picture of something else can be told.

The features of an image are what the last layer of a network, `logits`, is given. Its distance is that of its features
from the mean of the training images which the network takes for the same class, each feature in units of its spread
over them: strangers often differ in what hardly varies within a class, which a plain distance does not show. It is
counted in units of the threshold, below which 99 % of the training images are, each held against the others; as it is
the mean over the networks that counts, an image is unlike the training images where that is above 1.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages import arrays, atomic, records
from stages.evaluate import framing
from stages.runtime import keras

PERCENTILE = 99
MOST_IMAGES = 5_000  # 50 of them beyond the percentile; twice as many take half a second
MOST_NUMBERS = 2**24  # of pixels or features at once, 64 MB: fewer images where the layer is wide
LEAST_SPREAD = 0.1  # of the mean spread, added to each: one of 0 is no evidence that a feature never differs


class Familiarity(NamedTuple):
    """means: float32 (replicates, classes, features), infinite for a class that a network takes none of the images for.
    spreads: float32, the same shape, above 0. thresholds: float32 (replicates,). framing: how the subject stands in the
    images.
    """

    means: np.ndarray
    spreads: np.ndarray
    thresholds: np.ndarray
    framing: framing.Framing


def measure(networks: Sequence[keras.Model], images: np.ndarray, *, batch_size: int) -> Familiarity:
    """Return what is typical of training images, float32 (n, height, width) in [0, 1].

    Of many images, a part that is evenly spaced stands for all. Each network's output is probabilities.
    """
    featured = [with_features(network) for network in networks]
    (_, features), _ = featured[0].output_shape
    chosen = spread(len(images), min(MOST_IMAGES, max(1, MOST_NUMBERS // features)))
    step = max(1, MOST_NUMBERS // math.prod(images.shape[1:]))

    def blocks() -> Iterator[np.ndarray]:
        return (arrays.pick(images, chosen[start : start + step]) for start in range(0, len(chosen), step))

    found = [_typical(*_answers(network, blocks(), batch_size)) for network in featured]
    means, spreads, thresholds = (np.array(part, np.float32) for part in zip(*found, strict=True))
    return Familiarity(means, spreads, thresholds, framing.measure(blocks()))


def _answers(network: keras.Model, blocks: Iterable[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """Return the features and the probabilities of all blocks of images."""
    answers = [predict(network, block, batch_size) for block in blocks]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _typical(seen: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the means, the spreads and the threshold of one network, of the features that it has seen."""
    named = probabilities.argmax(axis=1)
    of_class = {index: seen[named == index] for index in np.unique(named).tolist()}
    there = list(of_class)
    means = np.full((probabilities.shape[1], seen.shape[1]), np.inf)
    spreads, variances = np.ones_like(means), np.zeros_like(means)
    for index, features in of_class.items():
        means[index] = features.mean(axis=0, dtype=np.float64)
        variances[index] = features.var(axis=0, dtype=np.float64)
    least = LEAST_SPREAD * np.sqrt(variances[there]).mean() or 1.0
    spreads[there] = np.sqrt(variances[there]) + least
    away = [left_out(features, means[index], variances[index], least) for index, features in of_class.items()]
    return means, spreads, float(np.percentile(np.concatenate(away), PERCENTILE))


def left_out(features: np.ndarray, mean: np.ndarray, variance: np.ndarray, least: float) -> np.ndarray:
    """Return the distance of each image of a class, float64 (n,), from what the others of it have in common; of an only
    one, 0. So a threshold is not lowered by each image having drawn its class to itself, as it does where few images
    have many features.

    features: float32 (n, features); mean, variance: float64 (features,), of all n; least: what is added to a spread.
    Without x, the mean of n numbers m goes to m - (x - m) / (n - 1), and their variance v to n / (n - 1) times
    v - (x - m)^2 / (n - 1).
    """
    others = max(len(features) - 1, 1)
    share = len(features) / others
    away = features - mean
    spreads = np.sqrt(np.maximum(share * (variance - away**2 / others), 0)) + least
    return np.linalg.norm(share * away / spreads, axis=1)


def spread(images: int, most: int) -> np.ndarray:
    """Return `most` evenly spaced indices of that many images, in order, or all of them if there are no more."""
    count = min(images, most)
    return np.arange(count) * images // count


def with_features(network: keras.Model) -> keras.Model:
    """Return the network with two outputs: the features, which it computes in any case, and the probabilities."""
    return keras.Model(network.inputs[0], [network.get_layer("logits").input, network.output])


def predict(featured: keras.Model, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and probabilities, float32 (n, features) and (n, classes), of float32 (n, height, width)."""
    starts = range(0, len(images), batch_size)
    batches = [featured(images[start : start + batch_size], training=False) for start in starts]
    features, probabilities = (
        np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True)
    )
    return features, probabilities


def distances(features: np.ndarray, named: np.ndarray, means: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Return the distance of each image, float32 (n,), from what is typical of the class that it is taken for.

    features: float32 (n, features); named: integer (n,), those classes; means, spreads: float32 (classes, features).
    """
    return np.linalg.norm((features - means[named]) / spreads[named], axis=1)


def write(folder: Path, familiarity: Familiarity) -> None:
    """Write means.npy, spreads.npy, thresholds.npy and framing.json."""
    arrays.write(folder / "means.npy", familiarity.means)
    arrays.write(folder / "spreads.npy", familiarity.spreads)
    arrays.write(folder / "thresholds.npy", familiarity.thresholds)
    atomic.write_json(folder / "framing.json", familiarity.framing.model_dump())


def read(folder: Path, networks: Sequence[keras.Model]) -> Familiarity:
    """Return what was measured of networks, given with their features. Raises DataError where it was of others."""
    means, spreads = (arrays.read(folder / f"{name}.npy", np.float32, 3) for name in ("means", "spreads"))
    thresholds = arrays.read(folder / "thresholds.npy", np.float32, 1)
    (_, features), (_, classes) = networks[0].output_shape
    expected = [(len(networks), classes, features)] * 2 + [(len(networks),)]
    got = [each.shape for each in (means, spreads, thresholds)]
    if got != expected:
        raise records.damaged(folder, "measured of other networks", f"{expected}", f"{got}")
    finite = all(np.isfinite(each).all() for each in (spreads, thresholds))
    if np.isnan(means).any() or not finite or spreads.min() <= 0 or thresholds.min() < 0:
        raise records.damaged(folder, "not distances", "spreads > 0 and thresholds >= 0, finite", "others")
    return Familiarity(means, spreads, thresholds, records.read_json(folder / "framing.json", framing.Framing))
