from functools import partial

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

from stages.render import look
from stages.render.figures import pictures

CLASSES = ["Coat", "Shirt", "Bag"]
HOSTILE = ["<img src=x onerror=alert(1)>", "](javascript:x)", "|", "``", "$5 to $9", r"$\frac{$", "W" * 64, "l" * 64]

BLUE, RED, GREY = (to_rgba(colour) for colour in ("tab:blue", "tab:red", "lightgrey"))


def images(count: int) -> np.ndarray:
    return np.linspace(0, 1, count * 12, dtype=np.float32).reshape(count, 3, 4)


def everything(classes: list[str]) -> dict[str, partial]:
    """All figures of images that are each wrong or right with some confidence, each the widest to write."""
    count, labels = 15, np.arange(15) % len(classes)
    predicted = np.random.default_rng(0).integers(0, len(classes), count)
    probabilities = np.where(np.eye(len(classes))[predicted] == 1, 0.9998, 0.0002 / (len(classes) - 1))
    votes = np.random.default_rng(1).multinomial(5, np.full(len(classes), 1 / len(classes)), count)
    return {
        "training_image": partial(pictures.training_image, images(1)[0], classes[0]),
        "labelled": partial(pictures.labelled, images(count), labels, classes),
        "means": partial(pictures.means, images(len(classes)), classes),
        "example": partial(pictures.example, images(1)[0], probabilities[0], labels[0], classes),
        "examples_grid": partial(pictures.examples_grid, images(count), probabilities, labels, classes),
        "single_image": partial(pictures.single_image, images(1)[0], probabilities[0], labels[0], classes),
        "predicted": partial(pictures.predicted, images(count), probabilities, labels, classes, range(count)),
        "voted": partial(pictures.voted, images(count), votes, labels, classes, range(count)),
    }


def shown(figure) -> list:
    return [ax for ax in figure.axes if ax.axison]


def colours(ax) -> list[tuple]:
    return [bar.get_facecolor() for bar in ax.patches]


@pytest.mark.parametrize(
    ("probabilities", "label", "text", "colour", "bars"),
    [
        ([0.1, 0.7, 0.2], 1, "Shirt 70%\n(Shirt)", BLUE, [GREY, BLUE, GREY]),
        ([0.1, 0.7, 0.2], 2, "Shirt 70%\n(Bag)", RED, [GREY, RED, BLUE]),
        ([0, 0.9998, 0.0002], 2, "Shirt >99.9%\n(Bag)", RED, [GREY, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("draw", [pictures.example, pictures.single_image])
def test_a_right_prediction_is_blue_and_a_wrong_one_red_beside_the_blue_truth(
    draw, probabilities, label, text, colour, bars
):
    picture, chart = draw(images(1)[0], np.float32(probabilities), label, CLASSES).axes

    assert picture.images[0].get_array().tolist() == images(1)[0].tolist()
    assert picture.images[0].to_rgba([0, 1]).tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]  # the higher a pixel the darker
    assert picture.get_xlabel() == text
    assert to_rgba(picture.xaxis.label.get_color()) == colour
    assert [bar.get_height() for bar in chart.patches] == pytest.approx(probabilities)
    assert colours(chart) == bars
    assert chart.get_ylim() == (0, 1)
    assert chart.get_ylabel() == "probability"
    assert [label.get_text() for label in chart.get_xticklabels()] == CLASSES


def test_the_image_predicted_alone_has_its_class_names_at_45_degrees():
    chart = pictures.single_image(images(1)[0], np.float32([0.1, 0.7, 0.2]), 1, CLASSES).axes[1]

    assert {label.get_rotation() for label in chart.get_xticklabels()} == {45}


def test_the_training_image_is_shown_with_pixel_values_from_0_to_255():
    picture, bar = pictures.training_image(np.float32([[0, 1], [51 / 255, 102 / 255]]), "Coat").axes

    assert picture.images[0].get_array().ravel().tolist() == pytest.approx([0, 255, 51, 102])
    assert picture.images[0].get_clim() == bar.get_ylim() == (0, 255)
    assert picture.get_title() == "Coat"
    assert bar.get_ylabel() == "pixel value, 0 to 255"
    assert (picture.get_xlabel(), picture.get_ylabel()) == ("column, pixels", "row, pixels")


@pytest.mark.parametrize("count", [1, 3, 25])
def test_the_training_images_stand_in_rows_of_five_over_their_classes(count):
    figure = pictures.labelled(images(count), np.arange(count) % 3, CLASSES)
    (ax,) = figure.axes
    boxes = [image.get_window_extent() for image in ax.images]

    assert [text.get_text() for text in ax.texts] == (CLASSES * 9)[:count]
    assert [int(5 * box.x0 / figure.bbox.width) for box in boxes] == [index % 5 for index in range(count)]
    heights = sorted({round(box.y0, 6) for box in boxes}, reverse=True)
    assert [heights.index(round(box.y0, 6)) for box in boxes] == [index // 5 for index in range(count)]
    assert [image.get_array().tolist() for image in ax.images] == images(count).tolist()


def test_images_keep_their_form_in_a_frame_over_their_caption():
    """They are 3 pixels high and 4 wide."""
    figure = pictures.predicted(images(6), np.eye(3)[[0] * 6], [0] * 6, CLASSES, range(6))
    (ax,) = figure.axes
    boxes, frames = ([drawn.get_window_extent() for drawn in of] for of in (ax.images, ax.patches))

    assert [box.width / box.height for box in boxes] == pytest.approx([4 / 3] * 6)
    assert np.ravel([frame.extents for frame in frames]) == pytest.approx(np.ravel([box.extents for box in boxes]))
    for box, caption, heading in zip(boxes, ax.texts[::2], ax.texts[1::2], strict=True):
        below, above = caption.get_window_extent(), heading.get_window_extent()
        assert below.y1 < box.y0 < box.y1 < above.y0
        assert (below.x0 + below.x1) / 2 == pytest.approx((box.x0 + box.x1) / 2, abs=1)


def test_each_mean_image_stands_over_the_name_of_its_class():
    (ax,) = pictures.means(images(3), CLASSES).axes

    assert [text.get_text() for text in ax.texts] == CLASSES
    assert [image.get_array().tolist() for image in ax.images] == images(3).tolist()


@pytest.mark.parametrize("count", [1, 4, 15])
def test_the_examples_stand_in_rows_of_three_with_names_below_each_column_alone(count):
    probabilities = np.float32([[0.1, 0.7, 0.2]] * count)
    axes = shown(pictures.examples_grid(images(count), probabilities, np.full(count, 1), CLASSES))
    photographs, charts = axes[::2], axes[1::2]

    assert [ax.get_xlabel() for ax in photographs] == ["Shirt 70%\n(Shirt)"] * count
    assert [ax.get_subplotspec().rowspan.start for ax in photographs] == [index // 3 for index in range(count)]
    named = [bool(ax.get_xticklabels()) for ax in charts]
    assert named == [False] * max(count - 3, 0) + [True] * min(count, 3)
    assert all(colours(ax) == [GREY, BLUE, GREY] for ax in charts)


def test_predictions_keep_their_order_and_say_which_images_they_are():
    probabilities = np.float32([[0.9, 0.1, 0], [0.2, 0.8, 0]])
    (ax,) = pictures.predicted(images(2), probabilities, np.array([1, 1]), CLASSES, [40, 7]).axes

    assert [text.get_text() for text in ax.texts[1::2]] == ["test image 40", "test image 7"]
    assert [text.get_text() for text in ax.texts[::2]] == ["Coat 90%\n(Shirt)", "Shirt 80%\n(Shirt)"]
    assert [to_rgba(text.get_color()) for text in ax.texts[::2]] == [RED, BLUE]


def test_votes_name_the_two_classes_with_most_of_them_and_count_the_rest():
    votes = np.array([[1, 3, 0], [2, 1, 2]])
    (ax,) = pictures.voted(images(2), votes, np.array([2, 0]), CLASSES, [5, 6]).axes

    assert [text.get_text() for text in ax.texts[1::2]] == ["test image 5", "test image 6"]
    assert [text.get_text() for text in ax.texts[::2]] == ["3 Shirt\n1 Coat\n(Bag)", "2 Coat\n2 Bag, 1 other\n(Coat)"]


@pytest.mark.parametrize("name", ["|", "``", "$5 to $9", r"$\frac{$", "a_b^c"])
@pytest.mark.fault("names that are formulas, of mathematics")
def test_a_class_name_is_shown_as_it_is(name):
    with look.look():
        title = pictures.training_image(images(1)[0], name).axes[0].title

    assert title.get_text() == name
    assert not title.get_parse_math()


def level_texts(ax) -> list:
    """Return the texts of an axes that are drawn without rotation: of others the extents say little."""
    low, high = sorted(ax.get_ylim())
    ticks = [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]
    of_axis = [ax.title, ax.xaxis.label, *ticks] if ax.axison else []
    return [text for text in (*of_axis, *ax.texts) if text.get_text()]


@pytest.mark.parametrize("draw", everything(HOSTILE).values(), ids=everything(HOSTILE).keys())
def test_no_text_is_clipped_by_the_figure_or_written_over_another(draw):
    with look.look():
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
