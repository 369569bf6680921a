"""How figures of images look; test_numbers checks their images, texts and values."""

import re
from functools import partial

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.datasets import load_digits, load_sample_image

from core.images import pixels
from stages.download import garments
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
    headings = [f"{59_900 + index}: 4/5 agree" for index in range(count)]
    return {
        "training_image": partial(samples.training_image, images(1)[0]),
        "training_image_in_colour": partial(samples.training_image, images(12).reshape(8, 6, 3)),
        "labelled": partial(samples.labelled, images(count), labels, classes),
        "means": partial(samples.means, images(len(classes)), classes),
        "example": partial(samples.example, images(1)[0], probabilities[0], labels[0], classes),
        "examples_grid": partial(samples.examples_grid, images(count), probabilities, labels, classes),
        "predicted": partial(samples.predicted, images(count), probabilities, labels, classes, headings),
        "surest": partial(
            samples.predicted,
            *(each[:6] for each in (images(count), probabilities, labels)),
            classes,
            headings[:6],
            columns=3,
            side=0.7,
        ),
    }


@pytest.mark.parametrize("name", ["$5 to $9", "a_b^c"])
@pytest.mark.fault("names that are formulas, of mathematics")
def test_a_class_name_is_not_a_formula(name):
    with style.styled():
        figure = samples.training_image(images(1)[0])
        style.entitle(figure, name, name)

    assert [(text.get_text(), text.get_parse_math()) for text in figure.texts] == [(name, False)] * 2


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
        style.entitle(figure, f"{'W' * 64} is taken for {'l' * 64}", "5 networks, one line each; bars: ensemble")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = figure.get_tightbbox(bbox_extra_artists=[*figure.axes, *figure.texts])
        boxes = [text.get_window_extent() for text in figure.texts]
        boxes += [text.get_window_extent(canvas.get_renderer()) for ax in figure.axes for text in level_texts(ax)]
        boxes += [image.get_window_extent() for ax in figure.axes for image in ax.images]

    assert len(boxes) > 1
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= figure.get_figwidth() + 1e-6 and drawn.y1 <= figure.get_figheight() + 1e-6
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])


@pytest.mark.parametrize("name", ["labelled", "means", "example", "examples_grid", "predicted"])
@pytest.mark.fault("names of classes that differ at their ends only")
def test_names_that_differ_at_their_ends_only_can_be_told_apart(name):
    names = ["Chien de berger allemand", "Chien de berger belge", "Chien de berger blanc"]
    with style.styled():
        figure = everything(names)[name]()

    shown = " ".join(text.get_text() for ax in figure.axes for text in level_texts(ax))
    assert "…" not in shown and re.search(r"Chien de\s+berger\s+(allemand|belge|blanc)", shown)


def photographs() -> np.ndarray:
    """Return parts of a photograph in grey, uint8 (260, 32, 32)."""
    whole = pixels.with_channels(load_sample_image("china.jpg")[None], 1)[0, :416, :640]
    return whole.reshape(13, 32, 20, 32).swapaxes(1, 2).reshape(-1, 32, 32)


def with_dark_corners(images: np.ndarray) -> np.ndarray:
    """Darken images, (n, side, side), towards their corners, as lenses do."""
    place = np.linspace(-1, 1, images.shape[1])
    return (images * np.clip(1 - np.hypot.outer(place, place) ** 4 / 4, 0, 1)).astype(images.dtype)


GARMENTS, COLOURED = (garments.draw(300, seed=0, split="train", colour=colour)[0] for colour in (False, True))
DIGITS = load_digits().images / 16
SETS = {
    "garments": (GARMENTS, True),
    "digits": (DIGITS, True),
    "digits that touch a dark grey border": (0.15 + 0.85 * DIGITS, True),
    "garments in a set with photographs": (np.concatenate([photographs()[:140, 2:30, 2:30], GARMENTS]), True),
    "inverted garments": (255 - GARMENTS, False),
    "inverted digits": (1 - DIGITS, False),
    "garments on light paper": (pixels.with_channels(COLOURED, 1), False),
    "garments in colour": (COLOURED, False),
    "white on black as a set in colour": (np.pad(DIGITS, ((0, 0), (9, 9), (9, 9)))[..., None].repeat(3, axis=3), False),
    "photographs": (photographs(), False),
    "photographs with dark corners": (with_dark_corners(photographs()), False),
    "photographs in a set with garments": (np.concatenate([photographs()[:, 2:30, 2:30], GARMENTS[:180]]), False),
}


@pytest.mark.parametrize(("images", "expected"), SETS.values(), ids=SETS)
def test_a_set_is_white_on_black_if_most_borders_are_plain_and_dark(images, expected):
    scale = 255 if images.dtype == np.uint8 else 1

    assert samples.white_on_black(images) is expected
    assert samples.white_on_black((images / scale).astype(np.float32)) is expected
    assert samples.white_on_black(np.repeat(images, 7, axis=0)) is expected  # more than are looked at


def drawn(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw an image on (height, width) dots; return their red, green and blue, float (height, width, 3)."""
    figure = style.Figure(figsize=size[::-1], dpi=1)
    ax = figure.add_axes((0, 0, 1, 1))
    samples.draw_picture(ax, image)
    ax.set_axis_off()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_drawn_in_its_own_tones_and_colours(channels):
    image = np.random.default_rng(0).random((5, 7, channels))

    seen = drawn(image.squeeze(), (50, 70))

    assert np.abs(seen - np.kron(image, np.ones((10, 10, 1)))).max() < 0.01


def test_a_large_picture_is_drawn_smaller_without_losing_rows():
    stripes = np.tile([[0.0], [1.0]], (112, 224))

    assert np.abs(drawn(stripes, (56, 56))[5:-5, 5:-5] - 0.5).max() < 0.05


def test_the_channels_of_a_training_image_have_their_own_values():
    image = np.random.default_rng(0).random((4, 5, 3))

    with style.styled():
        picture, *channels, _ = samples.training_image(image).axes

    assert np.allclose(picture.images[0].get_array(), image)
    for channel, (ax, title) in enumerate(zip(channels, ("red", "green", "blue"), strict=True)):
        assert ax.get_title() == title and np.allclose(ax.images[0].get_array(), 255 * image[..., channel])
        assert ax.images[0].get_clim() == (0, 255)
