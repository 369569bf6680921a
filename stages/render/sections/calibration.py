"""Section 4: whether the confidence of the networks matches their accuracy."""

from functools import partial
from math import ceil

import numpy as np

from core.config.params import Render
from core.scores.calibration import BINS, accuracy_by_coverage
from stages.render.document import Illustration, Section, Table, decimal
from stages.render.figures import curves
from stages.render.results import Results

SCORES = {"expected_calibration_error": "expected calibration error", "brier": "Brier score"}
COVERAGES = (1, 0.95, 0.9, 0.8, 0.5)


def section(results: Results, render: Render) -> Section:
    accuracies = [accuracy_by_coverage(each, results.test.labels) for each in results.probabilities]
    return Section("Calibration", [*_calibration(results), *_coverage(accuracies)])


def _calibration(results: Results) -> list[str | Table | Illustration]:
    test, bins = results.metrics["test"], results.metrics["reliability"]
    confidence = float(results.probabilities.max(axis=2).mean(dtype=np.float64))
    excess = confidence - test["accuracy"]
    text = (
        "The confidence of a prediction is its largest probability. The expected calibration error is the mean "
        f"absolute difference between accuracy and confidence over {BINS} bins of equal width, weighted by their "
        "images (Guo et al., 2017). The Brier score is the squared distance between the probabilities and the truth, "
        "summed over the classes and averaged over the images: 0 is best, 2 is worst. The mean confidence is "
        f"{decimal(confidence)}, which is {decimal(abs(excess))} {'above' if excess > 0 else 'below'} the accuracy: "
        f"the predictions are {'over' if excess > 0 else 'under'}confident."
    )
    return [
        text,
        results.table("score", SCORES),
        Illustration(
            "reliability.png",
            "Reliability diagram: accuracy by confidence beside the diagonal, and the share of images in each of "
            f"{BINS} bins; expected calibration error {decimal(test['expected_calibration_error'])}",
            "One line per replicate. A network is overconfident where its line is below the dotted diagonal. The bars "
            f"show the share of images in each bin. The lines leave out bins of fewer than {curves.LEAST_IMAGES} "
            "images, because their accuracy is mostly chance.",
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
        "If the least confident images go to a person, the networks have this accuracy on the remaining images:",
        Table(["share of the images, most confident first", "accuracy on these images"], rows),
        Illustration(
            "coverage.png",
            f"Accuracy by coverage, from {rows[-1][1]} on the most confident half to {rows[0][1]} on all images",
            "Accuracy on the most confident images, by their share of all images. One line per replicate.",
            partial(curves.coverage, accuracies),
        ),
    ]
