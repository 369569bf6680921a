"""Section 6: single test images: those of the tutorials, mistakes, uncertain predictions and disagreements."""

from functools import partial

import numpy as np

from core.config.params import Render
from core.scores import scores
from stages.render import style
from stages.render.document import Illustration, Section, count, decimal
from stages.render.figures import samples
from stages.render.results import Results

GRID_EXAMPLES = 15


def section(results: Results, render: Render) -> Section:
    return Section(
        "Examples",
        [
            "Below each image: the predicted class, its probability and, in brackets, the true class. The text is blue "
            "if the prediction is correct, and red otherwise. The bars show the probabilities of all classes: the true "
            "class in blue, a wrong prediction in red.",
            *_chosen(results, render),
            *_extremes(results, render.mistakes),
            *_disagreements(results, render.mistakes),
        ],
    )


def first(chosen: np.ndarray, key: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of at most `most` chosen images, lowest key first, ties in their order.

    chosen: bool (n,). key: float (n,).
    """
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(key[indices], kind="stable")][:most]


def votes(probabilities: np.ndarray) -> np.ndarray:
    """Return how many replicates predict each class, int64 (n, classes), from float (replicates, n, classes)."""
    classes = np.arange(probabilities.shape[2])
    return (probabilities.argmax(axis=2)[..., None] == classes).sum(axis=0)


def disputed(probabilities: np.ndarray) -> np.ndarray:
    """Return the indices of the images on which replicates disagree, those with the fewest votes for one class first.

    Ties are ordered by the mean probability of the class with the most votes, lowest first, then by index.
    """
    of_class = votes(probabilities)
    agreeing = of_class.max(axis=1)
    favourite = of_class.argmax(axis=1)
    probability = probabilities.mean(axis=0, dtype=np.float64)[np.arange(len(favourite)), favourite]
    order = np.lexsort((probability, agreeing))
    return order[agreeing[order] < len(probabilities)]


def agreed_mistakes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the indices of the images that all replicates predict as the same wrong class, most confident first."""
    agreed = votes(probabilities).max(axis=1) == len(probabilities)
    mean = probabilities.mean(axis=0, dtype=np.float64)
    return first(agreed & ~scores.right(mean, labels), -mean.max(axis=1), len(labels))


def _chosen(results: Results, render: Render) -> list[Illustration]:
    """The figures of the tutorials: chosen images, the first images, and an image predicted alone."""
    labels, probabilities = results.test.labels, results.probabilities[0]
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
        f"The first {shown} test images. The class names below a column of bars apply to the whole column."
        f"{results.shown}",
        partial(
            samples.examples_grid,
            results.test_images(range(shown)),
            probabilities[:shown],
            labels[:shown],
            style.drawable(results.classes),
        ),
    )
    index, alone = results.single
    single = _example(results, index, alone[0], "single_image.png", alone=True)
    return [*examples, grid, single]


def _example(
    results: Results, index: int, probabilities: np.ndarray, file: str, *, alone: bool = False
) -> Illustration:
    (image,), label = results.test_images([index]), results.test.labels[index]
    how = ", predicted alone, as a batch of one" if alone else ""
    return Illustration(
        file,
        f"Probabilities of test image {_described(results, index, probabilities)}{how}",
        f"Test image {index}{how}.{results.shown}",
        partial(samples.example, image, probabilities, label, style.drawable(results.classes), small=alone),
    )


def _extremes(results: Results, most: int) -> list[str | Illustration]:
    """The most confident mistakes, and the least confident correct predictions."""
    labels, probabilities, end = results.test.labels, results.probabilities[0], f".{results.shown}"
    confidence, correct = probabilities.max(axis=1), scores.right(probabilities, labels)
    mistakes, uncertain = first(~correct, -confidence, most), first(correct, confidence, most)
    wrong, right = f"misclassified, most confident first{end}", f"correctly classified, least confident first{end}"
    return [
        _gallery(results, "mistakes.png", mistakes, probabilities, wrong)
        if len(mistakes)
        else f"No test image is misclassified{end}",
        _gallery(results, "uncertain.png", uncertain, probabilities, right)
        if len(uncertain)
        else f"No test image is correctly classified{end}",
    ]


def _disagreements(results: Results, most: int) -> list[str | Illustration]:
    """The images on which replicates disagree, and those on which all replicates disagree with the label."""
    labels, probabilities = results.test.labels, results.probabilities
    replicates = len(probabilities)
    if replicates == 1:
        return ["Disagreement between networks is unknown (one network). To train more, set train.replicates."]
    open_, agreed = disputed(probabilities), agreed_mistakes(probabilities, labels)
    blocks: list[str | Illustration] = [
        f"On {count(len(open_))} of {count(len(labels))} test images, the {replicates} networks disagree: the seed "
        f"decides the class. On {count(len(agreed))} other images, the networks agree, but the label differs. If they "
        "are confident there, the label may be wrong or the image may be ambiguous."
    ]
    if len(shown := open_[:most]):
        names = style.drawable(results.classes)
        drawn = partial(
            samples.voted, results.test_images(shown), votes(probabilities)[shown], labels[shown], names, shown
        )
        alternative = f"Test images {', '.join(map(str, shown))}, with the votes of {replicates} networks"
        caption = (
            "The most disputed images first. Below each image: how many networks predict each class and, in brackets, "
            "the true class."
        )
        blocks.append(Illustration("disputed.png", alternative, caption, drawn))
    if len(shown := agreed[:most]):
        mean = probabilities.mean(axis=0, dtype=np.float64)
        caption = (
            f"predicted as the same wrong class by all {replicates} networks, most confident first. The probability "
            "is the mean over the networks."
        )
        blocks.append(_gallery(results, "agreed_mistakes.png", shown, mean, caption))
    return blocks


def _gallery(results: Results, file: str, shown: np.ndarray, probabilities: np.ndarray, caption: str) -> Illustration:
    labels, names = results.test.labels, style.drawable(results.classes)
    described = "; ".join(_described(results, index, probabilities[index]) for index in shown)
    return Illustration(
        file,
        f"Test images {described}",
        f"{len(shown)} test image{'s' * (len(shown) > 1)} {caption}",
        partial(samples.predicted, results.test_images(shown), probabilities[shown], labels[shown], names, shown),
    )


def _described(results: Results, index: int, probabilities: np.ndarray) -> str:
    label, predicted = results.classes[results.test.labels[index]], results.classes[probabilities.argmax()]
    return f"{index}, {label}, predicted as {predicted} with {decimal(probabilities.max())}"
