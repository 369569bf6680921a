"""Section 6: single test images, those of the tutorials and those worth a look."""

from collections.abc import Callable
from functools import partial

import numpy as np

from core.config.params import Render
from stages.render import look
from stages.render.document import Illustration, Section
from stages.render.figures import pictures
from stages.render.look import Figure
from stages.render.results import Results
from stages.render.wording import count, decimal, of_replicate

GRID_EXAMPLES = 15
ALONE = ", predicted alone, as a batch of one"


def section(results: Results, render: Render) -> Section:
    return Section(
        "Examples",
        [
            "Below each image the predicted class, its probability and, in brackets, the true class: blue when right, "
            "red when wrong. The bars are the probabilities of all classes: the true one blue, a wrong prediction red.",
            *_chosen(results, render),
            *_extremes(results, render.mistakes),
            *_disagreements(results, render.mistakes),
        ],
    )


def most_confident_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of at most `most` wrongly classified rows, the most confident first, ties in their order."""
    confidence, right = _confidence(probabilities, labels)
    return _first(~right, -confidence, most)


def least_certain_right(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of at most `most` rightly classified rows, the least confident first, ties in their order."""
    confidence, right = _confidence(probabilities, labels)
    return _first(right, confidence, most)


def votes(probabilities: np.ndarray) -> np.ndarray:
    """Return how many replicates name each class, int64 (n, classes), of float (replicates, n, classes)."""
    classes = np.arange(probabilities.shape[2])
    return (probabilities.argmax(axis=2)[..., None] == classes).sum(axis=0)


def disputed(probabilities: np.ndarray) -> np.ndarray:
    """Return the indices of the images on which replicates disagree, those first on which the fewest agree.

    Where as many agree, the lower mean probability of the class named most often comes first, then the lower index.
    """
    of_class = votes(probabilities)
    agreeing = of_class.max(axis=1)
    favourite = of_class.argmax(axis=1)
    probability = probabilities.mean(axis=0, dtype=np.float64)[np.arange(len(favourite)), favourite]
    order = np.lexsort((probability, agreeing))
    return order[agreeing[order] < len(probabilities)]


def agreed_mistakes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the indices of the images that all replicates take for one same wrong class, the most confident first."""
    agreed = votes(probabilities).max(axis=1) == len(probabilities)
    confidence, right = _confidence(probabilities.mean(axis=0, dtype=np.float64), labels)
    return _first(agreed & ~right, -confidence, len(labels))


def _confidence(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _first(chosen: np.ndarray, key: np.ndarray, most: int) -> np.ndarray:
    """Return the indices of at most `most` chosen rows, the lowest key first, ties in their order."""
    indices = np.flatnonzero(chosen)
    return indices[np.argsort(key[indices], kind="stable")][:most]


def _chosen(results: Results, render: Render) -> list[Illustration]:
    """The tutorials' figures: single images, the first ones, and one predicted alone."""
    (images, labels), probabilities, network = results.test, results.probabilities[0], of_replicate(results)
    first = min(GRID_EXAMPLES, len(labels))
    right = (probabilities[:first].argmax(axis=1) == labels[:first]).sum()
    names = look.drawable(results.classes)
    examples = [
        _example(results, index, probabilities[index], pictures.example, f"example_{index}.png")
        for index in dict.fromkeys(render.examples)
    ]
    grid = Illustration(
        "examples_grid.png",
        f"The first {first} test images with their probabilities, {right} of them classified correctly",
        f"The first {first} test images; the names below each column of bars hold for all of that column.{network}",
        partial(pictures.examples_grid, images[:first], probabilities[:first], labels[:first], names),
    )
    index, alone = results.single
    single = _example(results, index, alone[0], pictures.single_image, "single_image.png", ALONE)
    return [*examples, grid, single]


def _example(
    results: Results, index: int, probabilities: np.ndarray, draw: Callable[..., Figure], file: str, how: str = ""
) -> Illustration:
    image, label = results.test.images[index], results.test.labels[index]
    return Illustration(
        file,
        f"Probabilities of test image {_described(results, index, probabilities)}{how}",
        f"Test image {index}{how}.{of_replicate(results)}",
        partial(draw, image, probabilities, label, look.drawable(results.classes)),
    )


def _extremes(results: Results, most: int) -> list[str | Illustration]:
    """The mistakes that a network was surest of, and the right answers that it was least sure of."""
    labels, probabilities, network = results.test.labels, results.probabilities[0], of_replicate(results)
    mistakes = most_confident_mistakes(probabilities, labels, most)
    uncertain = least_certain_right(probabilities, labels, most)
    return [
        _gallery(results, "mistakes.png", mistakes, probabilities, f"wrongly, the surest first.{network}")
        if len(mistakes)
        else f"No test image is classified wrongly.{network}",
        _gallery(results, "uncertain.png", uncertain, probabilities, f"rightly, the least certain first.{network}")
        if len(uncertain)
        else f"No test image is classified correctly.{network}",
    ]


def _disagreements(results: Results, most: int) -> list[str | Illustration]:
    """The images that replicates see differently, and those that all of them see differently from the label."""
    (images, labels), probabilities = results.test, results.probabilities
    replicates = len(probabilities)
    if replicates == 1:
        return ["One network was trained, so there is none for it to disagree with: train.replicates asks for more."]
    open_, agreed = disputed(probabilities), agreed_mistakes(probabilities, labels)
    text = (
        f"On {count(len(open_))} of {count(len(labels))} test images the {replicates} networks disagree, so that a "
        f"seed decides. On {count(len(agreed))} others they agree with one another but not with the label: where they "
        "are sure, the label itself may be wrong, or the image can't be told by anybody."
    )
    blocks: list[str | Illustration] = [text]
    if len(shown := open_[:most]):
        drawn = partial(
            pictures.voted,
            images[shown],
            votes(probabilities)[shown],
            labels[shown],
            look.drawable(results.classes),
            shown,
        )
        caption = "Below each image how many networks name which class and, in brackets, the true class."
        alternative = f"Test images {_numbers(shown)}, with the votes of {replicates} networks"
        blocks.append(Illustration("disputed.png", alternative, f"Most disputed first. {caption}", drawn))
    if len(shown := agreed[:most]):
        mean = probabilities.mean(axis=0, dtype=np.float64)
        blocks.append(
            _gallery(
                results,
                "agreed_mistakes.png",
                shown,
                mean,
                f"wrongly in all {replicates} networks alike, "
                "the surest first. The probability is the mean over the networks.",
            )
        )
    return blocks


def _gallery(results: Results, file: str, shown: np.ndarray, probabilities: np.ndarray, what: str) -> Illustration:
    (images, labels), names = results.test, look.drawable(results.classes)
    described = "; ".join(_described(results, index, probabilities[index]) for index in shown)
    return Illustration(
        file,
        f"Test images {described}",
        f"{len(shown)} test image{'s' * (len(shown) > 1)} classified {what}",
        partial(pictures.predicted, images[shown], probabilities[shown], labels[shown], names, shown),
    )


def _described(results: Results, index: int, probabilities: np.ndarray) -> str:
    label, predicted = results.classes[results.test.labels[index]], results.classes[probabilities.argmax()]
    return f"{index}, {label}, predicted {predicted} with {decimal(probabilities.max())}"


def _numbers(indices: np.ndarray) -> str:
    return ", ".join(map(str, indices))
