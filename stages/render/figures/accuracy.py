"""The figure of the test accuracy: of one network and of the ensemble, with the chance in both."""

from collections.abc import Sequence
from typing import NamedTuple

from stages.render import style
from stages.render.style import Figure

# Where the axis may begin. Few choices: the figures of two commits then have the same axis.
BEGINNINGS = (0.99, 0.98, 0.95, 0.9, 0.8, 0.5)


class Row(NamedTuple):
    """A row of the figure: accuracies with a label, and the ends of an interval if there is one."""

    label: str
    accuracies: Sequence[float]
    ends: Sequence[float] = ()


def accuracy(rows: Sequence[Row]) -> Figure:
    """Draw a row for each result, a dot for each accuracy, and a line for each interval.

    The axis ends at 1. It begins at the largest of BEGINNINGS that is below all that is drawn, or at 0.
    """
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
    least = min(value for row in rows for value in (*row.accuracies, *row.ends))
    ax.set(xlim=(next((beginning for beginning in BEGINNINGS if beginning < least), 0), 1))
    ax.locator_params("x", nbins=5)  # more numbers may touch
    ax.set(ylim=(len(rows) - 0.5, -0.7), xlabel="test accuracy")
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    return figure
