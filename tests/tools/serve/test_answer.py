"""The HTML of a result, taken apart."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from core.cli.errors import DataError, Problem
from tools.predict.formats import BLANK, UNLIKE, Result
from tools.serve import answer

HOSTILE = "<img src=x onerror=alert(1)>"
CLASSES = ["Coat", HOSTILE, "Dress"]


def shown(**changes) -> ElementTree.Element:
    shares, votes = np.float32([0.1, 0.7, 0.2]), np.array([0, 2, 1])
    result = Result(f"{HOSTILE}.png", np.zeros((2, 3), np.uint8), shares, votes, 0.5, ())
    html = answer.of(result._replace(**changes), CLASSES)
    return ElementTree.fromstring(str(html).replace('alt="">', 'alt=""/>'))


def alerts(root: ElementTree.Element) -> list[str]:
    return [each.text for each in root.iterfind(".//p[@role='alert']")]


@pytest.mark.fault("a class or a file whose name is markup")
def test_classes_are_ranked_with_bars_and_votes_and_names_are_text():
    root = shown()

    bars = [[name.text, bar.get("style"), number.text] for name, bar, number in root.iterfind(".//li")]
    assert bars == [
        [HOSTILE, "--share: 70.00%", "0.7000"],
        ["Dress", "--share: 20.00%", "0.2000"],
        ["Coat", "--share: 10.00%", "0.1000"],
    ]
    assert [each.text for each in root.iterfind("p")] == [f"Votes of the networks: 2 {HOSTILE}, 1 Dress"]
    assert root.find(".//figcaption").text == f"{HOSTILE}.png, as the networks see it: 3x2 pixels"


@pytest.mark.fault("a picture of nothing that was trained")
def test_warnings_are_apart_from_what_was_done():
    root = shown(notes=("made grey", BLANK, "resized (9x9)"), distance=1.01)

    assert alerts(root) == [UNLIKE, BLANK]
    assert root.findall("p")[-1].text == "Preparation: made grey; resized (9x9)"
    assert alerts(shown(distance=1.0)) == []


def test_the_input_is_shown_pixel_for_pixel_in_colour_too():
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)

    data = shown(values=values).find(".//img").get("src").removeprefix("data:image/png;base64,")

    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == values).all()


def test_an_error_is_one_line_without_markup():
    root = ElementTree.fromstring(answer.failed(DataError(Problem(HOSTILE, "not a picture", fix="replace it"))))

    assert alerts(root) == [f"error: {HOSTILE}: not a picture; fix: replace it"]
