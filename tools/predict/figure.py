"""The figure of predictions: each picture, as the networks' input, beside its probabilities."""

from collections.abc import Sequence
from math import ceil

from stages.render import look
from stages.render.figures import pictures
from stages.render.look import Figure
from tools.predict.formats import Result

DPI = 100
COLUMNS = 3  # pictures in a row, each with its bars


def png(results: Sequence[Result], classes: Sequence[str]) -> bytes:
    """Draw at least one result as PNG. Equal results give equal bytes."""
    return look.png(lambda: _drawn(results, look.drawable(classes)), DPI)


def _drawn(results: Sequence[Result], classes: Sequence[str]) -> Figure:
    columns = min(len(results), COLUMNS)
    figure = look.empty(height=2 * ceil(len(results) / columns) + 1, width=look.WIDTH * columns / COLUMNS)
    axes = list(look.grid(figure, 2 * len(results), 2 * columns, ratios=[5, 6] * columns))
    for index, (result, picture, bars) in enumerate(zip(results, axes[::2], axes[1::2], strict=True)):
        named = result.ranking[0]
        pictures.draw_picture(picture, result.values / 255)
        picture.set_title(look.cut(_title(result.name), look.PICTURE_NAME), fontsize=8, color="dimgrey")
        caption = f"{look.cut(classes[named], look.PICTURE_NAME)} {look.percent(float(result.probabilities[named]))}"
        caption += "\nunlike training" if result.unlike else ""
        picture.set_xlabel(caption, fontsize=8, color=look.WRONG if result.unlike else look.RIGHT)
        pictures.draw_probabilities(bars, result.probabilities, named)
        pictures.name_cell(bars, classes, first=index % columns == 0, last=index + columns >= len(results))
    return figure


def _title(name: str) -> str:
    """Return the last part of a name. Letters that the font may lack become question marks."""
    last = name.rstrip("/").rpartition("/")[2]
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in last)
