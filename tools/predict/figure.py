"""The figure of predictions: each picture, as the networks' input, beside its probabilities."""

from collections.abc import Sequence
from math import ceil

from stages.evaluate.framing import Framing
from stages.render import style
from stages.render.figures import samples
from stages.render.style import Figure
from tools.predict.formats import Result

DPI = 100
COLUMNS = 3  # pictures in a row, each with its bars


def png(results: Sequence[Result], classes: Sequence[str], like: Framing | None) -> bytes:
    """Draw at least one result as PNG, white on black as dark on white. Equal results give equal bytes.

    like: of the training images, or None if they are in colour.
    """
    negative = like is not None and like.plain and like.background <= 255 * samples.DARK
    return style.png(lambda: _drawn(results, style.drawable(classes), negative), DPI)


def _drawn(results: Sequence[Result], classes: Sequence[str], negative: bool) -> Figure:
    columns = min(len(results), COLUMNS)
    figure = style.empty(height=2 * ceil(len(results) / columns) + 1, width=style.WIDE * columns / COLUMNS)
    axes = list(style.grid(figure, 2 * len(results), 2 * columns, ratios=[5, 6] * columns))
    for index, (result, picture, bars) in enumerate(zip(results, axes[::2], axes[1::2], strict=True)):
        named = result.ranking[0]
        image = result.values / 255
        samples.draw_picture(picture, 1 - image if negative else image)
        picture.set_title(style.cut(_title(result.name), style.PICTURE_LINE), fontsize=8, color="dimgrey")
        caption = style.wrapped("", classes[named], f" {style.percent(float(result.probabilities[named]))}")
        caption += "\nunlike training" if result.unlike else ""
        picture.set_xlabel(caption, fontsize=8, color=style.WRONG if result.unlike else style.RIGHT)
        samples.draw_probabilities(bars, result.probabilities, named)
        samples.name_cell(bars, classes, first=index % columns == 0, last=index + columns >= len(results))
    return figure


def _title(name: str) -> str:
    """Return the last part of a name. Letters that the font may lack become question marks."""
    last = name.rstrip("/").rpartition("/")[2]
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in last)
