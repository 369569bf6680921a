import io
from functools import partial
from math import log

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from stages.render import figures

CLASSES = ["Coat", "Shirt", "Bag"]
HOSTILE = ["<img src=x onerror=alert(1)>", "](javascript:x)", "|", "``", "$5 to $9", r"$\frac{$", "W" * 64, "l" * 64]

BLUE, RED, GREY = (to_rgba(colour) for colour in ("tab:blue", "tab:red", "lightgrey"))


def images(count: int) -> np.ndarray:
    return np.linspace(0, 1, count * 12, dtype=np.float32).reshape(count, 3, 4)


def history(*, validation: bool) -> np.ndarray:
    """Two replicates, two epochs, and the untrained networks."""
    names = ["replicate", "epoch", "train_loss", "train_accuracy"]
    names += ["validation_loss", "validation_accuracy"] * validation
    rows = [
        (0, 0, 1.1, 0.3, 1.2, 0.2),
        (0, 1, 0.8, 0.6, 0.9, 0.5),
        (0, 2, 0.5, 0.8, 0.7, 0.7),
        (1, 0, 1.0, 0.4, 1.1, 0.3),
        (1, 1, 0.7, 0.7, 0.8, 0.6),
        (1, 2, 0.4, 0.9, 0.6, 0.8),
    ]
    return np.array([row[: len(names)] for row in rows], [(name, float) for name in names])


def everything(classes: list[str]) -> dict[str, partial]:
    """All figures, of images that are each wrong or right with some confidence."""
    count, labels = 15, np.arange(15) % len(classes)
    probabilities = np.random.default_rng(0).dirichlet(np.full(len(classes), 0.2), count)
    counts = np.random.default_rng(1).integers(0, 1000, (len(classes), len(classes)))
    return {
        "training_image": partial(figures.training_image, images(1)[0], classes[0]),
        "training_grid": partial(figures.training_grid, images(count), labels, classes),
        "example": partial(figures.example, images(1)[0], probabilities[0], labels[0], classes),
        "examples_grid": partial(figures.examples_grid, images(count), probabilities, labels, classes),
        "single_image": partial(figures.single_image, images(1)[0], probabilities[0], labels[0], classes),
        "mistakes": partial(figures.mistakes, images(count), probabilities, labels, classes, range(count)),
        "curves": partial(figures.curves, history(validation=True), len(classes)),
        "confusion_counts": partial(figures.confusion_counts, counts, classes),
        "confusion_shares": partial(figures.confusion_shares, counts, classes),
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
    ],
)
@pytest.mark.parametrize("draw", [figures.example, figures.single_image])
def test_a_right_prediction_is_blue_and_a_wrong_one_red_beside_the_blue_truth(
    draw, probabilities, label, text, colour, bars
):
    picture, chart = draw(images(1)[0], np.float32(probabilities), label, CLASSES).axes

    assert picture.images[0].get_array().tolist() == images(1)[0].tolist()
    assert picture.get_xlabel() == text
    assert to_rgba(picture.xaxis.label.get_color()) == colour
    assert [bar.get_height() for bar in chart.patches] == pytest.approx(probabilities)
    assert colours(chart) == bars
    assert chart.get_ylim() == (0, 1)
    assert [label.get_text() for label in chart.get_xticklabels()] == CLASSES


def test_the_image_predicted_alone_has_its_class_names_at_45_degrees():
    chart = figures.single_image(images(1)[0], np.float32([0.1, 0.7, 0.2]), 1, CLASSES).axes[1]

    assert {label.get_rotation() for label in chart.get_xticklabels()} == {45}


def test_the_training_image_is_shown_with_pixel_values_from_0_to_255():
    picture, bar = figures.training_image(np.float32([[0, 1], [51 / 255, 102 / 255]]), "Coat").axes

    assert picture.images[0].get_array().ravel().tolist() == pytest.approx([0, 255, 51, 102])
    assert picture.images[0].get_clim() == bar.get_ylim() == (0, 255)
    assert picture.get_title() == "Coat"


@pytest.mark.parametrize("count", [1, 3, 25])
def test_the_training_images_stand_in_rows_of_five_over_their_classes(count):
    axes = shown(figures.training_grid(images(count), np.arange(count) % 3, CLASSES))

    assert [ax.get_xlabel() for ax in axes] == (CLASSES * 9)[:count]
    assert [ax.get_subplotspec().colspan.start for ax in axes] == [index % 5 for index in range(count)]
    assert [ax.images[0].get_array().tolist() for ax in axes] == images(count).tolist()


@pytest.mark.parametrize("count", [1, 4, 15])
def test_the_examples_stand_in_rows_of_three_with_names_below_each_column_alone(count):
    probabilities = np.float32([[0.1, 0.7, 0.2]] * count)
    axes = shown(figures.examples_grid(images(count), probabilities, np.full(count, 1), CLASSES))
    pictures, charts = axes[::2], axes[1::2]

    assert [ax.get_xlabel() for ax in pictures] == ["Shirt 70%\n(Shirt)"] * count
    assert [ax.get_subplotspec().rowspan.start for ax in pictures] == [index // 3 for index in range(count)]
    named = [bool(ax.get_xticklabels()) for ax in charts]
    assert named == [False] * max(count - 3, 0) + [True] * min(count, 3)
    assert all(colours(ax) == [GREY, BLUE, GREY] for ax in charts)


def test_mistakes_keep_their_order_and_say_which_images_they_are():
    probabilities = np.float32([[0.9, 0.1, 0], [0.2, 0.8, 0]])
    axes = shown(figures.mistakes(images(2), probabilities, np.array([1, 2]), CLASSES, [40, 7]))

    assert [ax.get_title() for ax in axes] == ["test image 40", "test image 7"]
    assert [ax.get_xlabel() for ax in axes] == ["Coat 90%\n(Shirt)", "Shirt 80%\n(Bag)"]


def test_a_network_without_mistakes_has_a_figure_that_says_so():
    figure = figures.mistakes(images(0), np.empty((0, 3)), np.empty(0, int), CLASSES, [])

    assert [text.get_text() for text in figure.texts] == ["No test image is classified wrongly."]


def test_the_curves_have_a_line_a_replicate_and_the_untrained_network_in_the_loss_alone():
    loss, accuracy = figures.curves(history(validation=True), classes=3).axes
    *lines, guessing = loss.lines

    assert [list(line.get_ydata()) for line in lines] == [
        [1.1, 0.8, 0.5],
        [1.0, 0.7, 0.4],
        [1.2, 0.9, 0.7],
        [1.1, 0.8, 0.6],
    ]
    assert {tuple(line.get_xdata()) for line in lines} == {(0, 1, 2)}
    assert list(guessing.get_ydata()) == [log(3)] * 2
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[0.6, 0.8], [0.7, 0.9], [0.5, 0.7], [0.6, 0.8]]
    assert {tuple(line.get_xdata()) for line in accuracy.lines} == {(1, 2)}
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train", "validation"]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color() == lines[3].get_color()


def test_without_validation_images_there_are_no_curves_of_them():
    loss, accuracy = figures.curves(history(validation=False), classes=3).axes

    assert len(accuracy.lines) == 2 and len(loss.lines) == 3
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train"]


def cells(ax) -> list[str]:
    """Return the texts in a matrix, row by row."""
    return [text.get_text() for text in sorted(ax.texts, key=lambda text: text.get_position()[::-1])]


def test_the_confusion_matrix_has_true_rows_and_predicted_columns():
    counts = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])

    ax = figures.confusion_counts(counts, CLASSES).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert [label.get_text() for label in ax.get_xticklabels()] == CLASSES
    assert [label.get_text() for label in ax.get_yticklabels()] == CLASSES
    assert cells(ax) == ["6", "2", "0", "1", "3", "0", "0", "0", "0"]
    assert ax.images[0].get_array().tolist() == counts.tolist()

    ax = figures.confusion_shares(counts, CLASSES).axes[0]
    assert cells(ax) == ["0.75", "0.25", "0.00", "0.25", "0.75", "0.00", "0.00", "0.00", "0.00"]
    assert ax.images[0].get_clim() == (0, 1)


def test_a_matrix_of_very_many_classes_has_colours_and_no_texts_too_small_to_read():
    ax = figures.confusion_counts(np.eye(256, dtype=int), [f"class {index}" for index in range(256)]).axes[0]

    assert not ax.texts
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["class 0", "class 8", "class 16"]


@pytest.mark.parametrize("name", ["|", "``", "$5 to $9", r"$\frac{$", "a_b^c"])
def test_a_class_name_is_shown_as_it_is(name):
    with figures.look():
        title = figures.training_image(images(1)[0], name).axes[0].title

    assert title.get_text() == name
    assert not title.get_parse_math()


def level_texts(ax) -> list:
    """Return the texts of an axes that are drawn without rotation: of others the extents say little."""
    low, high = sorted(ax.get_ylim())
    ticks = [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]
    return [text for text in (ax.title, ax.xaxis.label, *ticks, *ax.texts) if text.get_text()]


@pytest.mark.parametrize("draw", everything(HOSTILE).values(), ids=everything(HOSTILE).keys())
def test_no_text_is_clipped_by_the_figure_or_written_over_another(draw):
    with figures.look():
        figure = draw()
        canvas = figures.FigureCanvasAgg(figure)
        canvas.draw()
        drawn = figure.get_tightbbox()
        boxes = [text.get_window_extent(canvas.get_renderer()) for ax in shown(figure) for text in level_texts(ax)]

    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= figure.get_figwidth() and drawn.y1 <= figure.get_figheight()
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])


@pytest.mark.parametrize("draw", everything(CLASSES).values(), ids=everything(CLASSES).keys())
def test_a_figure_has_the_same_bytes_whatever_the_settings_of_the_user(draw):
    theirs = {
        "font.size": 30,
        "font.family": "serif",
        "axes.facecolor": "red",
        "text.parse_math": True,
        "image.cmap": "jet",
    }
    first = figures.png(draw, 50)
    with matplotlib.rc_context(theirs):
        second = figures.png(draw, 50)
        assert matplotlib.rcParams["font.size"] == 30

    assert first == second


def test_the_dots_an_inch_set_the_size_and_the_file_says_nothing_of_who_wrote_it():
    image = Image.open(io.BytesIO(figures.png(everything(CLASSES)["example"], 50)))

    assert image.size == (8 * 50, 4 * 50)
    assert set(image.info) == {"dpi"}
