"""report.html by Python's own parser: what is in it, and that nothing else is asked for. See also test_browser."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.files.arrays import Split
from stages.render import document
from stages.render.document import Heading, Illustration, Report, Section, Table
from stages.render.explorer import explorer
from stages.render.results import Results

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    '" onload="alert(3)',
    "{{ 7 * 7 }} &lt;",
]
UNSEEN = dict.fromkeys(map(ord, "\u200b\u2068\u2069"))
FIGURE = Illustration("matrix.png", "what is seen", "how to read it", lambda: None)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x20\x00\x00\x01\x5e"


def results(classes: list[str] = HOSTILE) -> Results:
    random = np.random.default_rng(3)
    images = random.random((30, 3, 4), np.float32)
    test = Split(images, random.integers(0, len(classes), 30).astype(np.uint8))
    probabilities = random.dirichlet(np.ones(len(classes)), (2, 30)).astype(np.float32)
    nothing = Results._make([None] * len(Results._fields))
    return nothing._replace(classes=classes, test=test, probabilities=probabilities)


def report(*names: str) -> Report:
    names = names or tuple(HOSTILE)
    table = Table(
        ["", *names], [[name, *(f"{row}.{column}" for column in range(len(names)))] for row, name in enumerate(names)]
    )
    figures = [Illustration(f"{index}.png", name, f"caption {name}", lambda: None) for index, name in enumerate(names)]
    sections = [
        Section("How far to trust it", [names[0], table, *figures]),
        Section("Cells", [explorer(results(), FIGURE)]),
    ]
    return Report(names[0], names[0], names[0], sections)


def written(report: Report) -> str:
    return document.html(report, {figure.file: PNG + figure.file.encode() for figure in report.illustrations})


def test_every_text_and_number_of_the_document_is_in_the_page_as_it_is(parse):
    made = report()
    page = parse(written(made))

    assert page.texts("title") == page.texts("h1") == [HOSTILE[0]]
    assert page.texts("h2") == ["How far to trust it", "Cells"]
    _, table, *figures = made.sections[0].blocks
    assert [["".join(cell) for cell in row] for row in page.rows[:5]] == [table.columns, *table.rows]
    assert page.texts("figcaption") == [figure.caption for figure in figures]
    assert page.attributes("alt")[:4] == HOSTILE
    assert page.texts("p")[:3] == [HOSTILE[0]] * 3


def test_names_add_no_element_and_no_attribute(parse):
    plain = [f"name {index}" for index in range(len(HOSTILE))]
    shapes = [
        [(tag, sorted(attributes)) for tag, attributes, _ in parse(written(made)).elements]
        for made in (report(), report(*plain))
    ]

    assert shapes[0] == shapes[1]
    assert not [name for _, names in shapes[0] for name in names if name.startswith("on") or name == "style"]


def test_the_data_of_the_script_are_read_back_whatever_the_classes_are_called(parse):
    page = parse(written(report()))
    (data,) = [
        "".join(text) for tag, a, text in page.elements if tag == "script" and a.get("type") == "application/json"
    ]

    assert json.loads(data)["classes"] == HOSTILE
    assert "<" not in data


def test_nothing_is_loaded_from_elsewhere(parse):
    text = written(report())
    page = parse(text)

    assert page.declarations == ["doctype html"]
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert {"link", "iframe", "object", "embed", "base"}.isdisjoint(tag for tag, _, _ in page.elements)
    assert not re.findall(
        r"url\(|@import|\bfetch\b|import\(|innerHTML|https?:",
        (document.FOLDER / "report.css").read_text() + (document.FOLDER / "report.js").read_text(),
    )


def test_the_policy_allows_the_script_and_the_style_by_their_digests_and_pictures_in_the_page(parse):
    page = parse(written(report()))
    (policy,) = [a["content"] for tag, a, _ in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    (style,) = page.texts("style")
    assert directives == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "img-src": "data:",
        "style-src": digest(style),
        "script-src": digest(page.texts("script")[-1]),
    }


def test_figures_are_the_bytes_that_were_drawn_with_their_size(parse):
    page = parse(written(report()))
    figures = [a for tag, a, _ in page.elements if tag == "img"][:4]

    assert [base64.b64decode(a["src"].partition(",")[2]) for a in figures] == [PNG + b"%d.png" % i for i in range(4)]
    assert {(a["width"], a["height"]) for a in figures} == {("800", "350")}


def test_every_section_can_be_reached_from_the_table_of_contents(parse):
    page = parse(written(report()))

    assert page.attributes("href")[:3] == ["#report", "#how-far-to-trust-it", "#cells"]
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {"report", "how-far-to-trust-it", "cells"} <= set(ids)


def test_tables_have_headers_and_their_numbers_end_at_one_line(parse):
    table = Table(
        ["class", "images", "recall", "note"], [["Coat", "1,000", "0.8 (0.7 to 0.9)", "1"], ["Bag", "", "-0.1", "x"]]
    )
    page = parse(written(Report("t", "v", "", [Section("s", [table])])))
    cells = [(tag, a.get("scope"), a.get("class")) for tag, a, _ in page.elements if tag in ("td", "th")]

    assert table.numeric == [False, True, True, False]
    assert cells[:4] == [("th", "col", None), ("th", "col", "number"), ("th", "col", "number"), ("th", "col", None)]
    assert cells[4:8] == [("th", "row", None), ("td", None, "number"), ("td", None, "number"), ("td", None, None)]


@pytest.mark.parametrize("name", ["a\nb", "a \x00\u202eb"])
def test_a_text_is_one_line_that_can_be_printed(name, parse):
    shown = {"a\nb": "a b", "a \x00\u202eb": r"a \x00\u202eb"}[name]

    assert parse(written(Report(name, "v", "", []))).texts("h1") == [shown]


def test_a_report_without_matrix_warning_or_rows_is_a_page_too(parse):
    page = parse(written(Report("t", "v", "", [Section("s", [Table(["a"], [])])])))

    assert page.texts("table") == page.texts("form") == []
    assert page.texts("p") == ["v"]


@pytest.mark.fault("drawn twice")
def test_equal_documents_give_equal_bytes():
    assert written(report()) == written(report())


def test_markdown_has_the_figure_of_the_matrix_and_says_where_its_images_are():
    text = document.markdown(Report("t", "v", "", [Section("s", [explorer(results(), FIGURE)])]), "figures")

    assert text == (
        "# t\n\n**v**\n\n## s\n\n"
        "![what is seen](figures/matrix.png)\n\nhow to read it\n\n"
        "report.html lists the test images of each cell of this matrix, with their probabilities.\n"
    )


@pytest.mark.parametrize(("classes", "drawn"), [(HOSTILE, False), ([f"class {index}" for index in range(41)], True)])
def test_the_page_has_the_figure_of_the_matrix_where_its_own_lacks_classes(classes, drawn, parse):
    made = Report("t", "v", "", [Section("s", [explorer(results(classes), FIGURE)])])

    assert made.illustrations == [FIGURE]
    assert parse(written(made)).texts("figcaption") == ["how to read it"] * drawn


def test_a_heading_parts_a_section(parse):
    made = Report("t", "v", "", [Section("s", [Heading(HOSTILE[0]), "text"])])

    assert parse(written(made)).texts("h3") == [HOSTILE[0]]
    assert [token.tag for token in tokens(document.markdown(made, "figures")) if token.nesting == 1] == [
        *("h1", "p", "h2", "h3", "p"),
    ]


def test_links_of_the_markdown_lead_to_the_figures_whatever_the_folder_is_called():
    figure = Illustration("a b.png", "what is seen", "how to read it", lambda: None)
    text = document.markdown(Report("t", "v", "", [Section("s", [figure])]), "../my (figures)_1")
    images = [child for token in tokens(text) for child in token.children or [] if child.type == "image"]

    assert [image.attrs["src"] for image in images] == ["../my%20%28figures%29_1/a%20b.png"]


PUNCTUATION = st.text("ab 1.)-+=_*`#[](<>&!|~$^{}\\:;/\n\t")


@example(HOSTILE)
@given(st.lists((PUNCTUATION | st.text(st.characters(codec="utf-8"))).filter(str.strip), min_size=1, max_size=20))
def test_any_text_is_read_back_from_the_markdown_and_from_the_page_wherever_it_stands(parse, texts):
    """What can't be printed apart: that is shown as an escape. All stands on one line. Spaces of no width, and what
    isolates a direction, are of the report's making: those of a text are escapes.
    """
    lines = [" ".join(text.split()) for text in texts]
    expected = ["".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line) for line in lines]
    sections = [Section(text, [text, Table([text], [[text]])]) for text in texts]
    made = Report(texts[0], texts[0], texts[0], sections)
    of_all = [line for line in expected for _ in range(4)]

    parsed = tokens(document.markdown(made, "figures"))
    assert [
        "".join(child.content for child in token.children if child.type == "text").translate(UNSEEN)
        for token in parsed
        if token.type == "inline"
    ] == [expected[0]] * 3 + of_all

    page = parse(written(made))
    shown = [(tag, "".join(text).translate(UNSEEN)) for tag, _, text in page.elements]
    assert [text for tag, text in shown if tag in ("h1", "h2", "p", "th")] == [expected[0]] * 3 + of_all


def tokens(text: str) -> list:
    """Read Markdown by somebody else's parser, raw HTML and tables included."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
