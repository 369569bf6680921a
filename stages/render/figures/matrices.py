"""Figures of a confusion matrix, integer or float (classes, classes), rows true and columns predicted."""

from collections.abc import Sequence

import numpy as np

from stages.render import look
from stages.render.look import Figure

# A confusion matrix of more classes has cells too small for their values.
VALUED_CLASSES = 20


def counts(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw how many images each cell has."""
    return _matrix(matrix, "{:d}", "test images", classes)


def shares(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a matrix of shares, each of its row."""
    return _matrix(matrix, "{:.2f}", "share of the images of the true class", classes)


def _matrix(values: np.ndarray, form: str, unit: str, classes: Sequence[str]) -> Figure:
    """Draw a matrix, each cell with its value where there is room, and none where it is 0.

    Mistakes have colours and a scale of their own: on that of the right ones they would hardly be seen.
    """
    figure = look.empty(height=5.8, layout="compressed")
    ax = figure.subplots()
    right = np.eye(len(values), dtype=bool)
    for shown, colours, kind in ((~right, look.WRONG_SCALE, "wrong"), (right, look.RIGHT_SCALE, "right")):
        cells = np.ma.masked_where(~shown | (values == 0), values)
        mesh = ax.imshow(cells, cmap=colours, vmin=0, vmax=values[shown].max(initial=0) or 1)
        figure.colorbar(mesh, ax=ax, label=f"{kind}: {unit}")
        if len(classes) <= VALUED_CLASSES:
            for row, column in zip(*np.nonzero(~np.ma.getmaskarray(cells)), strict=True):
                value = values[row, column]
                ink = look.ink(mesh.to_rgba(value)[:3])
                ax.text(column, row, form.format(value), ha="center", va="center", color=ink, fontsize=9)
    look.name_ticks(ax.xaxis, classes, rotation=45)
    look.name_ticks(ax.yaxis, classes)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure
