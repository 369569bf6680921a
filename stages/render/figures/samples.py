"""Figures of images with their classes and predictions.

Throughout, images are float (n, height, width) or (n, height, width, 3) in [0, 1], as they are to be seen: 0 is black.
A single image has no first axis. Probabilities are float (n, classes) in [0, 1], labels integer (n,), and `classes` the
class names in the order of the labels.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from core.files import arrays
from core.images import pixels
from stages.render import style
from stages.render.style import Axes, Figure, PolyCollection, Rectangle

# The training images that tell whether a data set is white on black.
ASKED = 1_000
# A border is dark if its median is at most DARK, and plain if a share of at least PLAIN differs from the median by at
# most NOISE. Both hold for 99 % of Fashion-MNIST and for 5 % of CIFAR-10 in grey.
DARK, PLAIN, NOISE = 0.25, 0.75, pixels.STANDS_OUT / 255
# Larger images are drawn smaller than they are, and so smoothed.
LARGE_SIDE = 64
# More mean images are drawn smaller, in rows of six.
LARGE_IMAGES = 25
# More class names along a small axis would overlap.
CELL_NAMES = 10


def white_on_black(images: np.ndarray) -> bool:
    """Return whether most images are grey with a plain, dark border, as digits and clothes that are white on black.

    images: all training images, float in [0, 1] or uint8; about ASKED of them are looked at.
    """
    if images.ndim == 4:
        return False
    edges = np.concatenate(
        [pixels.edges(block) for block in arrays.blocks(images[:: ceil(len(images) / ASKED)], arrays.PICKED)]
    ) / (255 if images.dtype == np.uint8 else 1)
    borders = np.median(edges, axis=1)
    plain = (np.abs(edges - borders[:, None]) <= NOISE).mean(axis=1)
    return bool(np.mean((borders <= DARK) & (plain >= PLAIN)) > 0.5)


def training_image(image: np.ndarray) -> Figure:
    """Draw one image with its pixel values, 0 to 255, and a colour bar: grey values, or those of each colour.

    The image is as training sees it: 0 is the lowest value.
    """
    scale: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": 255}
    figure = style.empty(height=4 if image.ndim == 2 else 4.4, layout="compressed")
    if image.ndim == 2:
        axes = np.array(figure.subplots())
        mesh = axes.item().imshow(image * 255, **scale)
    else:
        axes = figure.subplots(2, 2, sharex=True, sharey=True)
        parts = zip(axes.flat, ("", "red", "green", "blue"), (image, *np.moveaxis(255 * image, 2, 0)), strict=True)
        for ax, name, values in parts:
            mesh = ax.imshow(values, **scale)
            ax.set_title(name, fontsize=9)
    for ax in axes.flat:
        ax.set(xlabel="column, pixels", ylabel="row, pixels")
        ax.label_outer()
    figure.colorbar(mesh, ax=axes, label="pixel value, 0 to 255", ticks=range(0, 256, 51))
    return figure


def labelled(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw images in rows of five, each above its class name."""
    return gallery(images, [style.wrapped("", classes[label], "", _line()) for label in labels])


def means(images: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the mean image of each class above its name."""
    columns, size = (5, 8) if len(classes) <= LARGE_IMAGES else (6, 7)
    names = [style.wrapped("", name, "", _line(columns, size)) for name in classes]
    return gallery(images, names, columns=columns, size=size)


def predicted(
    images: np.ndarray,
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    headings: Sequence[str],
    *,
    columns: int = 4,
    side: float = 1,
) -> Figure:
    """Draw images in rows, each with a heading above and its prediction below. side: most inches of an image."""
    pairs = zip(probabilities, labels, strict=True)
    captions, colours = zip(*(_prediction(row, label, classes, _line(columns)) for row, label in pairs), strict=True)
    return gallery(images, captions, colours=colours, headings=headings, columns=columns, side=side)


def example(image: np.ndarray, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> Figure:
    """Draw one image with its prediction below, beside the probabilities of all classes."""
    figure = style.empty()
    picture, bars = figure.subplots(1, 2, width_ratios=[2, 3])
    draw_picture(picture, image)
    draw_prediction(picture, probabilities, label, classes)
    draw_probabilities(bars, probabilities, label)
    style.name_ticks(bars.xaxis, classes, rotation=90)
    return figure


def examples_grid(
    images: np.ndarray,
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
) -> Figure:
    """Draw images with predictions and probabilities in rows of three; class names stand below each column only."""
    rows = ceil(len(images) / 3)
    figure = style.empty(height=1.75 * rows + 1.3, width=style.WIDE)
    axes = list(style.grid(figure, 2 * len(images), columns=6, ratios=[5, 6] * 3))
    for index, (picture, bars) in enumerate(zip(axes[::2], axes[1::2], strict=True)):
        draw_picture(picture, images[index])
        draw_prediction(picture, probabilities[index], labels[index], classes, size=8)
        draw_probabilities(bars, probabilities[index], labels[index])
        name_cell(bars, classes, first=index % 3 == 0, last=index + 3 >= len(images))
    return figure


def draw_picture(ax: Axes, image: np.ndarray) -> None:
    """Draw one image."""
    _show(ax, image)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def draw_prediction(ax: Axes, probabilities: np.ndarray, label: int, classes: Sequence[str], size: float = 9) -> None:
    """Write `<predicted> NN% (<true>)` below an image, blue if correct and red if wrong."""
    text, colour = _prediction(probabilities, label, classes)
    ax.set_xlabel(text, fontsize=size, color=colour)


def draw_probabilities(ax: Axes, probabilities: np.ndarray, label: int) -> None:
    """Draw a bar for each class: the true class is blue, a wrong prediction red."""
    colours = [style.OTHER] * len(probabilities)
    colours[probabilities.argmax()] = style.WRONG
    colours[label] = style.RIGHT
    # The same pixels as those of `ax.bar`, which would add 0.2 s of processor time to a report.
    ends = [(place - 0.4, place + 0.4) for place in range(len(probabilities))]
    pairs = zip(ends, probabilities, strict=True)
    bars = [[(left, 0), (left, height), (right, height), (right, 0)] for (left, right), height in pairs]
    ax.add_collection(PolyCollection(bars, facecolors=colours, linewidths=0), autolim=False)
    margin = 0.05 * (len(ends) - 0.2)
    ax.set(xlim=(ends[0][0] - margin, ends[-1][1] + margin))
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="probability")


def name_cell(bars: Axes, classes: Sequence[str], *, first: bool, last: bool) -> None:
    """Label bars in a grid: the scale at the first of each row, the classes at the last of each column."""
    bars.tick_params(axis="y", labelsize=8, labelleft=first)
    bars.set_ylabel("probability" if first else "", fontsize=8)
    if last:
        style.name_ticks(bars.xaxis, classes, rotation=90, size=7, most=CELL_NAMES)
    else:
        bars.set_xticks([])


def _prediction(
    probabilities: np.ndarray, label: int, classes: Sequence[str], most: float = style.PICTURE_LINE
) -> tuple[str, str]:
    """Return `<predicted> NN%` above `(<true>)`, each line at most `most` wide, and the colour of this text."""
    predicted = int(probabilities.argmax())
    named = style.wrapped("", classes[predicted], f" {style.percent(probabilities[predicted])}", most)
    text = f"{named}\n{style.wrapped('(', classes[label], ')', most)}"
    return text, style.RIGHT if predicted == label else style.WRONG


def _line(columns: int = 5, size: float = 8) -> float:
    """Return the room for a line of a caption in a gallery, in multiples of its font size, in points."""
    return 0.92 * style.WIDTH / columns * 72 / size


def gallery(
    images: np.ndarray,
    captions: Sequence[str],
    *,
    colours: Sequence[str] = (),
    headings: Sequence[str] = (),
    columns: int = 5,
    side: float = 1,
    size: float = 8,
    width: float = style.WIDTH,
) -> Figure:
    """Draw images in rows, each with a caption below and, if given, a colour of the caption and a heading above.

    All images share one axes, which measures the figure in inches from its upper left corner: an axes for each image
    would take three times as long.
    """
    side = min(side, 0.88 * width / columns)
    line = 1.25 * size / 72
    above, below = 0.22 if headings else 0.1, 0.1 + line * (1 + max(text.count("\n") for text in captions))
    rows = ceil(len(images) / columns)
    height = rows * (above + side + below)
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    high, wide = (side * length / max(images.shape[1:3]) for length in images.shape[1:3])
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(index, columns)
        middle = (column + 0.5) * width / columns
        upper = row * (above + side + below) + above + (side - high) / 2
        left = middle - wide / 2
        _show(ax, image, aspect="auto", extent=(left, left + wide, upper + high, upper))
        ax.add_patch(Rectangle((left, upper), wide, high, fill=False, linewidth=0.8))
        colour = colours[index] if colours else "black"
        ax.text(middle, upper + high + 0.05, caption, fontsize=size, color=colour, ha="center", va="top")
        if headings:
            ax.text(middle, upper - 0.05, headings[index], fontsize=7, color=style.QUIET, ha="center")
    return figure


def _show(ax: Axes, image: np.ndarray, **place: Any) -> None:
    # Grey as the share of black: matplotlib rounds the tones of this scale otherwise, by 1 of 255.
    values = 1 - image if image.ndim == 2 else image
    interpolation = "nearest" if max(image.shape[:2]) <= LARGE_SIDE else "antialiased"
    ax.imshow(values, cmap="binary", vmin=0, vmax=1, interpolation=interpolation, **place)
