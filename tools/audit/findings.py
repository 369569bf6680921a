"""What is worth a look: labels that are likely wrong, copies of training images in other splits, odd images.

Labels: C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 2021, as cleanlab has it. It estimates how many labels are wrong, and those are the labels with the lowest
probabilities. docs/audit.md compares this filter and this ranking with others.
"""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core.files.arrays import Split
from stages.evaluate.out_of_distribution import distances
from tools.audit.cross_validation import Predicted

LABEL, COPY, UNLIKE = "label", "near-duplicate", "unlike all others"
MOST_PAIRS = 200  # test images whose nearest training image is looked at, pixel by pixel
NEAR = 0.15  # root mean square of the difference of two copies, as a share of the standard deviation of the pixels
MOST_UNLIKE = 50


class Finding(NamedTuple):
    """An image, by its split and row, and why it is worth a look.

    label: of the image. suggested: the label that the networks predict, or for a copy that of the training image.
    score: the probability of the label; for a copy, the distance to the training image; for an odd image, its
    out-of-distribution score. twin: the index of that training image, or -1.
    """

    kind: str
    split: str
    row: int
    label: int
    suggested: int
    score: float
    twin: int = -1


def found(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return all findings, by kind; labels and copies with the lowest score first, odd images with the highest."""
    return [*_labels(splits, predicted), *_copies(splits, predicted), *_unlike(splits, predicted)]


def wrong_labels(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the indices of the labels that are likely wrong, the most likely first.

    labels: integer (n,). probabilities: float (n, classes), by networks that were not trained on the image.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = find_label_issues(labels.astype(int), probabilities, filter_by="low_self_confidence", n_jobs=1)
    rows = np.flatnonzero(wrong)
    return rows[np.argsort(probabilities[rows, labels[rows]], kind="stable")]


def _labels(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    labels = np.concatenate([split.labels for split in splits.values()])
    probabilities = np.concatenate([predicted[name].probabilities for name in splits])
    places = [(name, index) for name, split in splits.items() for index in range(len(split.labels))]
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1
    suggested = others.argmax(axis=1)
    given = probabilities[np.arange(len(labels)), labels]
    wrong = ((row, *places[row]) for row in wrong_labels(labels, probabilities))
    return [
        Finding(LABEL, split, index, int(labels[row]), int(suggested[row]), float(given[row]))
        for row, split, index in wrong
    ]


def _copies(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return images of other splits that have nearly the pixels of the training image that is nearest by features."""
    train, known = splits["train"], predicted["train"].features
    copies = []
    for name in splits.keys() - {"train"}:
        images, labels = splits[name]
        features = predicted[name].features
        apart = distances(features, known)
        for index in np.argsort(apart, kind="stable")[:MOST_PAIRS].tolist():
            twin = int(np.linalg.norm(known - features[index], axis=1).argmin())
            difference = np.sqrt(np.square(images[index] - train.images[twin]).mean())
            if difference <= NEAR * images[index].std():
                both = int(labels[index]), int(train.labels[twin])
                copies.append(Finding(COPY, name, index, *both, float(apart[index]), twin))
    return sorted(copies, key=lambda finding: (finding.score, finding.split, finding.row))


def _unlike(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return the images with the highest out-of-distribution scores, if they are above 1."""
    odd = [
        Finding(UNLIKE, name, index, int(splits[name].labels[index]), int(each.probabilities[index].argmax()), score)
        for name, each in predicted.items()
        for index, score in enumerate(each.unlike.tolist())
        if score > 1
    ]
    return sorted(odd, key=lambda finding: (-finding.score, finding.split, finding.row))[:MOST_UNLIKE]
