"""The layout of figures of images; test_numbers checks their images, texts and values."""

from functools import partial

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from stages.render import style
from stages.render.figures import samples

HOSTILE = ["<img src=x onerror=alert(1)>", "](javascript:x)", "|", "``", "$5 to $9", r"$\frac{$", "W" * 64, "l" * 64]


def images(count: int) -> np.ndarray:
    return np.linspace(0, 1, count * 12, dtype=np.float32).reshape(count, 3, 4)


def everything(classes: list[str]) -> dict[str, partial]:
    """All figures of images, with predictions that are as wide as possible."""
    count, labels = 15, np.arange(15) % len(classes)
    predicted = np.random.default_rng(0).integers(0, len(classes), count)
    probabilities = np.where(np.eye(len(classes))[predicted] == 1, 0.9998, 0.0002 / (len(classes) - 1))
    votes = np.random.default_rng(1).multinomial(5, np.full(len(classes), 1 / len(classes)), count)
    return {
        "training_image": partial(samples.training_image, images(1)[0], classes[0]),
        "labelled": partial(samples.labelled, images(count), labels, classes),
        "means": partial(samples.means, images(len(classes)), classes),
        "example": partial(samples.example, images(1)[0], probabilities[0], labels[0], classes),
        "examples_grid": partial(samples.examples_grid, images(count), probabilities, labels, classes),
        "single_image": partial(samples.example, images(1)[0], probabilities[0], labels[0], classes, small=True),
        "predicted": partial(samples.predicted, images(count), probabilities, labels, classes, range(count)),
        "voted": partial(samples.voted, images(count), votes, labels, classes, range(count)),
    }


@pytest.mark.parametrize("name", ["$5 to $9", "a_b^c"])
@pytest.mark.fault("names that are formulas, of mathematics")
def test_a_class_name_is_not_a_formula(name):
    with style.styled():
        title = samples.training_image(images(1)[0], name).axes[0].title

    assert title.get_text() == name and not title.get_parse_math()


def level_texts(ax) -> list:
    """Return the texts of an axes without rotation: the extents of rotated texts overlap."""
    low, high = sorted(ax.get_ylim())
    ticks = [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]
    of_axis = [ax.title, ax.xaxis.label, *ticks] if ax.axison else []
    return [text for text in (*of_axis, *ax.texts) if text.get_text()]


@pytest.mark.parametrize("draw", everything(HOSTILE).values(), ids=everything(HOSTILE).keys())
def test_no_text_is_clipped_or_overlaps_another(draw):
    with style.styled():
        figure = draw()
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = figure.get_tightbbox()
        boxes = [text.get_window_extent(canvas.get_renderer()) for ax in figure.axes for text in level_texts(ax)]
        boxes += [image.get_window_extent() for ax in figure.axes for image in ax.images]

    assert len(boxes) > 1
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= figure.get_figwidth() + 1e-6 and drawn.y1 <= figure.get_figheight() + 1e-6
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])
