"""The report as Markdown: CommonMark with the tables of GitHub."""

import re
from urllib.parse import quote

from markupsafe import Markup

from stages.render import document
from stages.render.document import Code, Report, Section, line

# Markup anywhere in a text: an underscore inside a word is not markup, `<` and `&` only before a tag or a reference.
_ANYWHERE = r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[a-zA-Z/!?])|&(?=[a-zA-Z#])"
# Markup at the start of a text: a heading, a quote or a list, but not a negative number. A `#` may also end a heading.
_MARKUP = re.compile(rf"{_ANYWHERE}|(?<!\S)#|^>|^[-+=](?!\d)")
_NUMBERED = re.compile(r"^(\d+)([.)])(?!\S)")


def escape(value: object) -> Markup:
    """Return a value as one line of Markdown that shows it literally; Markup is already escaped."""
    if isinstance(value, Markup):
        return value
    text = line(value)
    if isinstance(value, Code) and not re.search(r"[`|]", text):
        return Markup(f"`{text}`")
    return Markup(_NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", text)))


def markdown(report: Report, folder: str) -> str:
    """Return the report as Markdown; `folder` is the path of the figures, relative to the report."""
    templates = document.environment(escape)
    templates.filters["address"] = lambda file: Markup(quote(f"{folder}/{file}"))
    return templates.get_template("report.md.jinja").render(
        report=report, sections=[Section("", report.overview), *report.sections]
    )
