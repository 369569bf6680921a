"""The course of the training, and whether the networks overfit."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.files.history import by_replicate
from stages.render.document import Illustration, Section, Table, count, decimal, interval, listed
from stages.render.figures import curves
from stages.render.results import Results

# A larger rise of the validation loss above its minimum is more than the usual variation between epochs.
RISE = 0.05
# The float32 loss of confident and correct networks is 0: a rise relative to 0 has no meaning.
LEAST_LOSS = 1e-7


def figure(results: Results) -> Illustration:
    """Show loss and accuracy by epoch."""
    history = results.history
    first, last = (np.mean([each["train_loss"][place] for each in by_replicate(history)]) for place in (0, -1))
    course = "fell" if last < first else "rose" if last > first else "went"
    title = f"The training loss {course} from {first:.2f} to {last:.2f}"
    if (rise := _rise(history)) is not None and rise > RISE:
        title = f"The validation loss ended {rise:.0%} above its minimum"
    return Illustration(
        "curves.png",
        f"Loss and accuracy by epoch; the training loss goes from {decimal(first)} to {decimal(last)}",
        "The losses are those of smoothed labels." if results.settings["train.label_smoothing"] else "",
        partial(curves.training, history, len(results.classes)),
        title,
        f"{results.replicates} networks, one line each" if results.replicates > 1 else "one network",
    )


def section(results: Results, render: Render) -> Section:
    test, train, gap = (results.metrics[name] for name in ("test", "train", "gap"))
    sizes = [count(len(split.labels)) for split in (results.train, results.test)]
    columns = ["one network", f"{sizes[0]} training images", f"{sizes[1]} test images", "generalization gap"]
    rows = [[score, *(decimal(each[score]) for each in (train, test, gap))] for score in ("accuracy", "loss")]
    return Section("Overfitting", [Table(columns, rows), f"{_gap(train, test)} {_harm(results)}"])


def _gap(train: dict[str, float], test: dict[str, float]) -> str:
    """Say whether the networks overfit, by the generalization gap."""
    overfit = train["accuracy"] > test["accuracy_high"]
    return (
        f"The gap shows {'' if overfit else 'no '}overfitting: the training accuracy, "
        f"{decimal(train['accuracy'])}, is {'' if overfit else 'not '}above the 95 % interval of the test accuracy, "
        f"{interval(test['accuracy_low'], test['accuracy_high'])}."
    )


def _harm(results: Results) -> str:
    """Say whether the last epochs did harm, which only validation images can show."""
    rise = _rise(results.history)
    if rise is None:
        return "To see whether the last epochs did harm, set train.validation_fraction."
    lowest = sorted({int(each["validation_loss"].argmin()) for each in by_replicate(results.history)})
    text = (
        f"The validation loss was lowest after epoch {listed([str(epoch) for epoch in lowest])} and ended {rise:.1%} "
        f"above its minimum: the last epochs did {'harm' if rise > RISE else 'no harm'} (limit {RISE:.0%})."
    )
    stopped = rise > RISE and results.settings["train.early_stopping_patience"]
    return f"{text} Early stopping kept the weights of the best epochs." if stopped else text


def _rise(history: np.ndarray) -> float | None:
    """Return by which share the validation loss ended above its minimum, or None without validation images."""
    if "validation_loss" not in (history.dtype.names or ()):
        return None
    losses = [each["validation_loss"] for each in by_replicate(history)]
    return float(np.mean([(loss[-1] - loss.min()) / max(loss.min(), LEAST_LOSS) for loss in losses]))
