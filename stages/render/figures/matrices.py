"""Figures of a confusion matrix, integer or float (classes, classes): rows are true, columns predicted classes."""

from collections.abc import Sequence

import numpy as np

from stages.render import style
from stages.render.style import Figure

# With more classes, the cells are too small for their values.
VALUED_CLASSES = 20


def counts(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the number of images in each cell."""
    return _matrix(matrix, "{:d}", "test images", classes)


def shares(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the share of each cell in its row."""
    return _matrix(matrix, "{:.2f}", "share of the images of the true class", classes)


def _matrix(values: np.ndarray, form: str, unit: str, classes: Sequence[str]) -> Figure:
    """Draw a matrix, each cell with its value if there is room for it; cells that are 0 stay empty.

    Mistakes have their own colours and scale: on the scale of the diagonal they would be nearly invisible.
    """
    figure = style.empty(height=5.8, layout="compressed")
    ax = figure.subplots()
    right = np.eye(len(values), dtype=bool)
    for shown, colours, kind in ((~right, style.WRONG_SCALE, "wrong"), (right, style.RIGHT_SCALE, "right")):
        cells = np.ma.masked_where(~shown | (values == 0), values)
        mesh = ax.imshow(cells, cmap=colours, vmin=0, vmax=values[shown].max(initial=0) or 1)
        figure.colorbar(mesh, ax=ax, label=f"{kind}: {unit}")
        if len(classes) <= VALUED_CLASSES:
            for row, column in zip(*np.nonzero(~np.ma.getmaskarray(cells)), strict=True):
                value = values[row, column]
                ink = style.ink(mesh.to_rgba(value)[:3])
                ax.text(column, row, form.format(value), ha="center", va="center", color=ink, fontsize=9)
    style.name_ticks(ax.xaxis, classes, rotation=45)
    style.name_ticks(ax.yaxis, classes)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure
