"""The images of each class, and images that occur more than once."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.files import arrays
from core.files.arrays import Split
from stages.render import duplicates, style
from stages.render.document import MOST_ROWS, Illustration, Section, Table, count, pixels
from stages.render.figures import samples
from stages.render.results import Results

GRID_IMAGES = 25


def section(results: Results, render: Render) -> Section:
    return Section(
        "Training data",
        [*_counts(results), *_figures(results, render), *_duplicates(results.train, results.test)],
    )


def class_means(images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the mean image of each class, float64 (classes, ...); zeros for a class without images."""
    sums, start = np.zeros((classes, *images.shape[1:])), 0
    for block in arrays.blocks(images):
        of_block = labels[start : start + len(block)]
        for label in np.unique(of_block):
            sums[label] += block[of_block == label].sum(axis=0, dtype=np.float64)
        start += len(block)
    counts = np.bincount(labels, minlength=classes).reshape(-1, *[1] * (images.ndim - 1))
    return sums / np.maximum(counts, 1)


def _counts(results: Results) -> list[str | Table]:
    classes = results.classes
    counts = {name: np.bincount(split.labels, minlength=len(classes)) for name, split in results.splits.items()}
    train, test = counts["train"], counts["test"]
    text = (
        f"The images have {pixels(results.train.images.shape[1:])}. Each class has {_range(train)} training images and "
        f"{_range(test)} test images."
    )
    if results.validation:
        number = count(len(results.validation.labels))
        text += f" The data set has {number} validation images of its own."
    shown = np.arange(len(classes))
    if len(classes) > MOST_ROWS:
        shown = np.argsort(train, kind="stable")[:MOST_ROWS]
        text += f" The table has the {MOST_ROWS} of {len(classes)} classes with the fewest training images."
    numbered = [
        f"{label} is {name}" for label, name in zip(style.drawable(classes), classes, strict=True) if label != name
    ]
    if numbered:
        text += f" The font of the figures lacks letters of some class names: {', '.join(numbered[:MOST_ROWS])}."
    if results.preparation.done:
        images, done = results.preparation.images, "; ".join(results.preparation.phrases())
        text += f" Of {count(images)} pictures, {done}."
    rows = [[classes[index], *(count(of_split[index]) for of_split in counts.values())] for index in shown]
    return [text, Table(["class", *counts], rows)]


def _range(counts: np.ndarray) -> str:
    low, high = counts.min(), counts.max()
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def _figures(results: Results, render: Render) -> list[Illustration]:
    classes, (images, labels), index = results.classes, results.train, render.training_image
    names, first = style.drawable(classes), min(GRID_IMAGES, len(labels))
    values, tones = "red, green and blue values", ""
    if images.ndim == 3:
        values = "pixel values" if results.preparation.done else "original pixel values"
        tones = f"Here and below, {'darker' if results.negative else 'lighter'} pixels have higher values."
    name, title = classes[labels[index]], f"The first {first} training images"
    return [
        Illustration(
            "training_image.png",
            f"Training image {index}, of class {name}, with a colour bar from 0 to 255",
            f"Training divides the {values} by 255.",
            partial(samples.training_image, images[index]),
            f"Training image {index}: {names[labels[index]]}",
        ),
        Illustration(
            "training_grid.png",
            f"{title} in rows of five, beginning with {', '.join(classes[label] for label in labels[:5])}",
            tones,
            partial(samples.labelled, results.for_figures(images[:first]), labels[:first], names),
            title,
        ),
        Illustration(
            "class_means.png",
            f"The mean image of each of {len(classes)} classes, beginning with {', '.join(classes[:5])}",
            "A mean image is sharp where the images of the class are alike.",
            lambda: samples.means(results.for_figures(class_means(images, labels, len(classes))), names),
            "The mean image of each class",
        ),
    ]


def _duplicates(train: Split, test: Split) -> list[str | Table]:
    of_train, of_test = duplicates.digests(train.images), duplicates.digests(test.images)
    shared = duplicates.shared(of_test, test.labels, of_train, train.labels)
    found = {
        "training images equal to an earlier training image": duplicates.within(of_train, train.labels),
        "test images equal to an earlier test image": duplicates.within(of_test, test.labels),
        "test images equal to a training image": shared,
    }
    if not any(found.values()):
        return ["No image occurs twice."]
    share = len(shared) / len(test.labels)
    text = (
        f"{count(len(shared))} of {count(len(test.labels))} test images ({share:.2%}) are also training images, so a "
        "network may have memorized their labels. If equal images have different labels, at least one label is wrong."
    )
    rows = [
        [name, *(count(number) for number in (len(copies), sum(copies.values()), len(copies) - sum(copies.values())))]
        for name, copies in found.items()
    ]
    return [text, Table(["", "images", "same label", "different label"], rows)]
