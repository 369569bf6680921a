"""Figures of a confusion matrix, integer or float (classes, classes), rows true and columns predicted."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from stages.render import look

# A confusion matrix of more classes has cells too small for their values.
VALUED_CLASSES = 20


def counts(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw how many images each cell has."""
    return _matrix(matrix, "{:d}", "test images", matrix.max(), classes)


def shares(matrix: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a matrix of shares, each of its row."""
    return _matrix(matrix, "{:.2f}", "share of the images of the true class", 1, classes)


def _matrix(values: np.ndarray, form: str, unit: str, largest: float, classes: Sequence[str]) -> Figure:
    """Draw a matrix, each cell with its value where there is room."""
    figure = look.empty(height=7)
    ax = figure.subplots()
    mesh = ax.imshow(values, cmap="Blues", vmin=0, vmax=largest)
    figure.colorbar(mesh, ax=ax, label=unit)
    if len(classes) <= VALUED_CLASSES:
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value > largest / 2 else "black"
            ax.text(column, row, form.format(value), ha="center", va="center", color=colour, fontsize=9)
    look.name_ticks(ax.xaxis, classes, rotation=45)
    look.name_ticks(ax.yaxis, classes)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure
