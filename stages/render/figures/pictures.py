"""Figures of images, with what is known of each of them around it.

Throughout, images are float (n, height, width) in [0, 1], probabilities float (n, classes) in [0, 1], labels integer
(n,), and `classes` the class names in order of the labels; for a single image the first axis is gone.
"""

from collections.abc import Sequence
from math import ceil

import numpy as np

from stages.render import look
from stages.render.look import Axes, Figure

# More classes than this have their pictures in rows of ten, and their names cut to what fits there.
LARGE_PICTURES = 25
# More class names than this along a small axis would overlap.
CELL_NAMES = 10


def training_image(image: np.ndarray, name: str) -> Figure:
    """Draw one image as it came, pixel values from 0 to 255, with a colour bar."""
    figure = look.empty(height=5, width=6)
    ax = figure.subplots()
    mesh = ax.imshow(image * 255, cmap="viridis", vmin=0, vmax=255)
    ax.set(title=look.cut(name, look.TICK_NAME), xlabel="column, pixels", ylabel="row, pixels")
    figure.colorbar(mesh, ax=ax, label="pixel value, 0 to 255", ticks=range(0, 256, 51))
    return figure


def labelled(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw images in rows of five, the class name under each."""
    figure, axes = look.gallery(len(images), columns=5, below=0.25)
    for ax, image, label in zip(axes, images, labels, strict=True):
        draw_picture(ax, image)
        ax.set_xlabel(look.cut(classes[label], look.PICTURE_NAME), fontsize=9)
    return figure


def means(images: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the mean image of each class over its name."""
    columns, size = (5, 9) if len(classes) <= LARGE_PICTURES else (10, 7)
    figure, axes = look.gallery(len(classes), columns, below=0.25)
    for ax, image, name in zip(axes, images, classes, strict=True):
        draw_picture(ax, image)
        ax.set_xlabel(look.cut(name, look.PICTURE_NAME), fontsize=size)
    return figure


def predicted(
    images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], numbers: np.ndarray
) -> Figure:
    """Draw images in rows of five, the number of each above it and the prediction below."""
    figure, axes = look.gallery(len(images), columns=5, below=0.45, above=0.25)
    for index, ax in enumerate(axes):
        draw_picture(ax, images[index])
        draw_prediction(ax, probabilities[index], labels[index], classes)
        draw_number(ax, numbers[index])
    return figure


def voted(
    images: np.ndarray, votes: np.ndarray, labels: np.ndarray, classes: Sequence[str], numbers: np.ndarray
) -> Figure:
    """Draw images in rows of five, the number of each above it, below it how many networks name which class.

    votes: integer (n, classes). The two classes named most often are written out, and the true one in brackets.
    """
    figure, axes = look.gallery(len(images), columns=5, below=0.6, above=0.25)
    for index, ax in enumerate(axes):
        draw_picture(ax, images[index])
        first, second = np.argsort(-votes[index], kind="stable")[:2]
        others = votes[index].sum() - votes[index, [first, second]].sum()
        lines = [f"{votes[index, named]} {look.cut(classes[named], look.PICTURE_NAME)}" for named in (first, second)]
        lines[1] += f", {others} other" if others else ""
        lines.append(f"({look.cut(classes[labels[index]], look.PICTURE_NAME)})")
        ax.set_xlabel("\n".join(lines), fontsize=9)
        draw_number(ax, numbers[index])
    return figure


def example(image: np.ndarray, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> Figure:
    """Draw one image with its prediction under it, beside the probabilities of all classes."""
    return _beside(image, probabilities, label, classes, ratios=[2, 3], rotation=90)


def single_image(image: np.ndarray, probabilities: np.ndarray, label: int, classes: Sequence[str]) -> Figure:
    """Draw one image small, and the probabilities of all classes large, their names at 45 degrees."""
    return _beside(image, probabilities, label, classes, ratios=[1, 3], rotation=45)


def examples_grid(images: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw images with predictions and probabilities in rows of three; names of bars stand below each column."""
    rows = ceil(len(images) / 3)
    figure = look.empty(height=1.75 * rows + 1)
    axes = list(look.grid(figure, 2 * len(images), columns=6, ratios=[5, 6] * 3))
    for index, (picture, bars) in enumerate(zip(axes[::2], axes[1::2], strict=True)):
        draw_picture(picture, images[index])
        draw_prediction(picture, probabilities[index], labels[index], classes, size=8)
        draw_probabilities(bars, probabilities[index], labels[index])
        bars.tick_params(axis="y", labelsize=8, labelleft=index % 3 == 0)
        bars.set_ylabel("probability" if index % 3 == 0 else "", fontsize=8)
        if index + 3 < len(images):
            bars.set_xticks([])
        else:
            look.name_ticks(bars.xaxis, classes, rotation=90, size=7, most=CELL_NAMES)
    return figure


def draw_picture(ax: Axes, image: np.ndarray) -> None:
    """Draw one image, the higher a pixel the darker."""
    ax.imshow(image, cmap="binary", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def draw_number(ax: Axes, number: int) -> None:
    """Write above a picture which test image it is."""
    ax.set_title(f"test image {number}", fontsize=8, color="dimgrey")


def draw_prediction(ax: Axes, probabilities: np.ndarray, label: int, classes: Sequence[str], size: float = 9) -> None:
    """Write `<predicted> NN% (<true>)` below, blue when right and red when wrong."""
    named = int(probabilities.argmax())
    names = [look.cut(classes[index], look.PICTURE_NAME) for index in (named, label)]
    ax.set_xlabel(f"{names[0]} {look.percent(probabilities[named])}\n({names[1]})", fontsize=size)
    ax.xaxis.label.set_color(look.RIGHT if named == label else look.WRONG)


def draw_probabilities(ax: Axes, probabilities: np.ndarray, label: int) -> None:
    """Draw a bar for each class: the predicted one red, the true one blue, which it also is when both are the same."""
    colours = [look.OTHER] * len(probabilities)
    colours[probabilities.argmax()] = look.WRONG
    colours[label] = look.RIGHT
    ax.bar(range(len(probabilities)), probabilities, color=colours)
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="probability")


def _beside(
    image: np.ndarray,
    probabilities: np.ndarray,
    label: int,
    classes: Sequence[str],
    *,
    ratios: Sequence[float],
    rotation: float,
) -> Figure:
    figure = look.empty(height=4)
    picture, bars = figure.subplots(1, 2, width_ratios=ratios)
    draw_picture(picture, image)
    draw_prediction(picture, probabilities, label, classes)
    draw_probabilities(bars, probabilities, label)
    look.name_ticks(bars.xaxis, classes, rotation)
    return figure
