"""Section 2: what was trained, on which bytes, by which packages, how it went, and whether it overfits."""

from functools import partial
from math import log

import numpy as np

from core.config.params import Render
from stages.render import duplicates
from stages.render.document import Illustration, Section, Table
from stages.render.figures import curves
from stages.render.results import Results
from stages.render.wording import count, decimal, interval, listed

# A validation loss this much above its lowest has risen by more than it usually goes up and down between epochs.
RISE = 0.05
# In float32 the loss of networks that are sure and right is 0, of which nothing is a share.
LEAST_LOSS = 1e-7


def section(results: Results, render: Render) -> Section:
    entry, versions = results.entry, [" ".join(package) for package in results.training.versions.items()]
    return Section(
        "What was run",
        [
            f"{entry.title}: {entry.description}. The settings are those of params.yaml. A network that knows nothing "
            "yet should have about the loss of guessing.",
            _settings(results),
            "The data, as the networks saw them; sha256sum data/normalized/t*/*.npy prints the same digests:",
            _digests(results),
            f"Packages that trained the networks: {listed(versions)}.",
            _curves(results),
            _gap(results),
            overfitting(results),
        ],
    )


def overfitting(results: Results) -> str:
    """Say in words whether the networks overfit, and by which rule: first by the gap, then by the harm done."""
    train, test = results.metrics["train"], results.metrics["test"]
    ends = interval(test["accuracy_low"], test["accuracy_high"])
    accuracy = f"the training accuracy, {decimal(train['accuracy'])}, is"
    if train["accuracy"] > test["accuracy_high"]:
        text = (
            f"By the gap it overfits: {accuracy} above the 95 % interval of the test accuracy, {ends}, so that the "
            "networks are better on images they were trained on than chance explains."
        )
    else:
        text = (
            f"By the gap there is no sign that it overfits: {accuracy} not above the 95 % interval of the test "
            f"accuracy, {ends}, so that chance alone could explain it."
        )
    harm = _harm(results.history, bool(results.settings["train.early_stopping_patience"]))
    return f"{text} Whether training for so long did harm is another question: {harm}"


def _harm(history: np.ndarray, stopped_early: bool) -> str:
    """Say whether training went on for too long, which only images held out of it can tell."""
    if "validation_loss" not in (history.dtype.names or ()):
        return (
            "it can't be told, since no images were held out of training; set train.validation_fraction to hold some "
            "out."
        )
    losses = [each["validation_loss"] for each in _by_replicate(history)]
    rise = float(np.mean([(loss[-1] - loss.min()) / max(loss.min(), LEAST_LOSS) for loss in losses]))
    lowest = listed([str(epoch) for epoch in sorted({int(loss.argmin()) for loss in losses})])
    text = f"the validation loss was lowest after epoch {lowest} and ended {rise:.1%} above that"
    if rise > RISE:
        text += f": more than {RISE:.0%}, so the last epochs did harm"
        return f"{text}; the networks are those of their best epochs." if stopped_early else f"{text}."
    return f"{text}: not more than {RISE:.0%}, so the last epochs did no harm."


def _by_replicate(history: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each replicate; with early stopping, some have more than others."""
    return [history[history["replicate"] == each] for each in np.unique(history["replicate"])]


def _settings(results: Results) -> Table:
    classes = len(results.classes)
    rows = [[name, str(value)] for name, value in results.settings.items()]
    if results.settings["train.early_stopping_patience"]:
        epochs = [str(len(each) - 1) for each in _by_replicate(results.history)]
        rows.append(["epochs after which each replicate stopped", ", ".join(epochs)])
    rows += [
        ["parameters of the network", count(results.training.parameters)],
        ["loss before training, nats", decimal(results.training.untrained_loss)],
        [f"loss of guessing, ln {classes}", decimal(log(classes))],
    ]
    return Table(["setting", "value"], rows)


def _digests(results: Results) -> Table:
    rows = [
        [f"{name}/{kind}.npy", count(len(array)), duplicates.sha256(array)]
        for name, split in (("train", results.train), ("test", results.test))
        for kind, array in split._asdict().items()
    ]
    return Table(["file", "images", "SHA-256"], rows)


def _curves(results: Results) -> Illustration:
    history = results.history
    first, last = (np.mean([each["train_loss"][place] for each in _by_replicate(history)]) for place in (0, -1))
    return Illustration(
        "curves.png",
        f"Loss and accuracy by epoch; the training loss goes from {decimal(first)} to {decimal(last)}",
        "A line for each replicate. Epoch 0 is the untrained network; the dotted line is the loss of guessing. "
        "Training scores are means over the batches of an epoch, taken while the network was still learning.",
        partial(curves.training, history, len(results.classes)),
    )


def _gap(results: Results) -> Table:
    test, train, gap = (results.metrics[name] for name in ("test", "train", "gap"))
    sizes = [count(len(split.labels)) for split in (results.train, results.test)]
    columns = ["", f"{sizes[0]} training images", f"{sizes[1]} test images", "generalisation gap"]
    rows = [[score, *(decimal(each[score]) for each in (train, test, gap))] for score in ("accuracy", "loss")]
    return Table(columns, rows)
