"""Figures with one line per replicate: the history of training, calibration and coverage."""

from math import log

import numpy as np

from core.files.history import by_replicate
from core.scores import calibration
from stages.render import style
from stages.render.style import Axes, Figure, MaxNLocator

COLOURS = {"train": style.FIRST, "validation": style.SECOND}
LABELS = {"loss": "loss (cross-entropy), nats", "accuracy": "accuracy, share of images"}

# The accuracy of a smaller share of the images, or of fewer images in a bin, is mostly chance.
LEAST_COVERAGE = 0.01
LEAST_IMAGES = 10
# Points of a curve with a point for each image: more points would not be visible.
POINTS = 400


def training(history: np.ndarray, classes: int) -> Figure:
    """Draw loss and accuracy by epoch, a thin line per replicate.

    `history` is the table of history.csv. Epoch 0, the untrained network, is drawn for the loss only: the accuracy of
    guessing would compress the other values. Guessing among c classes has the loss ln c.
    """
    figure = style.empty(height=3.5)
    loss, accuracy = figure.subplots(1, 2)
    draw_history(loss, history, "loss")
    draw_history(accuracy, history[history["epoch"] > 0], "accuracy")
    guessing = f"guessing: ln {classes} = {log(classes):.4f}"
    loss.axhline(log(classes), color=style.GUIDE, linestyle=":", label=guessing)
    for ax in (loss, accuracy):
        ax.legend()
    return figure


def draw_history(ax: Axes, history: np.ndarray, measure: str) -> None:
    """Draw `measure` (loss or accuracy) by epoch, for train and, if present, validation."""
    for split, colour in COLOURS.items():
        if f"{split}_{measure}" not in (history.dtype.names or ()):
            continue
        for number, rows in enumerate(by_replicate(history)):
            label = split if number == 0 else None
            ax.plot(rows["epoch"], rows[f"{split}_{measure}"], ".-", color=colour, linewidth=0.8, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=LABELS[measure])


def reliability(bins: list[calibration.Reliability]) -> Figure:
    """Draw accuracy by confidence, a thin line per replicate, above the share of images in each bin.

    Lines leave out bins of fewer than LEAST_IMAGES images.
    """
    figure = style.empty(height=5.5, width=6)
    ax, images = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    ax.plot([0, 1], [0, 1], ":", color=style.GUIDE, label="calibrated: as often right as it says")
    for number, each in enumerate(bins):
        enough = each.images >= LEAST_IMAGES
        label = "network" if number == 0 else None
        ax.plot(each.confidence[enough], each.accuracy[enough], ".-", color=style.FIRST, linewidth=0.8, label=label)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy, share of images")
    ax.legend(loc="upper left")
    shares = np.mean([each.images / each.images.sum() for each in bins], axis=0)
    width = 1 / len(shares)
    images.bar(np.arange(len(shares)) * width, shares, width, align="edge", color=style.FIRST, edgecolor="white")
    images.set(xlabel="confidence: the largest probability", ylabel="images in\nthe bin, share")
    return figure


def coverage(accuracies: list[np.ndarray]) -> Figure:
    """Draw the accuracy on the most confident images by their share, a thin line per replicate."""
    figure = style.empty(height=3.5)
    ax = figure.subplots()
    for number, accuracy in enumerate(accuracies):
        count = len(accuracy)
        least = min(int(np.ceil(LEAST_COVERAGE * count)), count)
        shown = np.unique(np.linspace(least, count, POINTS).astype(int))
        marker, label = "." * (count < POINTS), "network" if number == 0 else None
        ax.plot(shown / count, accuracy[shown - 1], color=style.FIRST, linewidth=0.8, marker=marker, label=label)
    ax.legend(loc="lower left")
    ax.set(
        xlim=(0, 1.01),
        xlabel="coverage: share of the images, the most certain first",
        ylabel="accuracy on these, share of images",
    )
    return figure
