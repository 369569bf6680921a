"""The layout of figures of images; test_numbers checks their images, texts and values."""

from functools import partial

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

from stages.render import style
from stages.render.figures import samples

CLASSES = ["Coat", "Shirt", "Bag"]
HOSTILE = ["<img src=x onerror=alert(1)>", "](javascript:x)", "|", "``", "$5 to $9", r"$\frac{$", "W" * 64, "l" * 64]
BLUE, RED = (to_rgba(colour) for colour in ("tab:blue", "tab:red"))


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


@pytest.mark.parametrize(
    ("label", "text", "colour"), [(1, "Shirt >99.9%\n(Shirt)", BLUE), (2, "Shirt >99.9%\n(Bag)", RED)]
)
def test_a_correct_prediction_is_blue_and_a_wrong_prediction_red(label, text, colour):
    picture, _ = samples.example(images(1)[0], np.float32([0, 0.9998, 0.0002]), label, CLASSES).axes

    assert picture.images[0].to_rgba([0, 1]).tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]  # higher values are darker
    assert (picture.get_xlabel(), to_rgba(picture.xaxis.label.get_color())) == (text, colour)
    (gallery,) = samples.predicted(images(1), np.float32([[0, 0.9998, 0.0002]]), [label], CLASSES, [7]).axes
    assert (gallery.texts[0].get_text(), to_rgba(gallery.texts[0].get_color())) == (text, colour)


def test_a_gallery_has_rows_of_five_images_in_their_proportions_with_text_above_and_below():
    """The images are 3 pixels high and 4 wide."""
    figure = samples.predicted(images(6), np.eye(3)[[0] * 6], [0] * 6, CLASSES, range(6))
    (ax,) = figure.axes
    boxes, frames = ([drawn.get_window_extent() for drawn in of] for of in (ax.images, ax.patches))

    assert [int(5 * box.x0 / figure.bbox.width) for box in boxes] == [0, 1, 2, 3, 4, 0]
    assert boxes[0].y0 == boxes[4].y0 > boxes[5].y1
    assert [box.width / box.height for box in boxes] == pytest.approx([4 / 3] * 6)
    assert np.ravel([frame.extents for frame in frames]) == pytest.approx(np.ravel([box.extents for box in boxes]))
    for box, caption, heading in zip(boxes, ax.texts[::2], ax.texts[1::2], strict=True):
        below, above = caption.get_window_extent(), heading.get_window_extent()
        assert below.y1 < box.y0 < box.y1 < above.y0
        assert (below.x0 + below.x1) / 2 == pytest.approx((box.x0 + box.x1) / 2, abs=1)


@pytest.mark.parametrize("count", [1, 4, 15])
def test_the_examples_have_class_names_below_each_column_only(count):
    figure = samples.examples_grid(images(count), np.float32([[0.1, 0.7, 0.2]] * count), np.full(count, 1), CLASSES)
    charts = [ax for ax in figure.axes if ax.axison][1::2]

    named = [bool(ax.get_xticklabels()) for ax in charts]
    assert named == [False] * max(count - 3, 0) + [True] * min(count, 3)


@pytest.mark.parametrize("name", ["$5 to $9", r"$\frac{$", "a_b^c"])
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
