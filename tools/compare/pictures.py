"""Figures of a change between two sides, base and new."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from core.files.history import by_replicate
from core.scores.calibration import Reliability
from stages.render import style
from stages.render.figures import samples
from stages.render.figures.curves import LABELS, LEAST_IMAGES
from stages.render.figures.matrices import VALUED_CLASSES
from stages.render.style import Axes, Figure, MaxNLocator
from tools.compare.comparison import BETTER, WORSE, Score
from tools.compare.differences import Pair
from tools.compare.evidence import Evidence

BASE, NEW = "grey", style.SECOND
COLOURS = {BETTER: style.RIGHT, WORSE: style.WRONG}
UNDECIDED = "black"
MOST_CLASSES = 20  # of a dot plot
EACH = 10  # images of a kind on the contact sheet
FULL = 0.1  # the change of a cell that has the full colour: the same in every comparison


class Measure(NamedTuple):
    """A score of one network or of the ensemble, to be drawn in a row: its change, and the score of each network of
    both sides, a pair of sequences.
    """

    name: str
    score: Score
    networks: Pair


def changes(accuracy: Sequence[Measure], loss: Sequence[Measure], tolerance: float | None = None) -> Figure:
    """Draw the changes of accuracy, in points, and of loss, in nats, with their 95 % intervals around 0.

    The dots below an interval are the networks of both sides, as distances from the mean of base. tolerance: a share.
    """
    figure = style.empty(height=1.9 + 0.45 * (len(accuracy) + len(loss)))
    panels = [(accuracy, 100, "change of accuracy, points"), (loss, 1, "change of loss, nats")]
    ratios = [1 + len(measures) for measures, *_ in panels]
    axes = figure.subplots(2, 1, height_ratios=ratios)
    for ax, (measures, factor, name), better in zip(axes, panels, ("right", "left"), strict=True):
        for row, measure in enumerate(measures):
            _interval(ax, measure.score, row, factor)
            for networks, place, colour in zip(measure.networks, (0.22, 0.38), (BASE, NEW), strict=True):
                values = factor * (np.asarray(networks) - measure.score.change.base)
                ax.plot(values, np.full(len(values), row + place), "o", color=colour, markersize=4, alpha=0.7)
        if tolerance is not None and ax is axes[0]:
            ax.axvspan(-100 * tolerance, 100 * tolerance, color=style.OTHER, alpha=0.5, zorder=0)
        _rows(ax, [measure.name for measure in measures], space=0.6)
        ax.set_xlabel(f"{name} (better: to the {better})")
    for colour, label in ((BASE, "a network of base"), (NEW, "a network of new")):
        axes[0].plot([], [], "o", color=colour, markersize=4, label=label)
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    return figure


def recalls(scores: Sequence[tuple[str, Score]]) -> Figure:
    """Draw the change of the recall of each class, in points, with its 95 % interval, the largest gain first."""
    figure = style.empty(height=1 + 0.27 * len(scores))
    ax = figure.subplots()
    names, ordered = zip(*sorted(scores, key=lambda each: -each[1].change.difference), strict=True)
    for row, score in enumerate(ordered):
        _interval(ax, score, row, 100)
    _rows(ax, [style.cut(name, style.TICK_NAME) for name in names], space=0.5)
    ax.set_xlabel("change of recall, points (better: to the right)")
    return figure


def curves(histories: Pair) -> Figure:
    """Draw loss and accuracy by epoch of both sides on the same axes, a line per network, from epoch 1.

    Training is solid, validation dashed.
    """
    figure = style.empty(height=5.5)
    for ax, measure in zip(figure.subplots(2, 1, sharex=True), ("loss", "accuracy"), strict=True):
        for side, colour, history in zip(Pair._fields, (BASE, NEW), histories, strict=True):
            for split, line in (("train", "-"), ("validation", "--")):
                if (column := f"{split}_{measure}") not in history.dtype.names:
                    continue
                for number, rows in enumerate(by_replicate(history)):
                    label = f"{side}, {split}" if number == 0 else None
                    ax.plot(
                        rows["epoch"][1:], rows[column][1:], line, color=colour, linewidth=0.9, alpha=0.7, label=label
                    )
        ax.set_ylabel(LABELS[measure])
        ax.legend(fontsize=9)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    return figure


def confusion(change: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the change of a confusion matrix, float (classes, classes), whose cells are shares of their row.

    Blue is better: more on the diagonal, fewer off it. The scale ends at FULL in every comparison.
    """
    figure = style.empty(height=4.6, layout="compressed")
    ax = figure.subplots()
    better = np.where(np.eye(len(change), dtype=bool), change, -change)
    mesh = ax.imshow(100 * better, cmap="RdBu", vmin=-100 * FULL, vmax=100 * FULL)
    figure.colorbar(mesh, ax=ax, extend="both", label="points of the row (blue: better)")
    if len(classes) <= VALUED_CLASSES:
        for row, column in zip(*np.nonzero(np.round(100 * change, 1)), strict=True):
            ink = style.ink(mesh.to_rgba(100 * better[row, column])[:3])
            text = f"{100 * change[row, column]:+.1f}"
            ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
    style.name_ticks(ax.xaxis, classes, rotation=45)
    style.name_ticks(ax.yaxis, classes)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure


def reliability(bins: Pair) -> Figure:
    """Draw accuracy by confidence of both sides, a pair of Reliability, without bins of few images."""
    figure = style.empty(height=4)
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], ":", color=style.GUIDE, label="calibrated: as often right as it says")
    each: Reliability
    for side, colour, each in zip(Pair._fields, (BASE, NEW), bins, strict=True):
        enough = each.images >= LEAST_IMAGES
        ax.plot(each.confidence[enough], each.accuracy[enough], ".-", color=colour, label=side)
    ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy, share of images", xlabel="confidence: the largest probability")
    ax.legend(loc="upper left")
    return figure


def sheet(evidence: Evidence) -> Figure:
    """Draw the clearest fixed and broken images, at most EACH: below each its true class, and both predictions."""
    groups = {
        "Fixed: wrong on most networks of base, right on most of new": evidence.of_kind("fixed")[:EACH],
        "Broken: right on most networks of base, wrong on most of new": evidence.of_kind("broken")[:EACH],
    }
    groups = {title: indices for title, indices in groups.items() if indices}
    rows = [-(-len(indices) // 5) for indices in groups.values()]
    figure = style.empty(height=0.35 * len(groups) + 2.35 * sum(rows), width=style.WIDE)
    parts = figure.subfigures(len(groups), 1, height_ratios=rows, squeeze=False).flat
    names = style.drawable(evidence.classes)
    for part, (title, indices) in zip(parts, groups.items(), strict=True):
        part.suptitle(title, fontsize=11)
        pictures = evidence.test_images(indices)
        axes = part.subplots(-(-len(indices) // 5), 5, squeeze=False).flat
        for ax in axes:
            ax.set_axis_off()
        for ax, index, picture in zip(part.axes, indices, pictures, strict=False):
            ax.set_axis_on()
            samples.draw_picture(ax, picture)
            before, after = (
                f"{right[index]}/{len(side)}"
                for right, side in zip(evidence.right, evidence.probabilities, strict=True)
            )
            ax.set_title(f"{index}: {before} → {after} right", fontsize=8, color=style.QUIET)
            ax.set_xlabel(_caption(evidence, index, names), fontsize=8.5)
    return figure


def _caption(evidence: Evidence, index: int, names: Sequence[str]) -> str:
    lines = [style.wrapped("", names[evidence.labels[index]], "", 11.5)]
    for side, probabilities in zip(Pair._fields, evidence.ensembles, strict=True):
        predicted = int(probabilities[index].argmax())
        share = style.percent(probabilities[index, predicted])
        lines.append(style.wrapped(f"{side}: ", names[predicted], f" {share}", 11.5))
    return "\n".join(lines)


def _interval(ax: Axes, score: Score, row: float, factor: float) -> None:
    """Draw a change as a dot on its 95 % interval; without an interval, a ring alone."""
    colour, change = COLOURS.get(score.verdict, UNDECIDED), score.change
    known = isfinite(change.error)
    if known:
        ax.plot([factor * end for end in change.interval], [row, row], color=colour, linewidth=2)
    ax.plot([factor * change.difference], [row], "o", color=colour, markersize=6, mfc=colour if known else "white")


def _rows(ax: Axes, names: Sequence[str], space: float) -> None:
    """Name the rows, the first at the top, and draw 0 in the middle of the axis."""
    ax.axvline(0, color=style.GUIDE, linewidth=0.8, zorder=0)
    reach = max(abs(end) for end in ax.get_xlim())
    ax.set(xlim=(-reach, reach), ylim=(len(names) - 1 + space, -0.5))
    ax.set_yticks(range(len(names)), names)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
