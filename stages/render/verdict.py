"""Section 1: how good the networks are, how sure that is, and what was published."""

import numpy as np

from core.config.params import Render
from stages.render import published
from stages.render.document import Section, Table
from stages.render.results import Results
from stages.render.wording import count, decimal, interval

SCORES = {
    "accuracy": "accuracy",
    "top2_accuracy": "true class among the two most probable",
    "loss": "loss",
}


def line(results: Results) -> str:
    """Return the verdict in one sentence."""
    test, replicates = results.metrics["test"], len(results.probabilities)
    network, run = results.settings["train.network"], published.run_of(results.settings)
    accuracy = f"test accuracy {decimal(test['accuracy'])} (95 % interval {_interval(results)})"
    spread = "spread over seeds unknown, since one network was trained"
    if replicates > 1:
        spread = f"standard deviation over the replicates {decimal(test['accuracy_std'])}"
    known = f"; published for this recipe ({run.recipe}): {decimal(run.accuracy)}" if run else ""
    number = f"{replicates} replicate{'s' * (replicates > 1)}"
    return f"{results.entry.title}, {network} network, {number}: {accuracy}, {spread}{known}."


def warning(results: Results) -> str:
    """Return what must be said before any number is believed, or an empty text."""
    if results.entry.source != "generate":
        return ""
    return "These are synthetic pictures, drawn by a program. The numbers here say nothing about real photographs."


def section(results: Results, render: Render) -> Section:
    test, images = results.metrics["test"], len(results.test.labels)
    replicates = len(results.probabilities)
    columns, rows = ["score of the test images", "value"], [[name, decimal(test[key])] for key, name in SCORES.items()]
    rows[0][1] += f" ({_interval(results)})"
    means = ""
    if replicates > 1:
        columns = [columns[0], f"mean of {replicates} networks", "standard deviation"]
        rows = [[*row, decimal(test[f"{key}_std"])] for row, key in zip(rows, SCORES, strict=True)]
        means = f" The {replicates} networks differ in their seed alone: that is the standard deviation."
    commonest = np.bincount(results.test.labels).max() / images
    definitions = (
        "Accuracy is the share of images whose class is named correctly; to name every test image after the most "
        f"common class has {decimal(commonest)}. Loss is the mean of -ln(probability of the true class), in nats, the "
        "lower the better."
    )
    meaning = (
        f"The interval (Wilson) says how far the accuracy of one network may be off because these {count(images)} "
        f"images, and not others, were drawn for the test. It knows nothing of the chance in training.{means} Two "
        "runs are compared image by image, by python -m tools.compare, which sees smaller differences than two "
        "intervals do."
    )
    return Section("Verdict", [definitions, Table(columns, rows), meaning, _published(results)])


def _interval(results: Results) -> str:
    return interval(results.metrics["test"]["accuracy_low"], results.metrics["test"]["accuracy_high"])


def _published(results: Results) -> str:
    """Say where the published number lies, beside ours."""
    test, run = results.metrics["test"], published.run_of(results.settings)
    if run is None:
        return "No number was published for exactly these settings."
    difference = run.accuracy - test["accuracy"]
    text = (
        f"The tutorial published {decimal(run.accuracy)} for these settings ({run.recipe}), from one network: "
        f"{decimal(abs(difference))} {'above' if difference > 0 else 'below'} the accuracy here"
    )
    if not test["accuracy_std"]:
        return f"{text}."
    return f"{text}, {abs(difference) / test['accuracy_std']:.1f} times the standard deviation over the replicates."
