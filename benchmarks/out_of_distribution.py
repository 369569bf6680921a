"""How well scores separate out-of-distribution images from test images: our score beside plain alternatives.

Each score is the mean over the networks. Larger scores are less like the training images.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from core.networks.runtime import keras
from stages.evaluate.out_of_distribution import distances

IMAGES = 1000  # of each kind
REFERENCES = 5000  # training images
STRICT = 99  # percentile of the test images' scores above which an image is flagged


class Seen(NamedTuple):
    """The outputs of a network: features float32 (n, features), logits float32 (n, classes)."""

    features: np.ndarray
    logits: np.ndarray


def _nearest(power: float) -> Callable[[Seen, Seen], np.ndarray]:
    """Return the distance to the nearest training image, features divided by a power of their length."""

    def divided(features: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return features / np.where(lengths > 0, lengths, 1) ** power

    return lambda seen, known: distances(divided(seen.features), divided(known.features))


def _energy(seen: Seen, _: Seen) -> np.ndarray:
    """Liu, Wang, Owens and Li, "Energy-based Out-of-distribution Detection", 2020."""
    return -np.logaddexp.reduce(seen.logits, axis=1)


def _largest_probability(seen: Seen, _: Seen) -> np.ndarray:
    """Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017."""
    return -1 / np.exp(seen.logits - seen.logits.max(axis=1, keepdims=True)).sum(axis=1)


# Of images and of the training images.
SCORES: Mapping[str, Callable[[Seen, Seen], np.ndarray]] = {
    "nearest training image, features by the root of their length (used)": _nearest(0.5),
    "the same, features by their length": _nearest(1),
    "the same, features as they are": _nearest(0),
    "energy": _energy,
    "largest probability": _largest_probability,
}
PIXELS = "nearest training image in pixels"
KINDS = (
    "images of the other data set",
    "noise",
    "smooth gradients",
    "dark on light paper under uneven light, as it is",
)


def measure(
    networks: Sequence[keras.Model], train: np.ndarray, test: np.ndarray, others: np.ndarray
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return (AUROC, share flagged if 1 % of the test images are flagged), by score and kind of images.

    networks: with their layer `logits`. Images: float32 (n, height, width); `others` are of another data set.
    """
    kinds = {"": test, **out_of_distribution_images(test, others)}
    layers = [network.get_layer("logits") for network in networks]
    both = [
        keras.Model(network.inputs[0], [layer.input, layer.output])
        for network, layer in zip(networks, layers, strict=True)
    ]
    seen = {kind: [_seen(network, images) for network in both] for kind, images in kinds.items()}
    known = [_seen(network, train) for network in both]
    found = {
        name: _compared({kind: np.mean(list(map(score, of_kind, known)), axis=0) for kind, of_kind in seen.items()})
        for name, score in SCORES.items()
    }
    flat = {kind: images.reshape(len(images), -1) for kind, images in kinds.items()}
    by_pixels = {kind: distances(pixels, train.reshape(len(train), -1)) for kind, pixels in flat.items()}
    return found | {PIXELS: _compared(by_pixels)}


def out_of_distribution_images(test: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    """Return kinds of out-of-distribution images, float32 (n, height, width) in [0, 1] each."""
    chance = np.random.RandomState(0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in test.shape[1:]), indexing="ij")
    turns = chance.uniform(0, 2 * np.pi, (2, len(test), 1, 1))
    slopes, middles = chance.uniform(0.2, 1, (len(test), 1, 1)), chance.uniform(0, 1, (len(test), 1, 1))
    smooth = middles + slopes * (x * np.cos(turns[0]) + y * np.sin(turns[0]))
    light = 1 - 0.3 * (1 + (x * np.cos(turns[1]) + y * np.sin(turns[1])) / np.sqrt(2))
    found = (others, chance.uniform(0, 1, test.shape), smooth.clip(0, 1), 1 - (0.9 - 0.75 * test) * light)
    return {kind: images.astype(np.float32) for kind, images in zip(KINDS, found, strict=True)}


def _seen(network: keras.Model, images: np.ndarray) -> Seen:
    return Seen(*(np.asarray(each) for each in network(images, training=False)))


def _compared(scores: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    known = scores[""]
    limit = np.percentile(known, STRICT)
    return {
        # The area under the ROC curve is Mann and Whitney's statistic (1947), as a share of all pairs.
        kind: (
            round(float(stats.mannwhitneyu(each, known).statistic) / len(each) / len(known), 4),
            round(float((each > limit).mean()), 4),
        )
        for kind, each in scores.items()
        if kind
    }
