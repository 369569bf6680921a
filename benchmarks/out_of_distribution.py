"""How well scores tell pictures of something else from images like those in training: ours beside plain alternatives.

Each score is the mean over the networks, and larger where an image is less like the training images.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from core.networks.runtime import keras
from stages.evaluate import familiarity

IMAGES = 1000  # of each kind
REFERENCES = 5000  # training images
STRICT = 99  # percentile of the scores of test images above which an image is flagged


class Seen(NamedTuple):
    """What a network makes of images: features float32 (n, features), logits float32 (n, classes)."""

    features: np.ndarray
    logits: np.ndarray


Score = Callable[[Seen, Seen], np.ndarray]  # of images, given those of the references


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """Return the chance that a strange image has the larger score, ties half: the area under the ROC curve (Mann and
    Whitney, 1947).
    """
    ordered = np.sort(known)
    below, up_to = (np.searchsorted(ordered, strange, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(known))


def kinds(test: np.ndarray, others: np.ndarray) -> dict[str, np.ndarray]:
    """Return images that are strange to a network, float32 (n, 28, 28) in [0, 1] each. test: those of its own data set;
    others: those of another one.
    """
    chance = np.random.RandomState(0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in test.shape[1:]), indexing="ij")
    turns = chance.uniform(0, 2 * np.pi, (2, len(test), 1, 1))
    slopes, middles = chance.uniform(0.2, 1, (len(test), 1, 1)), chance.uniform(0, 1, (len(test), 1, 1))
    smooth = middles + slopes * (x * np.cos(turns[0]) + y * np.sin(turns[0]))
    light = 1 - 0.3 * (1 + (x * np.cos(turns[1]) + y * np.sin(turns[1])) / np.sqrt(2))
    found = {
        "images of the other data set": others,
        "noise": chance.uniform(0, 1, test.shape),
        "smooth gradients": smooth.clip(0, 1),
        "dark on light paper under uneven light, as it is": 1 - (0.9 - 0.75 * test) * light,
    }
    return {name: images.astype(np.float32) for name, images in found.items()}


def _nearest(scaled: Callable[[np.ndarray], np.ndarray]) -> Score:
    return lambda seen, known: familiarity.distances(scaled(seen.features), scaled(known.features))


def _by_length(power: float) -> Callable[[np.ndarray], np.ndarray]:
    def scaled(features: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return features / np.where(lengths > 0, lengths, 1) ** power

    return scaled


def _largest_probability(seen: Seen, _: Seen) -> np.ndarray:
    """Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017."""
    return -1 / np.exp(seen.logits - seen.logits.max(axis=1, keepdims=True)).sum(axis=1)


def _energy(seen: Seen, _: Seen) -> np.ndarray:
    """Liu, Wang, Owens and Li, "Energy-based Out-of-distribution Detection", 2020."""
    return -np.logaddexp.reduce(seen.logits, axis=1)


SCORES: Mapping[str, Score] = {
    "nearest training image, features by the root of their length (used)": _nearest(_by_length(0.5)),
    "the same, features by their length": _nearest(_by_length(1)),
    "the same, features as they are": _nearest(_by_length(0)),
    "energy": _energy,
    "largest probability": _largest_probability,
}
PIXELS = "nearest training image in pixels"


def measure(
    networks: list[keras.Model], train: np.ndarray, test: np.ndarray, others: np.ndarray
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, of each score and kind of strange images, the AUROC against test images, and the share that is flagged
    where 1 % of the test images are. networks: with their layer `logits`. Images: float32 (n, height, width).
    """
    strange = kinds(test, others)
    both = [
        keras.Model(each.inputs[0], [each.get_layer("logits").input, each.get_layer("logits").output])
        for each in networks
    ]
    seen = {name: [_seen(each, images) for each in both] for name, images in {"": test, **strange}.items()}
    known = [_seen(each, train) for each in both]
    found = {
        name: _compared({kind: np.mean(list(map(score, of_kind, known)), axis=0) for kind, of_kind in seen.items()})
        for name, score in SCORES.items()
    }
    flat = train.reshape(len(train), -1)
    by_pixels = {
        kind: familiarity.distances(each.reshape(len(each), -1), flat) for kind, each in {"": test, **strange}.items()
    }
    return found | {PIXELS: _compared(by_pixels)}


def _seen(network: keras.Model, images: np.ndarray) -> Seen:
    return Seen(*(np.asarray(each) for each in network(images, training=False)))


def _compared(scores: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    known = scores[""]
    limit = np.percentile(known, STRICT)
    return {
        kind: (round(auroc(known, each), 4), round(float((each > limit).mean()), 4))
        for kind, each in scores.items()
        if kind
    }
