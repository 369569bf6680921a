"""A report as a document: titled sections of plain text, tables and figures, and how it becomes a file.

Nothing of a file format is in the document itself. A format is a function like `markdown` and a template beside this
module.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.command import printable
from stages.render.figures import Figure


class Illustration(NamedTuple):
    """A figure, drawn only when `draw` is called: its file name, what is to be seen on it, and how to read it."""

    file: str
    alternative: str
    caption: str
    draw: Callable[[], Figure]


class Table(NamedTuple):
    columns: list[str]
    rows: list[list[str]]


class Section(NamedTuple):
    title: str
    text: str
    table: Table | None = None
    illustrations: Sequence[Illustration] = ()


class Report(NamedTuple):
    """The whole report; `warning` is empty where there is nothing to warn of."""

    title: str
    verdict: str
    warning: str
    sections: list[Section]

    @property
    def illustrations(self) -> list[Illustration]:
        return [illustration for section in self.sections for illustration in section.illustrations]


def markdown(report: Report, folder: str) -> str:
    """Return the report as Markdown (CommonMark with GitHub's tables).

    `folder` is where the figures are, relative to the report. Whatever is put into the template is escaped on its way,
    so no name can add markup.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_literal,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["address"] = lambda file: Markup(quote(f"{folder}/{file}"))
    return environment.get_template("report.md.jinja").render(report=report)


# What may be markup anywhere in a text (an underscore inside a word is none), and what may be at the start of a line.
_MARKUP = re.compile(r"[#$&*<>\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])|^[-+=](?!\d)|^\d+[.)](?!\S)")


def _literal(value: object) -> Markup:
    """Return a value as a line of Markdown that shows it as it is: a character reference is never taken for markup."""
    if isinstance(value, Markup):
        return value
    line = printable(" ".join(str(value).split()))
    return Markup(_MARKUP.sub(lambda match: "".join(f"&#{ord(c)};" for c in match[0]), line))
