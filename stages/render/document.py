"""A report as a document: titled sections of paragraphs, tables and figures, and how it writes numbers.

The document knows no file format. A format is a module beside this module: markdown, html.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.cli.errors import printable
from stages.render.style import Figure

FOLDER = Path(__file__).parent

# A longer table is not read: it shows only its most important rows.
MOST_ROWS = 25

# Words in scripts that are written from right to left: Hebrew, Arabic and related scripts.
_LETTERS = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+"
_RIGHT_TO_LEFT = re.compile(f"{_LETTERS}(?: {_LETTERS})*")


class Code(str):
    """A value or a command, shown in a monospaced font."""


class Illustration(NamedTuple):
    """A figure, drawn only when `draw` is called: its file name, its alternative text, and how to read it, if needed.

    title, note: texts in the figure, what is seen and of which networks.
    """

    file: str
    alternative: str
    caption: str
    draw: Callable[[], Figure]
    title: str = ""
    note: str = ""


class Table(NamedTuple):
    columns: list[str]
    rows: list[list[str]]

    @property
    def numeric(self) -> list[bool]:
        """Whether each column holds only numbers; these are aligned to the right."""
        return [all(re.match(r"[-+]?\d|$", row[column]) for row in self.rows) for column in range(len(self.columns))]


class Explorer(NamedTuple):
    """A confusion matrix whose cells list their test images, in HTML only.

    Without a matrix, which is a `shown` of no labels, it lists images whose prediction changed between two sides.

    text: how to read it; classes: all names; shown: the labels with a row and a column; counts, levels: for each cell,
    the number of images and the strength of the colour, 0 to 10; data: facts about the images for the script, as JSON;
    sprite: the images side by side, a PNG or JPEG.
    """

    text: str
    classes: list[str]
    shown: list[int]
    counts: list[list[int]]
    levels: list[list[int]]
    data: Mapping[str, Any]
    sprite: bytes


class Card(NamedTuple):
    """An image of a gallery: one or two pictures, PNG or JPEG; two labels; a headline and a note below the pictures."""

    pictures: list[bytes]
    label: int
    suggested: int
    headline: str
    note: str


class Gallery(NamedTuple):
    """Images in their order, which can be filtered by the class of their labels, in HTML only."""

    classes: list[str]
    cards: list[Card]


class Heading(NamedTuple):
    """The topic of the next blocks of a section."""

    title: str


Block = str | Heading | Table | Illustration | Explorer | Gallery


class Section(NamedTuple):
    """Titles are distinct; a string among the blocks is a paragraph."""

    title: str
    blocks: Sequence[Block] = ()


class Report(NamedTuple):
    """The whole report; `warning` may be empty. overview: the figures of the first screen."""

    title: str
    verdict: str
    warning: str
    sections: list[Section]
    overview: Sequence[Illustration] = ()

    @property
    def illustrations(self) -> list[Illustration]:
        blocks = [*self.overview, *(block for section in self.sections for block in section.blocks)]
        return [block for block in blocks if isinstance(block, Illustration)]


def count(number: int) -> str:
    return f"{number:,}"


def decimal(number: float) -> str:
    # Records have six decimals. So 0.2943498, recorded as 0.29435, is 0.2944 here and 0.2943 in `tools.compare`.
    return f"{number:.4f}"


def interval(low: float, high: float) -> str:
    return f"{decimal(low)} to {decimal(high)}"


def pixels(shape: Sequence[int]) -> str:
    """Return the size of images: height and width, and 3 if they are in colour."""
    return f"{shape[1]}x{shape[0]} pixels{' in colour' * (len(shape) == 3)}"


def listed(items: Sequence[str]) -> str:
    """Return items as prose: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def line(value: object) -> str:
    """Return a value as one line of printable text.

    Right-to-left words are isolated, so that the words and numbers around them keep their order (Unicode Standard
    Annex 9).
    """
    text = printable(" ".join(str(value).split()))
    return _RIGHT_TO_LEFT.sub("\u2068\\g<0>\u2069", text)


def environment(finalize: Callable[[object], object]) -> Environment:
    """Return the template environment of a format; `finalize` turns each value into text of this format."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for kind in (Heading, Table, Illustration, Explorer, Gallery):
        templates.tests[kind.__name__.lower()] = lambda block, kind=kind: isinstance(block, kind)
    return templates
