"""Single test images: the surest mistakes, uncertain predictions, and the images of the tutorials."""

from functools import partial
from typing import Any

import numpy as np

from core.config.params import Render
from core.scores import scores
from stages.render import style
from stages.render.document import Block, Illustration, Section, count, decimal
from stages.render.figures import samples
from stages.render.results import Results, votes

GRID_EXAMPLES = 15
SUREST = 6  # mistakes on the first screen


def surest(results: Results, render: Render) -> list[Illustration]:
    """Show the mistakes with the highest confidence, if there are mistakes."""
    wrong, _ = _by_confidence(results)
    shown = wrong[: min(SUREST, render.mistakes)]
    of = f"{len(shown)} surest of {count(len(wrong))} mistakes" if len(wrong) > 1 else "only mistake"
    small = {"columns": 3, "side": 0.7}
    return [_gallery(results, "surest_mistakes.png", shown, f"The {of}", **small)] if len(shown) else []


def section(results: Results, render: Render) -> Section:
    agreeing = "Above each image: its number and how many networks agree. " if results.replicates > 1 else ""
    return Section(
        "Examples",
        [
            f"{agreeing}Below each image: the predicted class with its probability, blue if right and red if wrong; "
            "the true class is in brackets.",
            *_disagreement(results),
            *_galleries(results, render.mistakes),
            *_chosen(results, render),
        ],
    )


def _by_confidence(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of mistakes, most confident first, and of correct answers, least confident first.

    Ties keep their order.
    """
    right, confidence = scores.right(results.together, results.test.labels), results.together.max(axis=1)
    most, least = (np.argsort(key, kind="stable") for key in (-confidence, confidence))
    return most[~right[most]], least[right[least]]


def _disagreement(results: Results) -> list[Block]:
    """Say on how many images the networks disagree with each other, or together with the label."""
    if results.replicates == 1:
        return []
    labels, of_class = results.test.labels, votes(results.probabilities)
    agreed = of_class.max(axis=1) == results.replicates
    wrong = agreed & (of_class.argmax(axis=1) != labels)
    return [
        f"On {count((~agreed).sum())} of {count(len(labels))} test images, the {results.replicates} networks disagree: "
        f"the seed decides the class. On {count(wrong.sum())} other images, they agree on a wrong class: their labels "
        "may be wrong."
    ]


def _galleries(results: Results, most: int) -> list[Block]:
    """The next mistakes after those of the first screen, and the least confident correct predictions."""
    wrong, right = _by_confidence(results)
    more, unsure = wrong[SUREST:most], right[:most]
    blocks: list[Block] = [] if len(wrong) else ["No test image is misclassified."]
    if len(more):
        blocks.append(_gallery(results, "mistakes.png", more, f"The next {len(more)} mistakes, surest first"))
    if not len(unsure):
        return [*blocks, "No test image is correctly classified."]
    return [*blocks, _gallery(results, "uncertain.png", unsure, f"The {len(unsure)} least sure correct answers")]


def _chosen(results: Results, render: Render) -> list[Illustration]:
    """The figures of the tutorials: chosen images, the first images, and an image predicted alone."""
    labels, probabilities = results.test.labels, results.together
    shown = min(GRID_EXAMPLES, len(labels))
    right = scores.right(probabilities[:shown], labels[:shown]).sum()
    examples = [
        _example(results, index, probabilities[index], f"example_{index}.png")
        for index in dict.fromkeys(render.examples)
        if index < len(labels)
    ]
    grid = Illustration(
        "examples_grid.png",
        f"The first {shown} test images with their probabilities, {right} of them classified correctly",
        "The class names below a column of bars apply to the whole column.",
        partial(
            samples.examples_grid,
            results.test_images(range(shown)),
            probabilities[:shown],
            labels[:shown],
            style.drawable(results.classes),
        ),
        f"{right} of the first {shown} test images are classified correctly",
        results.predictor,
    )
    index, alone = results.single
    return [
        *examples,
        grid,
        _example(results, index, alone, "single_image.png", ", predicted alone, as a batch of one"),
    ]


def _example(results: Results, index: int, probabilities: np.ndarray, file: str, how: str = "") -> Illustration:
    (image,), label, names = results.test_images([index]), results.test.labels[index], style.drawable(results.classes)
    name, predicted = names[label], names[probabilities.argmax()]
    seen = f": {name} is {'recognized' if predicted == name else f'taken for {predicted}'}"
    return Illustration(
        file,
        f"Probabilities of test image {_described(results, index, probabilities)}{how}",
        "",
        partial(samples.example, image, probabilities, label, names),
        f"Test image {index}{how or seen}",
        results.predictor,
    )


def _gallery(results: Results, file: str, shown: np.ndarray, title: str, **layout: Any) -> Illustration:
    labels, probabilities, names = results.test.labels, results.together[shown], style.drawable(results.classes)
    described = "; ".join(_described(results, index, results.together[index]) for index in shown)
    headings = [f"image {index}" for index in shown]
    if results.replicates > 1:
        agreeing = votes(results.probabilities[:, shown])[np.arange(len(shown)), probabilities.argmax(axis=1)]
        headings = [f"{index}: {n}/{results.replicates} agree" for index, n in zip(shown, agreeing, strict=True)]
    return Illustration(
        file,
        f"{title}: test images {described}",
        "",
        partial(samples.predicted, results.test_images(shown), probabilities, labels[shown], names, headings, **layout),
        title,
        results.predictor,
    )


def _described(results: Results, index: int, probabilities: np.ndarray) -> str:
    label, predicted = results.classes[results.test.labels[index]], results.classes[probabilities.argmax()]
    return f"{index}, {label}, predicted as {predicted} with {decimal(probabilities.max())}"
