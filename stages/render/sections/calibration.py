"""Whether the confidence of the predictions matches their accuracy."""

from functools import partial
from math import ceil, sqrt

import numpy as np

from core.config.params import Render
from core.scores import scores
from core.scores.calibration import BINS, accuracy_by_coverage
from core.scores.intervals import DEVIATIONS
from stages.render.document import Illustration, Section, Table, decimal
from stages.render.figures import curves
from stages.render.results import Results

SCORES = {"expected_calibration_error": "expected calibration error", "brier": "Brier score"}
COVERAGES = (1, 0.95, 0.9, 0.8, 0.5)


def section(results: Results, render: Render) -> Section:
    confidence = results.together.max(axis=1).astype(np.float64)
    excesses = confidence - scores.right(results.together, results.test.labels)
    excess = float(excesses.mean())
    known = abs(excess) > DEVIATIONS * excesses.std() / sqrt(len(excesses))  # unlikely to be 0 on other images
    side = f"{'over' if excess > 0 else 'under'}confident"
    who = "ensemble" if results.replicates > 1 else "network"
    text = (
        f"The confidence of a prediction is its largest probability. The mean confidence of the {who}, "
        f"{decimal(confidence.mean())}, is {decimal(abs(excess))} {'above' if excess > 0 else 'below'} its accuracy, "
        f"{f'so the predictions are {side}' if known else 'which chance can explain'}. The expected calibration error "
        f"is the mean of |accuracy - confidence| over {BINS} bins (Guo et al., 2017). The Brier score is the squared "
        "error of the probabilities, from 0, the best, to 2."
    )
    title = f"The {who} is {side} by {abs(100 * excess):.1f} points" if known else "Accuracy by confidence"
    return Section(
        "Calibration", [text, results.table("score", SCORES), _reliability(results, title), *_coverage(results)]
    )


def _reliability(results: Results, title: str) -> Illustration:
    *networks, together = results.metrics["reliability"]
    several = results.replicates > 1
    return Illustration(
        "reliability.png",
        f"Reliability diagram: accuracy by confidence beside the diagonal, and the share of images in each of {BINS} "
        f"bins; expected calibration error {decimal(results.ensemble.expected_calibration_error)}",
        f"Predictions are overconfident below the dotted line. Bins of fewer than {curves.LEAST_IMAGES} images have no "
        "point.",
        partial(curves.reliability, networks, together if several else None),
        title,
        f"{results.replicates} networks, one line each; bars: ensemble" if several else "one network",
    )


def _coverage(results: Results) -> list[str | Table]:
    accuracies = accuracy_by_coverage(results.together, results.test.labels)
    rows = [[f"{share:.2f}", decimal(float(accuracies[ceil(share * len(accuracies)) - 1]))] for share in COVERAGES]
    return [
        "If the least confident images go to a person, the other images have this accuracy:",
        Table(["share of the images, most confident first", f"accuracy, {results.predictor}"], rows),
    ]
