"""A drawing on many papers and in many lights: the subject is the drawing."""

import numpy as np
import pytest
from PIL import Image

from tools.predict import subject

SIDE = 400


def ring(side=SIDE, box=(100, 300), thick=30):
    """A ring with a bar in it, float (side, side): 1 is ink. The paper inside is not part of the subject."""
    rows, columns = np.indices((side, side)) + 0.5
    middle, radius = sum(box) / 2, (box[1] - box[0]) / 2
    away = np.hypot(rows - middle, columns - middle)
    bar = (abs(columns - middle) < thick / 2) & (away < radius)
    return ((away < radius) & (away > radius - thick) | bar).astype(float)


def page(ink, paper=235.0, pen=40.0, light=1.0, noise=0):
    values = (paper - (paper - pen) * ink) * light
    values = values + np.random.default_rng(0).normal(0, noise, ink.shape) if noise else values
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def squared(step=40):
    paper = np.full((SIDE, SIDE), 235.0)
    for start in (10, 11):
        paper[start::step] = paper[:, start::step] = 175
    return paper


ROWS, COLUMNS = np.indices((SIDE, SIDE)) / SIDE
PAGES = {
    "grey paper, grey ink": lambda: page(ring(), 210, 100),
    "light falling to a third": lambda: page(ring(), light=1 - 0.67 * COLUMNS),
    "corners darker by half": lambda: page(ring(), light=1 - (ROWS - 0.5) ** 2 - (COLUMNS - 0.5) ** 2),
    "dim light, noise": lambda: page(ring(), light=0.4, noise=3),
    "squared paper": lambda: page(ring(), squared()),
    "chalk on a blackboard": lambda: page(ring(), 50, 230, light=1 - 0.4 * ROWS),
    "grey on black, noise": lambda: page(ring(), 15, 110, noise=6),
    "hard shadow": lambda: page(ring(), light=np.where(COLUMNS + ROWS > 0.9, 1, 0.6)),
}
DRAWING = ring()[100:300, 100:300]


def difference(found):
    """Return the mean difference of a subject from the ring, and the difference of its size in pixels."""
    drawing = Image.fromarray(DRAWING.astype(np.float32)).resize(found.strength.shape[::-1], Image.Resampling.BOX)
    return abs(np.asarray(drawing) - found.strength).mean(), max(abs(side - 200) for side in found.size)


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.fault("paper, light, noise, or a small drawing on a large page")
def test_a_drawing_is_found_on_every_paper_and_in_every_light(kind):
    found = subject.find(PAGES[kind]())

    off, size = difference(found)
    assert off < 0.08 and size <= 8
    assert found.strength.min() == 0 and found.strength.max() == 1
    assert found.dark == (kind not in ("chalk on a blackboard", "grey on black, noise"))
    assert found.shadowed == (kind == "hard shadow")


@pytest.mark.fault("paper, light, noise, or a small drawing on a large page")
def test_a_small_drawing_is_enlarged():
    """It is a twentieth of the page: ten pixels in the first look."""
    large = np.zeros((1200, 1600))
    large[700:760, 300:360] = ring(60, (0, 60), 10)

    found = subject.find(page(large, noise=3, light=np.linspace(1, 0.7, 1600)))

    assert min(found.strength.shape) >= 55 and max(abs(side - 60) for side in found.size) <= 3
    assert (found.strength > 0.5).mean() == pytest.approx(ring(60, (0, 60), 10).mean(), abs=0.08)


@pytest.mark.parametrize("dark", [True, False])
def test_a_subject_may_reach_the_border(dark):
    """It covers two thirds of the upper side and half of the right side; the background is the rest of the border."""
    ink = np.zeros((280, 280))
    ink[:200, 80:260] = 1
    ink[60:200, 240:] = 1

    found = subject.find(page(ink, *((240, 30) if dark else (10, 230))))

    assert found.dark == dark and found.size == (200, 200)
    assert (found.strength > 0.9).mean() == pytest.approx(ink[:200, 80:].mean(), abs=0.02)


def test_the_caller_may_know_whether_the_subject_is_dark():
    """On grey, a dark square and a smaller light one."""
    values = np.full((200, 200), 128, np.uint8)
    values[40:120, 40:120] = 0
    values[140:160, 140:170] = 255

    auto, light = subject.find(values), subject.find(values, dark=False)

    assert (auto.dark, auto.size) == (True, (80, 80))
    assert (light.dark, light.size) == (False, (20, 30))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_page_has_no_subject(value):
    assert subject.find(np.full((300, 200), value, np.uint8)) is None
