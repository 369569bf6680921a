"""The figure of a confusion matrix, integer (classes, classes): rows are true, columns predicted classes."""

from collections.abc import Sequence

import numpy as np

from stages.render import style
from stages.render.style import Axes, AxesImage, Figure

# With more classes, the cells are too small for their values.
VALUED_CLASSES = 12
# The share of a row from which mistakes have their strongest colour. It is the same for all runs and data sets.
MOST_WRONG = 0.25


def confusion(counts: np.ndarray, classes: Sequence[str], height: float = style.HEIGHT) -> Figure:
    """Draw the number of images in each cell, coloured by its share of its row; cells that are 0 stay empty.

    Mistakes have their own colours and scale: on the scale of the diagonal they would be nearly invisible.
    """
    figure = style.empty(height)
    ax = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(counts), dtype=bool)
    for shown, colours, kind, most in (
        (~right, style.WRONG_SCALE, "wrong", MOST_WRONG),
        (right, style.RIGHT_SCALE, "right", 1),
    ):
        cells = np.ma.masked_where(~shown | (counts == 0), shares)
        mesh = ax.imshow(cells, cmap=colours, vmin=0, vmax=most, aspect="auto")
        bar = figure.colorbar(mesh, ax=ax, ticks=[0, most], pad=0.02, aspect=30)
        bar.set_ticklabels(["0", f"{'≥' * (most < 1)}{most:.0%}"], fontsize=8)
        bar.set_label(kind, fontsize=8, labelpad=-12)
        write(mesh, counts, "d")
    name(ax, classes, height)
    return figure


def write(mesh: AxesImage, values: np.ndarray, form: str) -> None:
    """Write the values of the cells that are drawn, unless there are too many classes. form: of format()."""
    cells: np.ma.MaskedArray = np.ma.asarray(mesh.get_array())
    if len(cells) <= VALUED_CLASSES:
        for row, column in zip(*np.nonzero(~np.ma.getmaskarray(cells)), strict=True):
            ink, text = style.ink(mesh.to_rgba(cells[row, column])[:3]), format(values[row, column], form)
            mesh.axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)


def name(ax: Axes, classes: Sequence[str], height: float) -> None:
    """Name the classes along both axes of a matrix in a figure of this height."""
    for axis, rotation in ((ax.xaxis, 45), (ax.yaxis, 0)):
        style.name_ticks(axis, classes, rotation, size=8, most=int(5 * height), widest=9)
    ax.set(xlabel="predicted class", ylabel="true class")
