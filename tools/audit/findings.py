"""What is worth a look: labels that are likely wrong, near-duplicates across the split, out-of-distribution images.

Labels: C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 2021, as cleanlab has it. It estimates the number of wrong labels. That many labels, those with the lowest
probabilities, are proposed. docs/audit.md compares this filter and this ranking with others.
"""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core.files.arrays import Split
from stages.evaluate.out_of_distribution import distances
from tools.audit.cross_validation import Predicted

LABEL, NEAR_DUPLICATE, OUT_OF_DISTRIBUTION = "label", "near-duplicate", "out-of-distribution"
MOST_PAIRS = 200  # test images whose nearest training image is looked at, pixel by pixel
NEAR = 0.15  # root mean square of the difference of two images, as a share of the standard deviation of the pixels
MOST_OUT_OF_DISTRIBUTION = 50


class Finding(NamedTuple):
    """An image, by its split and row, and why it is worth a look.

    label: of the image. suggested: the label that the networks predict; for a near-duplicate, that of the training
    image. score: the probability of the label; the distance to the training image; the out-of-distribution score.
    twin: the index of that training image, or -1.
    """

    kind: str
    split: str
    row: int
    label: int
    suggested: int
    score: float
    twin: int = -1


def found(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return all findings, by kind: labels and near-duplicates by rising score, the others by falling score."""
    return [*_labels(splits, predicted), *_near_duplicates(splits, predicted), *_out_of_distribution(splits, predicted)]


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


def _near_duplicates(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return images of other splits that have nearly the pixels of the training image that is nearest by features."""
    train, known = splits["train"], predicted["train"].features
    near = []
    for name in splits.keys() - {"train"}:
        images, labels = splits[name]
        features = predicted[name].features
        apart = distances(features, known)
        for index in np.argsort(apart, kind="stable")[:MOST_PAIRS].tolist():
            twin = int(np.linalg.norm(known - features[index], axis=1).argmin())
            difference = np.sqrt(np.square(images[index] - train.images[twin]).mean())
            if difference <= NEAR * images[index].std():
                both = int(labels[index]), int(train.labels[twin])
                near.append(Finding(NEAR_DUPLICATE, name, index, *both, float(apart[index]), twin))
    return sorted(near, key=lambda finding: (finding.score, finding.split, finding.row))


def _out_of_distribution(splits: Mapping[str, Split], predicted: Mapping[str, Predicted]) -> list[Finding]:
    """Return the images with the highest out-of-distribution scores, if they are above 1."""
    odd = [
        Finding(OUT_OF_DISTRIBUTION, name, index, label, int(each.probabilities[index].argmax()), score)
        for name, each in predicted.items()
        for index, (label, score) in enumerate(
            zip(splits[name].labels.tolist(), each.out_of_distribution.tolist(), strict=True)
        )
        if score > 1
    ]
    return sorted(odd, key=lambda finding: (-finding.score, finding.split, finding.row))[:MOST_OUT_OF_DISTRIBUTION]
