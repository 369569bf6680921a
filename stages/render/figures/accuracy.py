"""The figure of the test accuracy: of one network and of the ensemble, with the chance in both."""

from collections.abc import Sequence
from math import floor, sqrt
from typing import NamedTuple

from core.scores.intervals import DEVIATIONS
from stages.render import style
from stages.render.style import Figure

# Widths of the axis.
WIDTHS = (0.05, 0.1, 0.2, 0.5, 1.0)


class Row(NamedTuple):
    """A row of the figure: accuracies with a label, and the ends of an interval if there is one."""

    label: str
    accuracies: Sequence[float]
    ends: Sequence[float] = ()


def accuracy(rows: Sequence[Row], images: int) -> Figure:
    """Draw a row for each result, a dot for each accuracy, and a line for each interval; `images`: tested."""
    figure = style.empty()
    ax = figure.subplots()
    for place, row in enumerate(rows):
        single = len(row.accuracies) == 1
        if row.ends:
            ax.plot(row.ends, [place, place], color=style.FIRST, linewidth=2, solid_capstyle="butt")
        colour, size = (style.FIRST if row.ends else style.SECOND, 8) if single else (style.FIRST, 4)
        ax.plot(row.accuracies, [place] * len(row.accuracies), "o", color=colour, markersize=size)
        if single:
            text = f"{row.accuracies[0]:.4f}"
            ax.annotate(text, (row.accuracies[0], place), (0, 7), textcoords="offset points", ha="center", clip_on=True)
    ax.set_yticks(range(len(rows)), [row.label for row in rows])
    ax.set(xlim=window([value for row in rows for value in (*row.accuracies, *row.ends)], images))
    ax.set(ylim=(len(rows) - 0.5, -0.7), xlabel="test accuracy")
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    return figure


def window(values: Sequence[float], images: int) -> tuple[float, float]:
    """Return the ends of an axis for shares of `images`, so that figures of two runs on these images can be compared.

    The width depends on the number of images: at least four times the widest interval that is possible. The axis is
    wider only if the values need it. It begins at a multiple of half its width.
    """
    least = 8 * DEVIATIONS / 2 / sqrt(images)
    for width in WIDTHS:
        low = min(floor(min(values) / width * 2 + 1e-9) * width / 2, 1 - width)
        if width >= least and max(values) <= low + width:
            break
    return (low, low + width) if width < 1 else (0, 1)
