"""Two processes draw what one draws, and an error is reported once."""

import os

import pytest

from stages.render import drawing, style
from stages.render.document import Illustration


def drawing_of(words: str):
    def draw():
        figure = style.empty()
        figure.text(0.1, 0.5, words)
        return figure

    return draw


FIGURES = [Illustration(f"{words}.png", "", "", drawing_of(words), words) for words in ("one", "two", "three")]
EXPECTED = {each.file: style.png(each.draw, 60, each.title, each.note) for each in FIGURES}


@pytest.mark.parametrize("forks", [True, False])
def test_figures_have_the_bytes_of_a_single_process(forks, monkeypatch):
    if not forks:
        monkeypatch.setattr(drawing.sys, "platform", "win32")

    assert drawing.pngs(FIGURES, 60) == EXPECTED


@pytest.mark.parametrize("place", [0, 1])
def test_an_error_in_either_process_is_raised_and_nothing_is_printed(place, capfd):
    broken = [*FIGURES[:place], FIGURES[0]._replace(draw=lambda: 1 / 0), *FIGURES[place:]]

    with pytest.raises(ZeroDivisionError):
        drawing.pngs(broken, 60)
    assert capfd.readouterr() == ("", "")


@pytest.mark.fault("a second process of render that is killed")
def test_figures_are_complete_if_the_second_process_is_killed():
    here = os.getpid()
    killed = FIGURES[1]._replace(draw=lambda: FIGURES[1].draw() if os.getpid() == here else os._exit(1))

    assert drawing.pngs([FIGURES[0], killed, FIGURES[2]], 60) == EXPECTED
