"""Text that must stay text, read back by a parser of Markdown that is not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markupsafe import Markup

from stages import markdown

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "a | b",
    "`code` **bold** _emphasis_ ~~struck~~",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "&lt;script&gt;",
    "back\\slash",
    "$x^2$",
    "https://[x]",
]


def shown(text: str) -> str:
    """Return what a reader sees of one paragraph, and assert that there is nothing in it but text."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children} <= {"text", "text_special"}
    return "".join(child.content for child in tokens[1].children)


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_a_text_is_shown_as_it_is(text):
    assert shown(markdown.escape(text)) == text


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_text_is_shown_as_it_is(text):
    assert shown(markdown.escape(text)) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_a_table_stays_one_cell(text):
    tokens = (
        MarkdownIt("commonmark").enable("table").parse(f"| a | b |\n| --- | --- |\n| {markdown.escape(text)} | 1 |\n")
    )

    cells = [tokens[i + 1].children for i, token in enumerate(tokens) if token.type == "td_open"]
    assert ["".join(child.content for child in cell) for cell in cells] == [text, "1"]


def test_a_text_becomes_one_line_without_control_characters():
    assert markdown.escape("two\nlines \x1b[31m") == "two lines &#92;x1b&#91;31m"


@pytest.mark.parametrize("text", ["learning_rate", "-0.5", "0.8795 ± 0.0053", "T-shirt/top", "+1.08"])
def test_what_needs_no_escaping_is_left_legible(text):
    assert markdown.escape(text) == text


def test_what_is_markup_already_is_left_as_it_is():
    assert markdown.escape(Markup("**bold**")) == "**bold**"
