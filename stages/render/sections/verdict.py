"""Section 1: how good the networks are, how certain the result is, and which result was published."""

import numpy as np

from core.config.params import Render
from stages.render import published
from stages.render.document import Section, count, decimal, interval
from stages.render.results import Results

SCORES = {"accuracy": "accuracy", "top2_accuracy": "top-2 accuracy", "loss": "loss"}


def line(results: Results) -> str:
    """Return the verdict in one sentence."""
    test, replicates = results.metrics["test"], len(results.probabilities)
    network, run = results.settings["train.network"], published.run_of(results.settings)
    accuracy = f"test accuracy {decimal(test['accuracy'])} (95 % interval {_interval(results)})"
    spread = "variation with the seed unknown (one network)"
    if replicates > 1:
        spread = f"standard deviation over the replicates {decimal(test['accuracy_std'])}"
    known = f"; published for this recipe ({run.recipe}): {decimal(run.accuracy)}" if run else ""
    number = f"{replicates} replicate{'s' * (replicates > 1)}"
    return f"{results.card.title}, {network} network, {number}: {accuracy}, {spread}{known}."


def warning(results: Results) -> str:
    """Return a warning to read before any number, or an empty string."""
    if results.card.format != "garments":
        return ""
    return "These are synthetic images, drawn by a program. The numbers say nothing about real photographs."


def section(results: Results, render: Render) -> Section:
    images, replicates = len(results.test.labels), len(results.probabilities)
    table = results.table("score of the test images", SCORES)
    table.rows[0][1] += f" ({_interval(results)})"
    variance = f" The standard deviation does: the {replicates} networks differ only in their seed." * (replicates > 1)
    commonest = np.bincount(results.test.labels).max() / images
    definitions = (
        "Accuracy is the share of images that are classified correctly. Always predicting the most common class scores "
        f"{decimal(commonest)}. Loss is the mean of -ln(probability of the true class), in nats. Lower is better."
    )
    meaning = (
        "The interval (Wilson) shows how much the accuracy of one network varies with the choice of the "
        f"{count(images)} test images. It does not include training variance.{variance} To compare two runs image by "
        "image, run python -m tools.compare. This detects smaller differences than two intervals do."
    )
    return Section("Verdict", [definitions, table, meaning, _published(results)])


def _interval(results: Results) -> str:
    return interval(results.metrics["test"]["accuracy_low"], results.metrics["test"]["accuracy_high"])


def _published(results: Results) -> str:
    """Compare the published accuracy with the accuracy of this run."""
    test, run = results.metrics["test"], published.run_of(results.settings)
    if run is None:
        return "No result was published for exactly these settings."
    difference = run.accuracy - test["accuracy"]
    text = (
        f"The tutorial published an accuracy of {decimal(run.accuracy)} for these settings ({run.recipe}), from one "
        f"network. The published accuracy is {decimal(abs(difference))} {'above' if difference > 0 else 'below'} the "
        "accuracy here"
    )
    if not test["accuracy_std"]:
        return f"{text}."
    return f"{text}, {abs(difference) / test['accuracy_std']:.1f} times the standard deviation over the replicates."
