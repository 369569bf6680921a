"""What the report says: from arrays and numbers to sections of plain text, tables and figures not yet drawn."""

from collections.abc import Callable, Mapping
from functools import partial
from math import log
from typing import Any, NamedTuple

import numpy as np

from stages import confusion
from stages.arrays import Split
from stages.command import DataError, InputError, Problem
from stages.datasets import Downloaded, Generated
from stages.params import Render
from stages.render import figures
from stages.render.document import Illustration, Report, Section, Table

GRID_IMAGES = 25
GRID_EXAMPLES = 15


class Results(NamedTuple):
    """What the other stages left.

    settings: values of params.yaml by their full names; probabilities: float32 (replicates, test images, classes);
    single: the index of a test image and its probabilities when predicted alone, float32 (replicates, classes);
    history: a structured array with the columns of history.csv; training, metrics: what is in the JSON files.
    """

    settings: Mapping[str, object]
    entry: Downloaded | Generated
    classes: list[str]
    train: Split
    test: Split
    probabilities: np.ndarray
    single: tuple[int, np.ndarray]
    history: np.ndarray
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]


def build(results: Results, render: Render) -> Report:
    """Return the report, its figures not yet drawn.

    Raises DataError where the probabilities are not those of the test images, and InputError where `render` asks for
    images that there are not.
    """
    _check_sizes(results)
    _check_indices(results, render)
    return Report(
        title=f"{results.entry.title}: image classification",
        verdict=_verdict(results),
        warning=_warning(results),
        sections=[
            _what_was_run(results),
            _metrics(results),
            _classes(results),
            _training(results),
            _confusion(results),
            _where_it_fails(results, render),
            _what_it_saw(results, render),
            _examples(results, render),
            Section("Licence of the data", f"{results.entry.title}: {results.entry.licence}."),
        ],
    )


def most_confident_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of at most `most` wrongly classified rows, the most confident first, ties in their order."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = probabilities[wrong, predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")][:most]


def _check_sizes(results: Results) -> None:
    expected = len(results.test.labels), len(results.classes)
    if results.probabilities.shape[1:] != expected:
        what, fix = "not of these test images and classes", "dvc repro --single-item --force evaluate"
        got = str(results.probabilities.shape)
        raise DataError(Problem("probabilities.npy", what, fix, f"(replicates, {expected[0]}, {expected[1]})", got))


def _check_indices(results: Results, render: Render) -> None:
    fix, train, test = "edit params.yaml, then dvc repro", len(results.train.labels), len(results.test.labels)
    asked = [
        ("training_image", render.training_image, train),
        *(("examples", index, test) for index in render.examples),
    ]
    problems = [
        Problem(f"params.yaml: render.{key}", "no such image", fix, f"0 to {count - 1}", str(index))
        for key, index, count in asked
        if index >= count
    ]
    if problems:
        raise InputError(*problems)


def _verdict(results: Results) -> str:
    test, replicates = results.metrics["test"], len(results.probabilities)
    network, accuracy = results.settings["train.network"], _decimal(test["accuracy"])
    if replicates == 1:
        spread = "How much it varies with the seed is unknown, since one network was trained."
        return f"{results.entry.title}, {network} network, 1 replicate: test accuracy {accuracy}. {spread}"
    spread = f"mean over the seeds, with a standard deviation of {_decimal(test['accuracy_std'])}"
    return f"{results.entry.title}, {network} network, {replicates} replicates: test accuracy {accuracy}, {spread}."


def _warning(results: Results) -> str:
    if results.entry.source != "generate":
        return ""
    return "These are synthetic pictures, drawn by a program. The numbers here say nothing about real photographs."


def _what_was_run(results: Results) -> Section:
    classes = len(results.classes)
    rows = [[name, str(value)] for name, value in results.settings.items()]
    rows += [
        ["parameters of the network", _count(results.training["parameters"])],
        ["loss before training", _decimal(results.training["untrained_loss"])],
        [f"loss of guessing, ln {classes}", _decimal(log(classes))],
    ]
    text = (
        f"{results.entry.title}: {results.entry.description}. The settings are those of params.yaml. "
        "A network that knows nothing yet should have about the loss of guessing."
    )
    return Section("What was run", text, Table(["setting", "value"], rows))


def _metrics(results: Results) -> Section:
    train, test, replicates = len(results.train.labels), len(results.test.labels), len(results.probabilities)
    scores = results.metrics
    rows = [
        ["test", _count(test), _decimal(scores["test"]["accuracy"]), _decimal(scores["test"]["loss"])],
        ["train", _count(train), _decimal(scores["train"]["accuracy"]), _decimal(scores["train"]["loss"])],
        ["gap", "", _decimal(scores["gap"]["accuracy"]), _decimal(scores["gap"]["loss"])],
    ]
    text = (
        "Accuracy is the share of images whose class is named correctly. Loss is the mean of -ln(probability of the "
        "true class), the lower the better. The gap is by how much the network does better on training images. "
        "To name every test image after the most common class has an accuracy of "
        f"{_decimal(np.bincount(results.test.labels).max() / test)}."
    )
    if replicates > 1:
        spread = [_decimal(scores["test"]["accuracy_std"]), _decimal(scores["test"]["loss_std"])]
        rows.insert(1, ["standard deviation of test", "", *spread])
        text += f" All scores are means over {replicates} networks that differ in their seed alone."
    return Section("Metrics", text, Table(["", "images", "accuracy", "loss"], rows))


def _classes(results: Results) -> Section:
    scores, counts = results.metrics["classes"], np.bincount(results.test.labels, minlength=len(results.classes))
    rows = [
        [name, _count(count), *(_decimal(scores[name][score]) for score in ("recall", "precision", "f1"))]
        for name, count in zip(results.classes, counts, strict=True)
    ]
    hardest = min(results.classes, key=lambda name: scores[name]["recall"])
    text = (
        "Recall is the share of a class's test images that are given its name, precision the share of the images given "
        f"its name that are of the class, F1 the harmonic mean of the two. Found least often: {hardest}, "
        f"recall {_decimal(scores[hardest]['recall'])}."
    )
    return Section("Classes", text, Table(["class", "test images", "recall", "precision", "F1"], rows))


def _training(results: Results) -> Section:
    history = results.history
    first, last = (history["train_loss"][history["epoch"] == epoch].mean() for epoch in (0, history["epoch"].max()))
    text = "No images were held out of training to watch its progress."
    if "validation_loss" in history.dtype.names:
        text = (
            "Where the loss of the validation images rises while that of the training images falls, a network overfits."
        )
    curves = Illustration(
        "curves.png",
        f"Loss and accuracy by epoch; the training loss goes from {_decimal(first)} to {_decimal(last)}",
        "A line for each replicate. Epoch 0 is the untrained network; the dotted line is the loss of guessing. "
        "Training scores are means over the batches of an epoch, taken while the network was still learning.",
        partial(figures.curves, history, len(results.classes)),
    )
    return Section("Training", text, illustrations=[curves])


def _confusion(results: Results) -> Section:
    classes, labels, predicted = results.classes, results.test.labels, results.probabilities[0].argmax(axis=1)
    counts = confusion.counts(predicted, labels, len(classes))
    wrong = counts - np.diag(counts.diagonal())
    true, named = np.unravel_index(wrong.argmax(), wrong.shape)
    network = _of_replicate(results)
    text = f"No test image is taken for another class.{network}"
    if wrong.any():
        text = (
            f"The most common confusion: {_count(wrong[true, named])} of {_count(counts[true].sum())} images of class "
            f"{classes[true]} are taken for {classes[named]}.{network}"
        )
    size = f"{len(classes)} by {len(classes)} confusion matrix of the test images"
    return Section(
        "Confusion",
        text,
        illustrations=[
            Illustration(
                "confusion_counts.png",
                f"{size}, {_count(counts.trace())} of {_count(counts.sum())} on the diagonal",
                f"How many images of each class (row) were given each name (column). The diagonal is right.{network}",
                partial(figures.confusion_counts, counts, classes),
            ),
            Illustration(
                "confusion_shares.png",
                f"{size}, each row as shares that add up to 1",
                f"The same as shares of each row: the diagonal is the recall of each class.{network}",
                partial(figures.confusion_shares, counts, classes),
            ),
        ],
    )


def _where_it_fails(results: Results, render: Render) -> Section:
    classes, (images, labels), probabilities = results.classes, results.test, results.probabilities[0]
    predicted = probabilities.argmax(axis=1)
    shown = most_confident_mistakes(probabilities, labels, render.mistakes)
    rows = [
        [str(index), classes[predicted[index]], classes[labels[index]], _decimal(probabilities[index].max())]
        for index in shown
    ]
    text = f"{_count((predicted != labels).sum())} of {_count(len(labels))} test images are classified wrongly."
    network = _of_replicate(results)
    if rows:
        text += f" The table and the figure show the {len(rows)} that the network was most sure of, the surest first."
    grid = Illustration(
        "mistakes.png",
        f"The {len(rows)} test images of the table, with their predictions" if rows else "No test image",
        f"Below each image the predicted class, its probability and, in brackets, the true class.{network}",
        partial(figures.mistakes, images[shown], probabilities[shown], labels[shown], classes, shown),
    )
    table = Table(["test image", "predicted", "true", "probability"], rows)
    return Section("Where it fails", text + network, table, [grid])


def _what_it_saw(results: Results, render: Render) -> Section:
    classes, (images, labels), index = results.classes, results.train, render.training_image
    counts = (np.bincount(split.labels, minlength=len(classes)) for split in (results.train, results.test))
    rows = [[name, _count(train), _count(test)] for name, train, test in zip(classes, *counts, strict=True)]
    height, width = images.shape[1:]
    first = min(GRID_IMAGES, len(labels))
    names = ", ".join(classes[label] for label in labels[:5])
    return Section(
        "What it saw",
        f"Images of {width}x{height} pixels. The networks learn from the training images alone.",
        Table(["class", "train", "test"], rows),
        [
            Illustration(
                "training_image.png",
                f"Training image {index}, of class {classes[labels[index]]}, with a colour bar from 0 to 255",
                f"Training image {index} as it came. Before training, its pixel values are divided by 255.",
                partial(figures.training_image, images[index], classes[labels[index]]),
            ),
            Illustration(
                "training_grid.png",
                f"The first {first} training images in rows of five, beginning with {names}",
                f"The first {first} training images with their classes; here and below, the higher a pixel the darker.",
                partial(figures.training_grid, images[:first], labels[:first], classes),
            ),
        ],
    )


def _examples(results: Results, render: Render) -> Section:
    (images, labels), probabilities, network = results.test, results.probabilities[0], _of_replicate(results)
    first = min(GRID_EXAMPLES, len(labels))
    right = (probabilities[:first].argmax(axis=1) == labels[:first]).sum()
    examples = [
        _example(
            results,
            index,
            probabilities[index],
            f"example_{index}.png",
            f"Test image {index}.{network}",
            figures.example,
        )
        for index in dict.fromkeys(render.examples)
    ]
    grid = Illustration(
        "examples_grid.png",
        f"The first {first} test images with their probabilities, {right} of them classified correctly",
        f"The first {first} test images; the names below each column of bars hold for all of that column.{network}",
        partial(figures.examples_grid, images[:first], probabilities[:first], labels[:first], results.classes),
    )
    index, alone = results.single
    caption = f"Test image {index}, predicted alone, as a batch of one.{network}"
    single = _example(results, index, alone[0], "single_image.png", caption, figures.single_image)
    text = (
        "Below each image the predicted class, its probability and, in brackets, the true class: blue when right, red "
        "when wrong. The bars are the probabilities of all classes: the true class blue, a wrong prediction red."
    )
    return Section("Examples", text, illustrations=[*examples, grid, single])


def _example(
    results: Results,
    index: int,
    probabilities: np.ndarray,
    file: str,
    caption: str,
    draw: Callable[..., figures.Figure],
) -> Illustration:
    classes, label = results.classes, results.test.labels[index]
    predicted = probabilities.argmax()
    alternative = (
        f"Test image {index}, of class {classes[label]}: predicted {classes[predicted]} "
        f"with a probability of {_decimal(probabilities[predicted])}"
    )
    return Illustration(
        file, alternative, caption, partial(draw, results.test.images[index], probabilities, label, classes)
    )


def _of_replicate(results: Results) -> str:
    """Return which network's predictions are shown, where there are several networks."""
    replicates = len(results.probabilities)
    return f" Replicate 0 of {replicates}." if replicates > 1 else ""


def _count(number: int) -> str:
    return f"{number:,}"


def _decimal(number: float) -> str:
    return f"{number:.4f}"
