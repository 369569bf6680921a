"""Figures with one line per replicate: the history of training, and calibration."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import numpy as np

from core.files.history import by_replicate
from core.scores.calibration import Reliability
from stages.render import style
from stages.render.style import Axes, Figure, MaxNLocator

LINES = {"train": {"color": style.FIRST}, "validation": {"color": style.SECOND}}
LABELS = {"loss": "loss (cross-entropy), nats", "accuracy": "accuracy"}

# A smaller loss is drawn as this loss: the logarithm of 0 has no place.
LEAST_LOSS = 0.01
# The accuracy of fewer images in a bin is mostly chance.
LEAST_IMAGES = 10


def training(history: np.ndarray, classes: int) -> Figure:
    """Draw loss and accuracy by epoch, a thin line per replicate.

    `history` is the table of history.csv; epoch 0 is the untrained network. Guessing among c classes has the loss ln c.
    """
    figure = style.empty()
    loss, accuracy = figure.subplots(1, 2)
    draw_history(loss, history, "loss", classes)
    draw_history(accuracy, history, "accuracy", classes)
    loss.axhline(log(classes), color=style.GUIDE, linestyle=":", label=f"guessing: ln {classes}")
    loss.legend(loc="lower left", fontsize=8)
    return figure


def draw_history(
    ax: Axes, history: np.ndarray, measure: str, classes: int, lines: Mapping[str, dict[str, Any]] = LINES, of: str = ""
) -> None:
    """Draw `measure` (loss or accuracy) by epoch, for train and, if present, validation.

    lines: how matplotlib draws each of them. of: what their names begin with.

    The scale depends on the number of classes alone, so that figures of two runs can be compared. It ends at twice the
    loss of guessing; losses beyond its ends are drawn at its ends.
    """
    low, high = (0.0, 1.0) if measure == "accuracy" else (LEAST_LOSS, 2 * log(max(classes, 2)))
    for split, look in lines.items():
        if f"{split}_{measure}" not in (history.dtype.names or ()):
            continue
        for number, rows in enumerate(by_replicate(history)):
            values = rows[f"{split}_{measure}"].clip(low, high)
            label = None if number else of + split
            ax.plot(rows["epoch"], values, marker=".", linewidth=0.8, label=label, **look)
    if measure == "loss":
        ax.set_yscale("log")
        ends = {low: f"≤{low}", high: f"≥{high:.1f}"}
        ax.set_yticks([low, 0.1, 1, high], [ends.get(tick, f"{tick:g}") for tick in (low, 0.1, 1, high)])
    ax.set_ylim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(LABELS[measure], fontsize=9, loc="left")
    ax.set_xlabel("epoch")


def reliability(networks: list[Reliability], together: Reliability | None) -> Figure:
    """Draw accuracy by confidence, a thin line per network and a thick line for the ensemble, if there is one.

    Below is the share of all predictions in each bin. Lines leave out bins of fewer than LEAST_IMAGES images.
    """
    figure = style.empty(height=4)
    ax, images = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    lines = [(each, style.FIRST, 0.8, None if number else "one network") for number, each in enumerate(networks)]
    if together:
        lines.append((together, style.TOGETHER, 2, "ensemble"))
    draw_reliability(ax, lines)
    counts = (together or networks[0]).images
    width = 1 / len(counts)
    images.bar(np.arange(len(counts)) * width, counts / counts.sum(), width, align="edge", edgecolor="white")
    images.set(ylim=(0, 1), xlabel="confidence: the largest probability", ylabel="share of\nimages")
    return figure


def draw_reliability(ax: Axes, lines: Sequence[tuple[Reliability, str, float, str | None]]) -> None:
    """Draw accuracy by confidence: lines of bins with a colour, a width and a label."""
    ax.plot([0, 1], [0, 1], ":", color=style.GUIDE, label="calibrated: as often right as it says")
    for each, colour, width, label in lines:
        enough = each.images >= LEAST_IMAGES
        ax.plot(each.confidence[enough], each.accuracy[enough], ".-", color=colour, linewidth=width, label=label)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    ax.legend(loc="upper left")
