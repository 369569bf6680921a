"""A report of hostile names is a report of names: one corpus as classes, title, licence and params, in every format.

Each format's own tests look closer: test_document, test_report, test_browser; for CSV see also evaluate's test_tables.
"""

import csv
import json
import re
import struct

import numpy as np
import pytest

from core.config.datasets import Pictured
from core.files import atomic
from core.scores import calibration, scores, tables
from stages.render import document, report
from stages.render.look import png

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "<a href=https://evil.example>",
    "<https://evil.example>",
    "https://evil.example",
    "www.evil.example",
    "someone@evil.example",
    "@everyone",
    "#1 and GH-1",
    ":bomb:",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "| a | b |",
    "`x` **x** ~~x~~ $x$",
    "$\\frac{$",
    "=HYPERLINK(A1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\uff1d1",
    "'=1",
    "=cmd|' /C calc'!A1",
    "\u05d0\u05d1 12",
]
UNSEEN = dict.fromkeys(map(ord, "\u200b\u2068\u2069"))
BLANK = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x20\x00\x00\x01\x5e"


@pytest.fixture
def made(some, render):
    """The report of networks on classes of these names, and on one of a plain name."""
    classes = [*HOSTILE, "Coat"]
    results = some(classes=len(classes), images=200)
    entry = results.entry.model_copy(update={"title": HOSTILE[0], "licence": HOSTILE[8], "description": HOSTILE[2]})
    recalls = dict(zip(classes, results.metrics["classes"].values(), strict=True))
    settings = results.settings | {HOSTILE[11]: HOSTILE[2]}
    metrics = results.metrics | {"classes": recalls}
    return report.build(
        results._replace(classes=classes, entry=entry, metrics=metrics, settings=settings), render(mistakes=2)
    )


def test_the_names_are_ones_that_datasets_yaml_may_have():
    facts = {"title": HOSTILE[0], "description": HOSTILE[2], "licence": HOSTILE[8], "image_shape": [3, 4]}

    assert Pictured(**facts, classes=HOSTILE, source="images", folder="pictures").classes == HOSTILE


@pytest.mark.parametrize("name", ["\tx", "\rx", "x\ny", "\x1b[31m", "\u202ex", "\u2066x", "x\u200b", " x", "\ufeffx"])
def test_names_that_no_format_could_show_are_refused(name):
    """Among them the other two characters with which a spreadsheet's formula may begin."""
    facts = {"title": "t", "description": "d", "licence": "l", "image_shape": [3, 4]}

    with pytest.raises(ValueError, match="has blanks around it, or characters that cannot be shown"):
        Pictured(**facts, classes=["a", name], source="images", folder="pictures")


@pytest.mark.fault("names that are markup, scripts, links or table cells")
def test_the_page_has_no_script_no_handler_and_no_address_but_its_own(made, parse):
    page = parse(document.html(made, dict.fromkeys((figure.file for figure in made.illustrations), BLANK)))

    scripts = [(attributes.get("type"), "".join(text)) for tag, attributes, text in page.elements if tag == "script"]
    assert [kind for kind, _ in scripts] == ["application/json", "module"]
    assert scripts[1][1] == (document.FOLDER / "report.js").read_text(encoding="utf-8")
    names = [name.translate(UNSEEN) for name in json.loads(scripts[0][1])["classes"]]
    assert names == [*HOSTILE, "Coat"]
    assert {"svg", "iframe", "object", "embed", "link", "base"}.isdisjoint(tag for tag, _, _ in page.elements)
    written = [(name, value or "") for _, attributes, _ in page.elements for name, value in attributes.items()]
    assert not [name for name, _ in written if name.startswith("on") or name in ("style", "srcset", "autofocus")]
    addresses = [value for name, value in written if name in ("href", "src", "action", "formaction", "data")]
    assert addresses and all(re.match(r"#|data:image/png;base64,", address) for address in addresses)


@pytest.mark.fault("names that are markup, scripts, links or table cells")
def test_the_markdown_has_no_html_no_link_and_no_picture_but_the_figures(made, read):
    tokens = read(document.markdown(made, "figures")).tokens
    inline = [child for token in tokens for child in token.children or []]

    assert {child.type for child in inline} <= {"text", "strong_open", "strong_close", "image"}
    assert {token.type for token in tokens}.isdisjoint({"html_block", "fence", "code_block", "bullet_list_open"})
    assert [child.attrs["src"] for child in inline if child.type == "image"] == [
        f"figures/{figure.file}" for figure in made.illustrations
    ]
    shown = "\n".join(child.content for child in inline if child.type == "text")
    assert not re.search(r"https?://|www\.|@[\w-]|#\d|GH-\d|:\w+:", shown)
    assert all(name in shown.translate(UNSEEN) for name in HOSTILE)


@pytest.mark.fault("names that are formulas, of a spreadsheet")
def test_no_cell_of_a_table_begins_like_a_formula_unless_it_is_a_number(tmp_path):
    probabilities = np.eye(len(HOSTILE), dtype=np.float32)
    rows = tables.confusion(probabilities, np.arange(len(HOSTILE)), HOSTILE)
    atomic.write_csv(tmp_path / "pairs.csv", tables.CONFUSION, rows)
    bins = tables.reliability([calibration.means(calibration.sums(probabilities, np.arange(len(HOSTILE))))])
    atomic.write_csv(tmp_path / "bins.csv", tables.RELIABILITY, bins)
    tally = scores.tally([probabilities[None]], np.arange(len(HOSTILE), dtype=np.uint8), len(HOSTILE))
    of_classes = tables.classes(scores.of_classes(tally, HOSTILE), [1] * len(HOSTILE))
    atomic.write_csv(tmp_path / "classes.csv", tables.CLASSES, of_classes)

    for name in ("pairs.csv", "bins.csv", "classes.csv"):
        with open(tmp_path / name, encoding="utf-8", newline="") as file:
            cells = {cell for row in csv.reader(file) for cell in row}
        assert not [cell for cell in cells if re.match(r"[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]", cell)]
    assert len(cells) > 1


def test_figures_have_no_text_but_their_pixels(made):
    """A chunk of a PNG: length, type, data, checksum. None that holds words, a time or a profile."""
    for figure in made.illustrations[:2]:
        data, place, kinds = png(figure.draw, 50), 8, set()
        while place < len(data):
            length, kind = struct.unpack(">I4s", data[place : place + 8])
            kinds.add(kind)
            place += length + 12
        assert kinds == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
