"""How good the networks are, one alone and all together, how certain this is, and which result was published."""

from collections.abc import Mapping
from functools import partial
from math import sqrt

import numpy as np

from core.config.params import Render
from core.scores import scores, variance
from stages.render import published
from stages.render.document import Illustration, Section, count, decimal, listed
from stages.render.figures.accuracy import Row, accuracy
from stages.render.results import Results

SCORES = {"accuracy": "accuracy", "top2_accuracy": "top-2 accuracy", "loss": "loss"}


def line(results: Results) -> str:
    """Return the verdict in one or two sentences."""
    run = published.run_of(results.settings)
    known = f" (published: {decimal(run.accuracy)}{_place(run.accuracy, results)})" if run else ""
    mean = decimal(results.metrics["test"]["accuracy"])
    if results.replicates == 1:
        return f"The network has a test accuracy of {mean}{known}."
    together = decimal(results.ensemble.accuracy)
    return f"One network has a test accuracy of {mean} on average{known}. The {results.predictor} has {together}."


def _place(accuracy: float, results: Results) -> str:
    """Say where a published accuracy lies among those of the networks, if there are several."""
    each = _accuracies(results)
    if len(each) == 1:
        return ""
    where = "below all" if accuracy < min(each) else "above all" if accuracy > max(each) else "within the range of the"
    return f", {where} {len(each)} networks"


def _accuracies(results: Results) -> list[float]:
    return [float(scores.right(each, results.test.labels).mean()) for each in results.probabilities]


def warning(results: Results) -> str:
    """Return a warning to read before any number, or an empty string."""
    if results.card.format != "garments":
        return ""
    return "These are synthetic images, drawn by a program. The numbers say nothing about real photographs."


def figure(results: Results) -> Illustration:
    """Show the accuracies of the ensemble and of one network, with their intervals, and the published accuracy."""
    test, together, several = results.metrics["test"], results.ensemble, results.replicates > 1
    images, run = len(results.test.labels), published.run_of(results.settings)
    title = f"One network has {decimal(test['accuracy'])}"
    name = f"one network,\nmean of {results.replicates}" if several else "one network"
    rows = [Row(name, [test["accuracy"]], [test["accuracy_low"], test["accuracy_high"]])]
    if several:
        rows.append(Row("each network", _accuracies(results)))
    if run:
        rows.append(Row("published,\none network", [run.accuracy]))
    if several:
        ends = [together.accuracy_low, together.accuracy_high]
        rows.append(Row(f"ensemble of\n{results.replicates} networks", [together.accuracy], ends))
        title += f", the ensemble {decimal(together.accuracy)}"
    values = [f"{row.label}: {listed([decimal(value) for value in row.accuracies])}" for row in rows]
    return Illustration(
        "verdict.png",
        f"Test accuracies: {'; '.join(values)}",
        "",
        partial(accuracy, rows),
        title,
        f"lines: 95 % intervals for the choice of {count(images)} test images",
    )


def section(results: Results, render: Render) -> Section:
    commonest = np.bincount(results.test.labels).max() / len(results.test.labels)
    text = (
        f"Always predicting the most common class has an accuracy of {decimal(commonest)}. The loss is the mean of "
        "-ln(probability of the true class), in nats. Brackets hold 95 % intervals for the choice of the test images."
    )
    if views := _views(results.settings):
        text += f" Each network predicts {views}, and takes the mean."
    table = results.table("score of the test images", SCORES)
    return Section("Scores", [text, table, *_noise(results)])


def _views(settings: Mapping[str, object]) -> str:
    """Say which views of an image are predicted, if there are several; `stages.evaluate.prediction` makes them."""
    mirrored, shift = settings["evaluate.mirrored"], settings["evaluate.shift"]
    if not shift:
        return "an image twice, as it is and mirrored" if mirrored else ""
    image, they = ("an image and its mirror image", "they are") if mirrored else ("an image", "it is")
    return f"{image} three times, as {they} and shifted both ways by {shift} {'pixel' if shift == 1 else 'pixels'}"


def _noise(results: Results) -> list[str]:
    """Say what moves the accuracy of one network: seeds, and the choice of the test images."""
    images = len(results.test.labels)
    if results.replicates == 1 or images == 1:
        return []
    parts = variance.components(results.probabilities.argmax(axis=2) == results.test.labels)
    seeds, unlimited, drawn = (
        f"{100 * sqrt(each):.2f}" for each in (parts.replicates, parts.seeds, parts.images + parts.interaction)
    )
    return [
        "Chance moves the accuracy of one network in two ways. Between seeds, its standard deviation is "
        f"{seeds} points on these test images. On unlimited ones, it would be about {unlimited} points (Jordan, 2023). "
        f"Between draws of {count(images)} test images, its standard deviation is {drawn} points."
    ]
