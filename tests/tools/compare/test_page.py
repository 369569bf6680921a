"""The page of a comparison, read back by other means, against the arrays from which it was made."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.stages.render.conftest import HtmlPage
from tests.tools.compare.conftest import DIFFERENCES, HOSTILE
from tools.compare import comparison, evidence, formats, page

TITLES = ["What differs", "Scores", "Images that changed", "Classes", "Training", "Calibration"]
READING = "How to read this page"


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', html)[1])


def rights(side, labels):
    """Return how many networks are right on each image, network by network."""
    return np.array([[row.argmax() == label for row, label in zip(each, labels, strict=True)] for each in side]).sum(0)


def test_the_page_says_first_what_the_other_formats_say_and_what_differs(made):
    some = made()
    shown = HtmlPage(some.html)

    text = " ".join(" ".join(shown.texts("main")).split())
    for sentence in (*formats.verdicts(some.compared), *formats.advice(some.compared)):
        assert sentence in text
    assert text.index("train.epochs") < text.index("Images that changed")
    tables = shown.page.tables
    assert tables["What differs"][0] == [["params that differ", "base", "new"], ["train.epochs", "10", "5"]]
    assert tables["What differs"][2][1] == ["keras", "3.15.1", "3.16.0"]
    scores = {row[0]: row[4:] for row in tables["Scores"][0]}
    assert float(scores["accuracy"][0]) == pytest.approx(100 * np.mean(some.base.argmax(2) == some.labels), abs=0.006)
    together = some.new.mean(axis=0).argmax(axis=1) == some.labels
    assert float(scores["ensemble accuracy"][1]) == pytest.approx(100 * together.mean(), abs=0.006)
    assert shown.texts("h2") == [*TITLES, READING]


def test_each_changed_image_has_the_numbers_of_both_sides_and_its_pixels(made):
    some = made()
    html = some.html
    data, before, after = data_of(html), rights(some.base, some.labels), rights(some.new, some.labels)

    was, now = ({i for i in range(400) if side[:, i].mean(0).argmax() == some.labels[i]} for side in some[:2])
    fixed, broken = now - was, was - now
    assert len(fixed) > 10 and len(broken) > 10
    assert {image["index"]: image["change"] for image in data["images"]} == (
        dict.fromkeys(fixed, "fixed") | dict.fromkeys(broken, "broken")
    )
    assert data["replicates"] == {"base": 3, "new": 5}
    sprite = re.search(r'<img class="sprite" src="data:image/png;base64,([^"]+)"', html)[1]
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(sprite))))
    for place, image in enumerate(data["images"]):
        index, label = image["index"], int(some.labels[image["index"]])
        assert image["true"] == label
        for side, probabilities, right in (("base", some.base, before), ("new", some.new, after)):
            ensemble = probabilities[:, index].astype(np.float64).mean(axis=0)
            order = sorted(range(10), key=lambda c: -ensemble[c])
            assert image[side]["classes"] == order[:3] + [label] * (label not in order[:3])
            assert image[side]["probabilities"] == pytest.approx(ensemble[image[side]["classes"]], abs=1e-4)
            assert image[side]["right"] == right[index]
        top, left = (28 * part for part in divmod(place, data["columns"]))
        assert (sheet[top : top + 28, left : left + 28] == 255 - np.rint(some.images[index] * 255)).all()
    assert [image["index"] for image in data["images"]] == list(some.compared.changed)


def test_equal_inputs_give_equal_bytes_and_nothing_is_loaded(made):
    html = made().html

    assert html == made().html
    assert re.findall(r"(?:https?:)?//[a-z]", re.sub(r"data:[^\"]+", "", html)) == []
    assert HOSTILE not in html


def test_one_network_against_several_and_against_one(made):
    """One against one: network 0 of each side, of which alone the votes are counted."""
    for replicates, number in (((1, 3), {"base": 1, "new": 3}), ((1, 2), {"base": 1, "new": 1})):
        some = made(replicates)
        data = data_of(some.html)

        assert data["replicates"] == number
        for image in data["images"]:
            index = image["index"]
            for side, networks in (("base", some.base), ("new", some.new[: number["new"]])):
                assert image[side]["right"] == rights(networks[:, [index]], some.labels[[index]])[0]
        assert some.document.verdict.startswith("One network is compared" * (replicates == (1, 2)))


def test_identical_sides_have_no_pictures(made):
    some = made(identical=True)

    assert some.document.verdict.startswith("identical: the same networks\nChanged: train.epochs 10 → 5; ")
    assert some.document.illustrations == []
    shown = HtmlPage(some.html)
    assert shown.texts("h2") == ["What differs"]
    assert "on the same 400 test images" in " ".join(shown.texts("main"))


def test_sides_whose_predictions_differ_but_no_answer_say_that_no_image_changed(made):
    some = made((2, 2))
    near = some.base * np.float32(0.99) + np.float32(0.001)
    compared = comparison.of_predictions(some.base, near, some.labels, some.classes)
    read = some.base, near, some.labels, some.classes

    shown = evidence.of(compared, read, some.images, some.evidence.histories)

    text = page.page(compared, DIFFERENCES, shown)
    assert "No image is fixed or broken." in text and 'id="explorer-data"' not in text


@pytest.mark.slow
def test_the_page_of_large_pictures_in_colour_of_many_classes_stays_below_3_mb_and_says_what_it_leaves_out(made):
    images = np.random.default_rng(0).random((2_000, 96, 96, 3), np.float32)
    classes = [f"class number {index} of many" for index in range(256)]
    some = made((2, 2), classes, images, count=2_000)

    html = some.html
    listed = len(data_of(html)["images"])

    changed = len(some.compared.changed)
    assert len(html.encode()) < 3_000_000
    assert 10 < listed < changed
    assert f"{changed - listed:,} of these {changed:,} images are left out, those with the smallest change." in html
    assert f"20 of {len(some.compared.recalls)} classes" in html
