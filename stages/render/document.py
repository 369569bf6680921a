"""A report as a document: titled sections of paragraphs, tables and figures, and how it becomes a file.

Nothing of a file format is in the document itself. A format is a function like `markdown` and a template beside this
module; each shows every word and number of the document.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.render.look import Figure
from stages.render.markdown import escape, isolated, line

FOLDER = Path(__file__).parent


class Illustration(NamedTuple):
    """A figure, drawn only when `draw` is called: its file name, what is to be seen on it, and how to read it."""

    file: str
    alternative: str
    caption: str
    draw: Callable[[], Figure]


class Table(NamedTuple):
    columns: list[str]
    rows: list[list[str]]

    @property
    def numeric(self) -> list[bool]:
        """Whether a column holds nothing but numbers, which are easier to compare when they end at one line."""
        return [all(re.match(r"[-+]?\d|$", row[column]) for row in self.rows) for column in range(len(self.columns))]


class Explorer(NamedTuple):
    """A confusion matrix whose cells open their test images. Where nothing can be opened, `figure` stands for it.

    figure: the matrix of all classes; text: how to read it; classes: all names; shown: the labels that have a row and a
    column; counts, levels: a list of lists each, how many images were given each name, and how strongly the cell is
    coloured, 0 to 10; data: what a script needs to know of the images, for JSON; sprite: their pictures side by side, a
    PNG.
    """

    figure: Illustration
    text: str
    classes: list[str]
    shown: list[int]
    counts: list[list[int]]
    levels: list[list[int]]
    data: Mapping[str, Any]
    sprite: bytes


class Heading(NamedTuple):
    """What the blocks after it are about, within a section."""

    title: str


Block = str | Heading | Table | Illustration | Explorer


class Section(NamedTuple):
    """Titles are distinct; a text among the blocks is a paragraph."""

    title: str
    blocks: Sequence[Block] = ()


class Report(NamedTuple):
    """The whole report; `warning` is empty where there is nothing to warn of."""

    title: str
    verdict: str
    warning: str
    sections: list[Section]

    @property
    def illustrations(self) -> list[Illustration]:
        blocks = [block for section in self.sections for block in section.blocks]
        shown = [block.figure if isinstance(block, Explorer) else block for block in blocks]
        return [block for block in shown if isinstance(block, Illustration)]


def markdown(report: Report, folder: str) -> str:
    """Return the report as Markdown (CommonMark with GitHub's tables).

    `folder` is where the figures are, relative to the report. Whatever is put into the template is escaped on its way,
    so no name can add markup.
    """
    environment = _environment(escape)
    environment.filters["address"] = lambda file: Markup(quote(f"{folder}/{file}"))
    return environment.get_template("report.md.jinja").render(report=report)


def html(report: Report, figures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML file that needs no other and may load none.

    `figures` are the PNGs of the illustrations by file name. The policy in the file lets the browser run and apply what
    has the digest of report.js and report.css, show pictures that are in the file, and nothing else.
    """
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    environment = _environment(_line)
    environment.filters["anchor"] = lambda title: "-".join(re.findall(r"[a-z0-9]+", title.lower()))
    environment.filters["embedded"] = lambda png: Markup("data:image/png;base64," + b64encode(png).decode("ascii"))
    environment.filters["size"] = _size
    return environment.get_template("report.html.jinja").render(
        report=report,
        figures=figures,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_digest(style)}; script-src {_digest(script)}",
    )


def _environment(finalize: Callable[[object], object]) -> Environment:
    """Return what templates are filled by: `finalize` makes text of each value, and names no template knows raise."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    kinds = (Heading, Table, Illustration, Explorer)
    environment.tests.update(cast(Any, {kind.__name__.lower(): partial(_is, kind) for kind in kinds}))
    return environment


def _is(kind: type, block: object) -> bool:
    return isinstance(block, kind)


def _line(value: object) -> str:
    """Return a value as one line of text that can be printed; what is markup already stays as it is."""
    return value if isinstance(value, Markup) else isolated(line(value))


def _digest(text: str) -> str:
    """Return the source expression by which a Content Security Policy (level 3, section 2.3.1) allows a text inline."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _size(png: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG in pixels, the first fields of its first chunk (PNG, section 11.2.1)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
