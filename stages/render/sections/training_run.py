"""Section 2: the settings, the data and the packages of the training, its course, and whether the networks overfit."""

from functools import partial
from math import log

import numpy as np

from core.config.params import Render
from core.files.history import by_replicate
from stages.render import duplicates
from stages.render.document import Code, Illustration, Section, Table, count, decimal, interval, listed
from stages.render.figures import curves
from stages.render.results import Results

# A larger rise of the validation loss above its minimum is more than the usual variation between epochs.
RISE = 0.05
# The float32 loss of confident and correct networks is 0: a rise relative to 0 has no meaning.
LEAST_LOSS = 1e-7


def section(results: Results, render: Render) -> Section:
    card, versions = results.card, [" ".join(package) for package in results.training.versions.items()]
    return Section(
        "Training run",
        [
            f"{card.title}: {card.description}. The settings come from params.yaml. The loss before training should "
            "be close to the loss of guessing.",
            _settings(results),
            "The networks were trained and tested on these files. This command prints the same digests:",
            Code("sha256sum data/normalized/t*/*.npy" + " data/normalized/t*/*/*.npy" * bool(results.validation)),
            _digests(results),
            f"Packages used in training: {listed(versions)}.",
            _curves(results),
            _gap(results),
            overfitting(results),
        ],
    )


def overfitting(results: Results) -> str:
    """Say whether the networks overfit: first by the generalization gap, then by the validation loss."""
    train, test = results.metrics["train"], results.metrics["test"]
    ends = interval(test["accuracy_low"], test["accuracy_high"])
    accuracy = f"the training accuracy, {decimal(train['accuracy'])}, is"
    if train["accuracy"] > test["accuracy_high"]:
        text = (
            f"The generalization gap shows overfitting: {accuracy} above the 95 % interval of the test accuracy, "
            f"{ends}. Chance alone does not explain the gap."
        )
    else:
        text = (
            f"The generalization gap shows no overfitting: {accuracy} not above the 95 % interval of the test "
            f"accuracy, {ends}. Chance alone could explain the gap."
        )
    return f"{text} {_harm(results.history, bool(results.settings['train.early_stopping_patience']))}"


def _harm(history: np.ndarray, stopped_early: bool) -> str:
    """Say whether the last epochs did harm, which only validation images can show."""
    if "validation_loss" not in (history.dtype.names or ()):
        return (
            "It is unknown whether the last epochs did harm, because there were no validation images. To hold out "
            "validation images, set train.validation_fraction."
        )
    losses = [each["validation_loss"] for each in by_replicate(history)]
    rise = float(np.mean([(loss[-1] - loss.min()) / max(loss.min(), LEAST_LOSS) for loss in losses]))
    lowest = listed([str(epoch) for epoch in sorted({int(loss.argmin()) for loss in losses})])
    text = f"The validation loss was lowest after epoch {lowest} and ended {rise:.1%} above its minimum. This is"
    if rise <= RISE:
        return f"{text} not more than {RISE:.0%}: the last epochs did no harm."
    text += f" more than {RISE:.0%}: the last epochs did harm."
    return f"{text} Early stopping kept the weights of the best epochs." if stopped_early else text


def _as_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _settings(results: Results) -> Table:
    classes = len(results.classes)
    rows: list[list[str]] = [[Code(name), Code(_as_yaml(value))] for name, value in results.settings.items()]
    if results.settings["train.early_stopping_patience"]:
        epochs = [str(len(each) - 1) for each in by_replicate(results.history)]
        rows.append(["epochs of each replicate", ", ".join(epochs)])
    rows += [
        ["network parameters", count(results.training.parameters)],
        ["loss before training, nats", decimal(results.training.untrained_loss)],
        [f"loss of guessing, ln {classes}", decimal(log(classes))],
    ]
    return Table(["setting", "value"], rows)


def _digests(results: Results) -> Table:
    folders = {"train": "train", "test": "test", "validation": "train/validation"}
    rows = [
        [f"{folder}/{kind}.npy", count(len(array)), Code(duplicates.sha256(array))]
        for name, folder in folders.items()
        if name in results.splits
        for kind, array in results.splits[name]._asdict().items()
    ]
    return Table(["file", "images", "SHA-256"], rows)


def _curves(results: Results) -> Illustration:
    history = results.history
    official = ""
    if results.validation:
        number = count(len(results.validation.labels))
        official = f" Validation scores are from the {number} validation images of the data set."
    first, last = (np.mean([each["train_loss"][place] for each in by_replicate(history)]) for place in (0, -1))
    return Illustration(
        "curves.png",
        f"Loss and accuracy by epoch; the training loss goes from {decimal(first)} to {decimal(last)}",
        "One line per replicate. Epoch 0 is the untrained network; the dotted line is the loss of guessing. Training "
        "scores are means over the batches of an epoch, computed while the network was still learning." + official,
        partial(curves.training, history, len(results.classes)),
    )


def _gap(results: Results) -> Table:
    test, train, gap = (results.metrics[name] for name in ("test", "train", "gap"))
    sizes = [count(len(split.labels)) for split in (results.train, results.test)]
    columns = ["", f"{sizes[0]} training images", f"{sizes[1]} test images", "generalization gap"]
    rows = [[score, *(decimal(each[score]) for each in (train, test, gap))] for score in ("accuracy", "loss")]
    return Table(columns, rows)
