"""Any text is shown literally, wherever it is, according to an independent parser of Markdown."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.render import document
from stages.render.document import Code, Illustration, Report, Section, Table
from stages.render.markdown import escape, markdown

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!-- hidden",
    "<https://evil.example>",
    "[click](javascript:alert(1))",
    "](javascript:x)",
    "![x](https://evil.example/x.png)",
    "[a]: http://evil.example",
    "| a | b |",
    "a\\|b\\",
    "`code` `` **bold** _slanted_ ~~struck~~ $x$",
    "# heading #",
    "- item",
    "+ item",
    "1. item",
    "20) item",
    "> quoted",
    "===",
    "---",
    "~~~",
    "&lt;script&gt; &#42;",
    "one\nline | two",
    "\u05d0\u05d1 12",
]
ISOLATES = dict.fromkeys(map(ord, "\u2068\u2069"))


def parsed(text: str) -> list:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def text_of(token) -> str:
    """Return the text of a token, or the alternative text of an image."""
    return "".join(map(text_of, token.children)) if token.children else token.content * (token.type == "text")


@example(HOSTILE)
@given(
    st.lists(
        (st.text("ab 1.)-+=_*`#[](<>&!|~$^{}\\:;/\n\t") | st.text(st.characters(codec="utf-8"))).filter(str.strip),
        min_size=1,
        max_size=20,
    )
)
@pytest.mark.fault("names that are markup, scripts, links or table cells")
def test_any_text_is_read_back_from_headings_paragraphs_tables_and_figures(texts):
    """Apart from characters that can't be printed, which are escaped."""
    report = Report(
        texts[0],
        texts[0],
        texts[0],
        [
            Section(text, [text, Table([text], [[text]]), Illustration("f.png", text, text, lambda: None)])
            for text in texts
        ],
    )
    inline = [token.children for token in parsed(markdown(report, "figures")) if token.type == "inline"]
    kinds = {child.type for children in inline for child in children}
    shown = ["".join(map(text_of, children)).translate(ISOLATES) for children in inline]

    lines = [" ".join(text.split()) for text in texts]
    expected = ["".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line) for line in lines]
    expected = [line.translate(ISOLATES) for line in expected]
    assert shown == [expected[0]] * 3 + [line for line in expected for _ in range(6)]
    assert kinds <= {"text", "strong_open", "strong_close", "image"}


@pytest.mark.parametrize(
    "text",
    ["-0.5", "2 < 3 > 1 & more", "a: b, c! (d)", "{x} ^ y"],
)
def test_text_without_markup_stays_as_it_is(text):
    assert escape(text) == text


@pytest.mark.parametrize(
    ("value", "written"), [([128], "`[128]`"), ("data/t*/*.npy", "`data/t*/*.npy`"), ("a`|b", "a\\`\\|b")]
)
def test_a_value_is_a_code_span(value, written):
    assert escape(Code(value)) == written


def test_right_to_left_words_leave_the_order_of_other_words():
    """Numbers after a name, and the next of several names, keep their places."""
    assert document.line("\u05d0\u05d1 \u05d2: 12") == "\u2068\u05d0\u05d1 \u05d2\u2069: 12"
    assert document.line("\u062e, \u0642") == "\u2068\u062e\u2069, \u2068\u0642\u2069"
    assert document.line("Coat 外套") == "Coat 外套"


def test_links_lead_to_the_figures_in_any_folder():
    figure = Illustration("a b.png", "alternative", "caption", lambda: None)
    text = markdown(Report("t", "v", "", [Section("s", [figure])]), "../my (figures)_1")

    assert "](../my%20%28figures%29_1/a%20b.png)\n\ncaption\n" in text
    [source] = [child.attrs["src"] for token in parsed(text) for child in token.children or [] if child.type == "image"]
    assert source == "../my%20%28figures%29_1/a%20b.png"
