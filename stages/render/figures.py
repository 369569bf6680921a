"""The report's figures: a function for each, from arrays to a matplotlib Figure, and one look for all of them.

Throughout, images are float (n, height, width) in [0, 1], probabilities float (n, classes) in [0, 1], labels integer
(n,), and `classes` the class names in order of the labels; for a single image the first axis is gone. Neither a window
system nor the user's settings of matplotlib have a say, so equal arrays give equal bytes.
"""

import io
import os
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import ceil, log

# Where this names a backend that matplotlib does not know, importing matplotlib fails; nothing here needs a backend.
os.environ.pop("MPLBACKEND", None)

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

RIGHT, WRONG, OTHER = "tab:blue", "tab:red", "lightgrey"
CURVES = {"train": "tab:blue", "validation": "tab:orange"}

LOOK = {
    "font.family": "DejaVu Sans",  # matplotlib brings it along, so it is the same everywhere
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "text.parse_math": False,  # a class may be called `$5 to $9`
}

WIDTH = 8  # inches; at 100 dpi as wide as a git host shows a picture

# More class names than this along an axis, or in a cell of a grid, would overlap: then every second or third is shown.
AXIS_NAMES, CELL_NAMES = 32, 10
# A confusion matrix of more classes has cells too small for their values.
VALUED_CLASSES = 20
# The room for a class name under a picture and along an axis, in multiples of its font size; a wider name is cut.
PICTURE_NAME, TICK_NAME = 5.5, 12


@contextmanager
def look() -> Iterator[None]:
    """Draw with the settings above on top of matplotlib's own, whatever matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        yield


def png(draw: Callable[[], Figure], dpi: int) -> bytes:
    """Return the figure that `draw` returns as PNG; no version, date or path is in it."""
    file = io.BytesIO()
    with look():
        figure = draw()
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def training_image(image: np.ndarray, name: str) -> Figure:
    """Draw one image as it came, pixel values from 0 to 255, with a colour bar."""
    figure = _figure(height=5, width=6)
    ax = figure.subplots()
    mesh = ax.imshow(image * 255, cmap="viridis", vmin=0, vmax=255)
    ax.set_title(_cut(name, TICK_NAME))
    figure.colorbar(mesh, ax=ax, label="pixel value", ticks=range(0, 256, 51))
    return figure


def training_grid(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw images in rows of five, the class name under each."""
    figure = _figure(height=1.75 * ceil(len(images) / 5))
    for ax, image, label in zip(_grid(figure, len(images), columns=5), images, labels, strict=True):
        draw_picture(ax, image)
        ax.set_xlabel(_cut(classes[label], PICTURE_NAME), fontsize=9)
    return figure


def example(image: np.ndarray, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> Figure:
    """Draw one image with its prediction under it, beside the probabilities of all classes."""
    figure = _figure(height=4)
    picture, bars = figure.subplots(1, 2, width_ratios=[2, 3])
    draw_picture(picture, image)
    draw_prediction(picture, probabilities, label, classes)
    draw_probabilities(bars, probabilities, label)
    _name_ticks(bars.xaxis, classes, rotation=90)
    return figure


def examples_grid(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw images with predictions and probabilities in rows of three; names of bars stand below each column."""
    rows = ceil(len(images) / 3)
    figure = _figure(height=1.75 * rows + 1)
    axes = list(_grid(figure, 2 * len(images), columns=6))
    for index, (picture, bars) in enumerate(zip(axes[::2], axes[1::2], strict=True)):
        draw_picture(picture, images[index])
        draw_prediction(picture, probabilities[index], labels[index], classes)
        draw_probabilities(bars, probabilities[index], labels[index])
        if index + 3 < len(images):
            bars.set_xticks([])
        else:
            _name_ticks(bars.xaxis, classes, rotation=90, size=7, most=CELL_NAMES)
    return figure


def single_image(image: np.ndarray, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> Figure:
    """Draw one image small, and the probabilities of all classes large, their names at 45 degrees."""
    figure = _figure(height=4)
    picture, bars = figure.subplots(1, 2, width_ratios=[1, 3])
    draw_picture(picture, image)
    draw_prediction(picture, probabilities, label, classes)
    draw_probabilities(bars, probabilities, label)
    _name_ticks(bars.xaxis, classes, rotation=45)
    return figure


def mistakes(
    images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], numbers: Sequence[int]
) -> Figure:
    """Draw wrongly classified images in rows of five, the number of each above it and the prediction below."""
    if not len(images):
        return _message("No test image is classified wrongly.")
    figure = _figure(height=2.25 * ceil(len(images) / 5))
    for index, ax in enumerate(_grid(figure, len(images), columns=5)):
        draw_picture(ax, images[index])
        draw_prediction(ax, probabilities[index], labels[index], classes)
        ax.set_title(f"test image {numbers[index]}", fontsize=8, color="dimgrey")
    return figure


def curves(history: np.ndarray, classes: int) -> Figure:
    """Draw loss and accuracy by epoch, a thin line for each replicate.

    `history` is a structured array with the columns of history.csv. Epoch 0, the untrained network, is drawn in the
    loss alone: its accuracy is that of guessing and would squeeze the rest. Guessing among c classes has the loss ln c.
    """
    figure = _figure(height=3.5)
    loss, accuracy = figure.subplots(1, 2)
    draw_curves(loss, history, "loss")
    draw_curves(accuracy, history[history["epoch"] > 0], "accuracy")
    loss.axhline(log(classes), color="grey", linestyle=":", label=f"guessing: ln {classes} = {log(classes):.4f}")
    for ax in (loss, accuracy):
        ax.legend(frameon=False)
    return figure


def confusion_counts(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix, integer (classes, classes), rows true and columns predicted."""
    return _matrix(counts, "{:d}", "test images", counts.max(), classes)


def confusion_shares(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix with each row divided by its sum; a class without images has shares of 0."""
    return _matrix(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), "{:.2f}", "share of the row", 1, classes)


def draw_picture(ax: Axes, image: np.ndarray) -> None:
    """Draw one image, the higher a pixel the darker."""
    ax.imshow(image, cmap="binary", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def draw_prediction(ax: Axes, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> None:
    """Write `<predicted> NN% (<true>)` below, blue when right and red when wrong."""
    predicted = probabilities.argmax()
    names = _cut(classes[predicted], PICTURE_NAME), _cut(classes[label], PICTURE_NAME)
    ax.set_xlabel(f"{names[0]} {probabilities[predicted]:.0%}\n({names[1]})", fontsize=9)
    ax.xaxis.label.set_color(RIGHT if predicted == label else WRONG)


def draw_probabilities(ax: Axes, probabilities: np.ndarray, label: int) -> None:
    """Draw a bar for each class: the predicted one red, the true one blue, which it also is when both are the same."""
    colours = [OTHER] * len(probabilities)
    colours[probabilities.argmax()] = WRONG
    colours[label] = RIGHT
    ax.bar(range(len(probabilities)), probabilities, color=colours)
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1])


def draw_curves(ax: Axes, history: np.ndarray, measure: str) -> None:
    """Draw `measure` (loss or accuracy) of train, and of validation where there is one, by epoch."""
    for split, colour in CURVES.items():
        if f"{split}_{measure}" not in history.dtype.names:
            continue
        for number, replicate in enumerate(np.unique(history["replicate"])):
            rows = history[history["replicate"] == replicate]
            label = split if number == 0 else None
            ax.plot(rows["epoch"], rows[f"{split}_{measure}"], ".-", color=colour, linewidth=0.8, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=measure)


def _figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, its size in inches, whose contents make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def _grid(figure: Figure, count: int, columns: int) -> Iterator[Axes]:
    """Yield `count` axes, row by row; what is left of the last row stays empty."""
    axes = figure.subplots(ceil(count / columns), columns, squeeze=False).flat
    for index, ax in enumerate(axes):
        if index < count:
            yield ax
        else:
            ax.set_axis_off()


def _message(text: str) -> Figure:
    figure = _figure(height=1)
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def _matrix(values: np.ndarray, form: str, unit: str, largest: float, classes: Sequence[str]) -> Figure:
    """Draw a matrix with rows true and columns predicted, each cell with its value where there is room."""
    figure = _figure(height=7)
    ax = figure.subplots()
    mesh = ax.imshow(values, cmap="Blues", vmin=0, vmax=largest)
    figure.colorbar(mesh, ax=ax, label=unit)
    if len(classes) <= VALUED_CLASSES:
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if value > largest / 2 else "black"
            ax.text(column, row, form.format(value), ha="center", va="center", color=colour, fontsize=9)
    _name_ticks(ax.xaxis, classes, rotation=45)
    _name_ticks(ax.yaxis, classes)
    ax.set(xlabel="predicted", ylabel="true")
    return figure


def _name_ticks(
    axis: Axis, classes: Sequence[str], rotation: float = 0, size: float = 9, most: int = AXIS_NAMES
) -> None:
    """Write at most `most` class names along an axis."""
    shown = range(0, len(classes), ceil(len(classes) / most))
    axis.set_ticks(shown, [_cut(classes[index], TICK_NAME) for index in shown], fontsize=size)
    if rotation:
        for text in axis.get_ticklabels():
            text.set(rotation=rotation, ha="right", va="center", rotation_mode="anchor")


@cache
def _cut(name: str, most: float) -> str:
    """Return a name no wider than `most` times its font size."""
    if _width(name) <= most:
        return name
    fitting = bisect(range(len(name)), most, key=lambda kept: _width(name[:kept] + "…"))
    return name[: fitting - 1] + "…"


def _width(text: str) -> float:
    """Return the width of a text in multiples of its font size."""
    font = FontProperties(family=LOOK["font.family"], size=1)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
