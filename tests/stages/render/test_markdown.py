"""Text that must stay text, read back by a parser of Markdown that is not ours."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markupsafe import Markup

from stages.render import markdown

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

# What a host links in the text that is shown, by what it goes: GitHub Flavored Markdown 6.9, and GitHub's manual on
# mentions and references.
LINKED = re.compile(
    r"(https?|ftp)://[^\s<]|www\.[^\s<]|[\w.+-]@[\w-]|(?<!\w)@[\w-]|#\d|\bGH-\d|:[a-z0-9_+-]+:", re.IGNORECASE
)
UNSEEN = dict.fromkeys(map(ord, "\N{ZERO WIDTH SPACE}\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}"))


def shown(text: str) -> str:
    """Return what a reader sees of one paragraph, and assert that there is nothing in it but text, and none to link."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children} <= {"text", "text_special"}
    text = "".join(child.content for child in tokens[1].children)
    assert not LINKED.search(text)
    return text.translate(UNSEEN)


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
    assert ["".join(child.content for child in cell).translate(UNSEEN) for cell in cells] == [text, "1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@octocat", "@&#8203;octocat"),
        ("hello (@org/team)", "hello (@&#8203;org/team)"),
        ("http://evil.example", "http:&#8203;//evil.example"),
        ("HTTPS://evil.example/x", "HTTPS:&#8203;//evil.example/x"),
        ("www.evil.example", "www&#8203;.evil.example"),
        ("WWW.evil.example", "WWW&#8203;.evil.example"),
        ("a@b.example", "a@&#8203;b.example"),
        ("mailto:a@b.example", "mailto:a@&#8203;b.example"),
        ("GH-12", "GH-&#8203;12"),
        (":smile: 12:30:45", ":&#8203;smile: 12:&#8203;30:45"),
        ("someone/something#12", "someone/something&#35;&#8203;12"),
    ],
)
def test_what_a_host_would_link_or_notify_is_broken_where_none_sees_it(text, expected):
    assert LINKED.search(text) and markdown.escape(text) == expected
    assert shown(markdown.escape(text)) == text


def test_a_word_from_right_to_left_turns_nothing_round():
    """Numbers that follow it, and the next of several names, stay where they are; blanks between words are its own."""
    assert markdown.escape("שלום עולם: 12") == "&#8296;שלום עולם&#8297;: 12"
    assert markdown.escape("خف, قميص") == "&#8296;خف&#8297;, &#8296;قميص&#8297;"
    assert markdown.isolated("Coat 外套") == "Coat 外套"


def test_each_letter_from_right_to_left_is_isolated():
    """By Python's table of the Unicode standard; those above the second plane are of no script."""
    letters = [c for c in map(chr, range(0x20000)) if unicodedata.bidirectional(c) in ("R", "AL") and c.isprintable()]

    assert len(letters) > 2000
    assert [letter for letter in letters if markdown.isolated(letter) == letter] == []


def test_a_text_becomes_one_line_without_control_characters():
    assert markdown.escape("two\nlines \x1b[31m") == "two lines &#92;x1b&#91;31m"


@pytest.mark.parametrize(
    "text", ["learning_rate", "-0.5", "0.8795 ± 0.0053", "T-shirt/top", "+1.08", "a: b", "e.g. a @ b", "c//d", "www"]
)
def test_what_needs_no_escaping_is_left_legible(text):
    assert markdown.escape(text) == text


def test_what_is_markup_already_is_left_as_it_is():
    assert markdown.escape(Markup("**bold**")) == "**bold**"
