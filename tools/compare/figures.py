"""Figures of a change between two sides, base and new."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from stages.render import style
from stages.render.figures import matrices
from stages.render.figures.curves import LABELS, draw_history, draw_reliability
from stages.render.figures.samples import gallery
from stages.render.style import Axes, Figure
from tools.compare.comparison import BETTER, FIXED, WORSE, Comparison, Score
from tools.compare.differences import Pair
from tools.compare.evidence import Evidence

SIDES = {"base": "grey", "new": style.SECOND}
COLOURS = {BETTER: style.RIGHT, WORSE: style.WRONG}
UNDECIDED = "black"
LINE = 12  # the width of a line below an image, in multiples of its font size
FULL = 0.1  # the change of a cell that has the full colour: the same in every comparison


def changes(compared: Comparison, networks: Mapping[str, Pair]) -> Figure:
    """Draw the changes of accuracy, in points, and of loss, in nats, with their 95 % intervals around 0.

    networks: accuracy and loss of each network, pairs of sequences. They are dots below the interval, as
    distances from the mean of base.
    """
    figure = style.empty(height=2.8 + 0.9 * bool(compared.ensemble))
    axes = figure.subplots(2, 1)
    for ax, name, of_one, factor in zip(axes, networks, (compared.accuracy, compared.loss), (100, 1), strict=True):
        rows = {"one network": of_one} | ({"ensemble": compared.ensemble[name]} if compared.ensemble else {})
        for row, score in enumerate(rows.values()):
            _interval(ax, score, row, factor)
        for of_side, place, colour in zip(networks[name], (0.22, 0.38), SIDES.values(), strict=True):
            values = factor * (np.asarray(of_side) - of_one.change.base)
            ax.plot(values, np.full(len(values), place), "o", color=colour, markersize=4, alpha=0.7)
        _rows(ax, list(rows), space=0.6)
    if compared.tolerance is not None:
        reach = 100 * compared.tolerance
        axes[0].axvspan(-reach, reach, color=style.OTHER, alpha=0.5, zorder=0)
    axes[0].set_xlabel("change of accuracy, points (better: to the right)")
    axes[1].set_xlabel("change of loss, nats (better: to the left)")
    for side, colour in SIDES.items():
        axes[0].plot([], [], "o", color=colour, markersize=4, label=f"a network of {side}")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    return figure


def recalls(scores: Sequence[tuple[str, Score]]) -> Figure:
    """Draw the change of the recall of each class, in points, with its 95 % interval."""
    figure = style.empty(height=1 + 0.27 * len(scores))
    ax = figure.subplots()
    for row, (_, score) in enumerate(scores):
        _interval(ax, score, row, 100)
    _rows(ax, [style.cut(name, style.TICK_NAME) for name, _ in scores], space=0.5)
    ax.set_xlabel("change of recall, points (better: to the right)")
    return figure


def curves(histories: Pair, classes: int) -> Figure:
    """Draw loss and accuracy by epoch of both sides on the report's axes, training solid, validation dashed."""
    figure = style.empty(height=5.5)
    for ax, measure in zip(figure.subplots(2, 1), LABELS, strict=True):
        for (side, colour), history in zip(SIDES.items(), histories, strict=True):
            look = {"color": colour, "alpha": 0.7}
            lines = {"train": look, "validation": look | {"linestyle": "--"}}
            draw_history(ax, history, measure, classes, lines, f"{side}, ")
        ax.legend(fontsize=9)
    return figure


def confusion(change: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the change of a confusion matrix, float (classes, classes), whose cells are shares of their row.

    Blue is better: more on the diagonal, fewer off it. The scale ends at FULL in every comparison.
    """
    figure = style.empty(height := 4.6, layout="compressed")
    ax = figure.subplots()
    better = np.where(np.eye(len(change), dtype=bool), change, -change)
    cells = np.ma.masked_where(np.round(100 * change, 1) == 0, better)
    mesh = ax.imshow(cells, cmap="RdBu", vmin=-FULL, vmax=FULL)
    bar = figure.colorbar(mesh, ax=ax, extend="both", ticks=[-FULL, FULL])
    bar.set_ticklabels(["worse", "better"])
    matrices.write(mesh, 100 * change, "+.1f")
    matrices.name(ax, classes, height)
    return figure


def reliability(bins: Pair) -> Figure:
    """Draw accuracy by confidence of both sides, a pair of Reliability."""
    figure = style.empty(height=4)
    ax = figure.subplots()
    draw_reliability(ax, [(each, colour, 1.5, side) for each, (side, colour) in zip(bins, SIDES.items(), strict=True)])
    ax.set_xlabel("confidence: the largest probability")
    return figure


def sheet(changed: Mapping[int, str], evidence: Evidence) -> Figure:
    """Draw images, fixed ones in blue and broken ones in red: above each how many networks of both sides are right,
    below its true class, and both predictions.
    """
    names = style.drawable(evidence.classes)
    headings, captions = [], []
    for index, kind in changed.items():
        answers = evidence.answers(index)
        right = zip(answers.values(), evidence.probabilities, strict=True)
        before, after = (f"{votes}/{len(networks)}" for (_, votes), networks in right)
        headings.append(f"{kind} {index}: {before} → {after} right")
        lines = [style.wrapped("", names[evidence.labels[index]], "", LINE)]
        for side, (probabilities, _) in answers.items():
            predicted = names[probabilities.argmax()]
            lines.append(style.wrapped(f"{side}: ", predicted, f" {style.percent(probabilities.max())}", LINE))
        captions.append("\n".join(lines))
    colours = [style.RIGHT if kind == FIXED else style.WRONG for kind in changed.values()]
    images = evidence.test_images(list(changed))
    return gallery(images, captions, colours=colours, headings=headings, side=1.35, width=style.WIDE)


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
