"""report.html by Python's own parser: its contents, and that it loads nothing. See also test_browser."""

import base64
import hashlib
import json
import re

import pytest

from stages.render.document import FOLDER, Code, Heading, Illustration, Report, Section, Table
from stages.render.explorer import explorer
from tests.stages.render.conftest import HtmlPage
from tests.stages.render.test_markdown import HOSTILE, ISOLATES


@pytest.fixture
def report(some):
    """A function that makes a report of texts: as titles, names, cells and captions."""

    def report(*names: str) -> Report:
        table = Table(["", *names], [[name, *names] for name in names])
        figures = [Illustration(f"{index}.png", name, name, lambda: None) for index, name in enumerate(names)]
        matrix = explorer(some(classes=len(names), names=list(names)))
        sections = [Section("All names", [names[0], Code(names[0]), Heading(names[0]), table, *figures])]
        return Report(names[0], names[0], names[0], [*sections, Section("Matrix", [matrix])])

    return report


@pytest.mark.fault("names that are markup, scripts, links or table cells")
def test_names_add_no_element_and_no_attribute_and_are_shown(report, as_html):
    hostile = [*HOSTILE, '" onload="alert(3)', "' autofocus onfocus='x", "{{ 7 * 7 }}{% raw %}", "a \x00\u202eb"]
    page = HtmlPage(as_html(report(*hostile)))
    plain = HtmlPage(as_html(report(*(f"name {index}" for index in range(len(hostile))))))

    def shape(page):
        return [(tag, attributes.keys() - {"class"}) for tag, attributes, _ in page.elements]  # a number has a class

    assert shape(page) == shape(plain)
    names = [" ".join(name.split()).replace("\x00\u202e", r"\x00\u202e") for name in hostile]
    assert [text.translate(ISOLATES) for text in page.texts("figcaption")] == names
    assert [alternative.translate(ISOLATES) for alternative in page.attributes("alt")][: len(names)] == names
    rows = page.page.tables[names[0]][0]
    assert [[cell.translate(ISOLATES) for cell in row] for row in rows] == [["", *names], *([n, *names] for n in names)]
    [data] = ["".join(text) for _, attributes, text in page.elements if attributes.get("type") == "application/json"]
    assert [name.translate(ISOLATES) for name in json.loads(data)["classes"]] == names
    assert "<" not in data


def test_the_page_loads_nothing_and_its_policy_allows_its_script_its_style_and_its_images_only(report, as_html):
    page = HtmlPage(as_html(report("Coat", "Bag")))

    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert {"link", "iframe", "object", "embed", "base"}.isdisjoint(tag for tag, _, _ in page.elements)
    files = [(FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")]
    assert page.texts("style") == files[:1] and page.texts("script")[-1] == files[1]
    assert not re.findall(r"url\(|@import|\bfetch\b|import\(|innerHTML|https?:", "".join(files))
    style, script = (f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in files)
    [policy] = [attributes["content"] for _, attributes, _ in page.elements if "http-equiv" in attributes]
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {style}; script-src {script}"
    )


def test_the_overview_comes_first_and_a_figure_without_a_caption_has_none(as_html):
    first, second = (Illustration(f"{name}.png", name, name * (name == "b"), lambda: None) for name in "ab")
    page = HtmlPage(as_html(Report("t", "v", "", [Section("s", [second])], [first])))

    assert page.attributes("alt") == ["a", "b"] and page.texts("figcaption") == ["b"]
