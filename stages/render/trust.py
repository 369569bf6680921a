"""Section 4: whether the networks know what they know."""

from functools import partial
from math import ceil

import numpy as np

from core.config.params import Render
from core.scores import calibration
from stages.render.document import Illustration, Section, Table
from stages.render.figures import curves
from stages.render.results import Results
from stages.render.wording import decimal

COVERAGES = (1, 0.95, 0.9, 0.8, 0.5)


def section(results: Results, render: Render) -> Section:
    labels, each = results.test.labels, results.probabilities
    bins = [calibration.reliability(probabilities, labels) for probabilities in each]
    accuracies = [calibration.accuracy_by_coverage(probabilities, labels) for probabilities in each]
    return Section("How far to trust its confidence", [*_calibration(results, bins), *_coverage(accuracies)])


def _calibration(results: Results, bins: list[calibration.Reliability]) -> list[str | Table | Illustration]:
    test, several = results.metrics["test"], len(bins) > 1
    scores = {"expected calibration error": "expected_calibration_error", "Brier score": "brier"}
    rows = [[name, *(decimal(test[key + end]) for end in ("", "_std")[: 1 + several])] for name, key in scores.items()]
    columns = ["score", f"mean of {len(bins)} networks", "standard deviation"] if several else ["score", "value"]
    confidence = float(results.probabilities.max(axis=2).mean(dtype=np.float64))
    excess = confidence - test["accuracy"]
    text = (
        "A network's confidence is the probability it gives to the class it names. The expected calibration error is "
        f"by how much accuracy and mean confidence differ, averaged over {calibration.BINS} bins of equal width, each "
        "weighted by its images (Guo et al., 2017). The Brier score is the squared distance of the probabilities to "
        "the truth, summed over the classes and averaged over the images: 0 at best, 2 at worst. On average the "
        f"confidence is {decimal(confidence)}, that is {decimal(abs(excess))} {'more' if excess > 0 else 'less'} than "
        f"the accuracy: {'over' if excess > 0 else 'under'}confident."
    )
    return [
        text,
        Table(columns, rows),
        Illustration(
            "reliability.png",
            "Reliability diagram: accuracy by confidence beside the diagonal, and the share of images in each of "
            f"{calibration.BINS} bins; expected calibration error {decimal(test['expected_calibration_error'])}",
            "A line for each replicate, below the dotted diagonal where it is surer than it is right. "
            "The bars tell how many images a bin has; the lines leave out bins of fewer than "
            f"{curves.LEAST_IMAGES}, whose accuracy is mostly chance.",
            partial(curves.reliability, bins),
        ),
    ]


def _coverage(accuracies: list[np.ndarray]) -> list[str | Table | Illustration]:
    images = len(accuracies[0])
    rows = [
        [f"{share:.2f}", decimal(float(np.mean([each[ceil(share * images) - 1] for each in accuracies])))]
        for share in COVERAGES
    ]
    return [
        "Where it may leave the least certain images to a person, it is right more often on the rest:",
        Table(["share of the images, the most certain", "accuracy on these"], rows),
        Illustration(
            "coverage.png",
            f"Accuracy by coverage, from {rows[-1][1]} on the most certain half to {rows[0][1]} on all images",
            "Accuracy on the most certain images, by how many these are; a line for each replicate.",
            partial(curves.coverage, accuracies),
        ),
    ]
