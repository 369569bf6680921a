"""Section 5: what the networks were given to see."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.files.arrays import Split
from stages.render import duplicates, look
from stages.render.document import Illustration, Section, Table
from stages.render.figures import pictures
from stages.render.results import Results
from stages.render.wording import MOST_ROWS, count

GRID_IMAGES = 25


def section(results: Results, render: Render) -> Section:
    return Section(
        "What it saw",
        [*_counts(results), *_pictures(results, render), *_duplicates(results.train, results.test)],
    )


def class_means(images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the mean image of each class, float64 (classes, height, width); of a class without images, zeros."""
    means = np.zeros((classes, *images.shape[1:]))
    for label in np.unique(labels):
        means[label] = images[labels == label].mean(axis=0, dtype=np.float64)
    return means


def _counts(results: Results) -> list[str | Table]:
    classes, (height, width) = results.classes, results.train.images.shape[1:]
    train, test = (np.bincount(split.labels, minlength=len(classes)) for split in (results.train, results.test))
    text = (
        f"Images of {width}x{height} pixels, of each class {_range(train)} to train on and {_range(test)} to test on. "
        "The networks learn from the training images alone."
    )
    shown = np.arange(len(classes))
    if len(classes) > MOST_ROWS:
        shown = np.argsort(train, kind="stable")[:MOST_ROWS]
        text += f" Of {len(classes)} classes, these are the {MOST_ROWS} with the fewest."
    numbered = [
        f"{drawn} is {name}" for drawn, name in zip(look.drawable(classes), classes, strict=True) if drawn != name
    ]
    if numbered:
        text += f" The figures' font lacks letters of some names, so there {', '.join(numbered[:MOST_ROWS])}."
    rows = [[classes[index], count(train[index]), count(test[index])] for index in shown]
    return [text, Table(["class", "train", "test"], rows)]


def _range(counts: np.ndarray) -> str:
    low, high = counts.min(), counts.max()
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def _pictures(results: Results, render: Render) -> list[Illustration]:
    classes, (images, labels), index = results.classes, results.train, render.training_image
    names, first = look.drawable(classes), min(GRID_IMAGES, len(labels))
    beginning = ", ".join(classes[label] for label in labels[:5])
    return [
        Illustration(
            "training_image.png",
            f"Training image {index}, of class {classes[labels[index]]}, with a colour bar from 0 to 255",
            f"Training image {index} as it came. Before training, its pixel values are divided by 255.",
            partial(pictures.training_image, images[index], names[labels[index]]),
        ),
        Illustration(
            "training_grid.png",
            f"The first {first} training images in rows of five, beginning with {beginning}",
            f"The first {first} training images with their classes; here and below, the higher a pixel the darker.",
            partial(pictures.labelled, images[:first], labels[:first], names),
        ),
        Illustration(
            "class_means.png",
            f"The mean image of each of {len(classes)} classes, beginning with {', '.join(classes[:5])}",
            "The mean of all training images of each class: sharp where they are alike.",
            lambda: pictures.means(class_means(images, labels, len(classes)), names),
        ),
    ]


def _duplicates(train: Split, test: Split) -> list[str | Table]:
    of_train, of_test = duplicates.digests(train.images), duplicates.digests(test.images)
    shared = duplicates.shared(of_test, test.labels, of_train, train.labels)
    found = {
        "training images that repeat an earlier one": duplicates.within(of_train, train.labels),
        "test images that repeat an earlier one": duplicates.within(of_test, test.labels),
        "test images that are training images too": shared,
    }
    if not any(len(copies.indices) for copies in found.values()):
        return ["No image is there twice, neither among the training images, nor among the test images, nor in both."]
    share = len(shared.indices) / len(test.labels)
    text = (
        f"Exact duplicates, found by hashing. Of {count(len(test.labels))} test images, {count(len(shared.indices))} "
        f"({share:.2%}) are training images too: on these a network can be right by remembering. Where the labels of "
        "equal images differ, one of them is wrong."
    )
    rows = [
        [name, *(count(int(number)) for number in (len(same), same.sum(), len(same) - same.sum()))]
        for name, (_, same) in found.items()
    ]
    return [text, Table(["", "images", "labels agree", "labels differ"], rows)]
