"""A report of blocks, as text for a terminal of 80 columns, as Markdown for a pull request, or as JSON for programs.

In Markdown (CommonMark with GitHub's tables), no name can add markup. In text, no name can steer the terminal.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from core.cli.errors import printable
from stages.render.markdown import escape

WIDTH, NAME_WIDTH = 80, 22
NUMBER = re.compile(r"[-+]?\d")

Rows = Sequence[Sequence[object]]


class Lines(NamedTuple):
    """Sentences, each on a line of its own. `strong` ones are bold in Markdown."""

    lines: Sequence[str]
    strong: bool = False


class Table(NamedTuple):
    """A table. In text, a table that is wider than WIDTH is replaced by the blocks `otherwise`, if there are any."""

    columns: Sequence[str]
    rows: Rows
    otherwise: Sequence["Block"] = ()


class Changes(NamedTuple):
    """A title, and rows of a name and its values in base and new: a table in Markdown, lines of any width in text."""

    title: str
    rows: Rows


class Commands(NamedTuple):
    """Command lines to paste."""

    lines: Sequence[str]


Block = Lines | Table | Changes | Commands


class Report(NamedTuple):
    """blocks: for people. value: the same for programs, without infinite numbers."""

    blocks: Sequence[Block]
    value: dict[str, Any]


def text(report: Report) -> str:
    """Return text for a terminal. Only names of params and files, and commands, may be longer than a line."""
    return _joined(map(_text, report.blocks)) + "\n"


def markdown(report: Report) -> str:
    """Return Markdown."""
    return _joined(map(_markdown, report.blocks)) + "\n"


def as_json(report: Report) -> str:
    """Return JSON with sorted keys."""
    return json.dumps(report.value, sort_keys=True, indent=2, allow_nan=False) + "\n"


FORMATS = {"text": text, "md": markdown, "json": as_json}


def table(columns: Sequence[str], rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = [map(escape, columns), ["---"] * len(columns), *(map(escape, row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def literal(value: Any) -> str:
    """Return the value of a param as JSON, None if there is no such param."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(filter(None, blocks))


def _text(block: Block) -> str:
    match block:
        case Lines(lines):
            return "\n".join(textwrap.fill(printable(line), WIDTH) for line in lines)
        case Commands(lines):
            return "\n".join(f"  {line}" for line in lines)
        case Changes(title, rows):
            return "\n".join([title, *(printable(f"  {name}: {base} -> {new}") for name, base, new in rows)])
        case Table(columns, rows, otherwise):
            whole = _aligned([columns, *rows])
            fits = max(map(len, whole.splitlines())) <= WIDTH
            return whole if fits or not otherwise else _joined(map(_text, otherwise))


def _markdown(block: Block) -> str:
    match block:
        case Lines(lines, strong):
            return "\n\n".join(f"**{escape(line)}**" if strong else escape(line) for line in lines)
        case Commands(lines):
            return "\n".join(["```bash", *lines, "```"])
        case Changes(title, rows):
            return table([title, "base", "new"], rows)
        case Table(columns, rows):
            return table(columns, rows)


def _aligned(rows: Rows) -> str:
    """Return a table. Columns of numbers are aligned right, but the first.

    A name that is too long for its column is not cut, as two names may begin alike. It has its own lines above the row.
    """
    lines = []
    for row in rows:
        name, *rest = (printable(str(cell)) for cell in row)
        if len(name) > NAME_WIDTH:
            lines += [[part] for part in textwrap.wrap(name, WIDTH)]
            name = ""
        lines.append([name, *rest])
    columns = list(zip(*(line for line in lines if len(line) > 1), strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [place == 0 or not any(map(NUMBER.match, column[1:])) for place, column in enumerate(columns)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=False)
        ).rstrip()
        for line in lines
    )
