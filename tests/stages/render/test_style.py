import warnings

import matplotlib
import numpy as np
import pytest

from stages.render import style
from stages.render.figures import samples

IMAGE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def example():
    return samples.example(IMAGE, np.array([0.7, 0.3]), 0, ["Coat", "Bag"])


def test_settings_of_the_process_change_no_byte_and_stay():
    first = style.png(example, 50)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.parse_math": True}):
        assert style.png(example, 50) == first
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.004, "<1%"), (0.9949, "99%"), (0.995, "99.5%"), (0.9998, ">99.9%")],
)
def test_only_certainty_is_100_percent(share, text):
    assert style.percent(share) == style.percent(np.float32(share)) == text


@pytest.mark.fault("letters that the font lacks")
def test_a_name_with_letters_that_the_font_lacks_becomes_its_number():
    drawable = style.drawable(["Trägerkleid", "衬衫", "Рубашка", "👟", "a 靴"])

    assert drawable == ["Trägerkleid", "class 1", "Рубашка", "class 3", "class 4"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in drawable:
            style.png(lambda: samples.training_image(IMAGE), 50, name, name)


@pytest.mark.parametrize("scale", [style.RIGHT_SCALE, style.WRONG_SCALE])
def test_text_on_a_colour_has_contrast(scale):
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    colours = matplotlib.colormaps[scale](np.linspace(0, 1, 50))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminances = linear @ [0.2126, 0.7152, 0.0722]

    inks = [style.ink(colour) for colour in colours]

    contrasts = [
        (luminance + 0.05) / 0.05 if ink == "black" else 1.05 / (luminance + 0.05)
        for ink, luminance in zip(inks, luminances, strict=True)
    ]
    assert min(contrasts) >= 4.5 and {"black", "white"} == set(inks)


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        (("", "Ankle boot", " >99.9%"), ["Ankle boot >99.9%"]),
        (("", "Chien de berger allemand", " 43%"), ["Chien de berger", "allemand 43%"]),
        (("(", "Chien de berger belge", ")"), ["(Chien de berger", "belge)"]),
        (("2 ", "Chien de berger", ", 2 other"), ["2 Chien de berger,", "2 other"]),
        (("", "cheval (poulain)", " 43%"), ["cheval (poulain)", "43%"]),
        (("", "a_very_long_name_without_blanks", ""), ["a_very_long_name_", "without_blanks"]),
        (("(", "W" * 64, ")"), ["(" + "W" * 9, "W" * 8 + "…)"]),
    ],
)
@pytest.mark.fault("names of classes that differ at their ends only")
def test_a_long_name_is_wrapped_and_only_then_cut(parts, lines):
    assert style.wrapped(*parts).split("\n") == lines
    assert max(map(style._width, lines)) <= style.PICTURE_LINE
