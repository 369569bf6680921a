"""The style of all figures: sizes, colours, fonts, and the form of names and shares.

Figures depend neither on a window system, nor on the user's settings of matplotlib, nor on the fonts of the machine: so
equal arrays give equal bytes. For this, matplotlib is imported here only; other modules import its names from here.
"""

import io
import os
import re
import tempfile
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import Any, Literal

# Import matplotlib as on a new machine without other fonts. Otherwise it reads settings and a list of fonts from the
# user's home, writes this list there, and fails if MPLBACKEND is unknown. The import takes half the time without the
# fonts for PostScript, which matplotlib skips if it has no reader for them, and without the texts of its help.
with tempfile.TemporaryDirectory(prefix="matplotlib-") as _folder:
    _CLEAN = {"MPLCONFIGDIR": _folder, "MATPLOTLIBRC": _folder, "MPLBACKEND": "agg", "MPL_IGNORE_SYSTEM_FONTS": "1"}
    os.environ |= _CLEAN
    import matplotlib
    from matplotlib import _afm, artist

    _afm.AFM, artist.kwdoc = None, lambda _: ""  # type: ignore[misc, assignment]
    from matplotlib import font_manager
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection as PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.image import AxesImage as AxesImage
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import Rectangle as Rectangle
    from matplotlib.textpath import text_to_path
    from matplotlib.ticker import MaxNLocator as MaxNLocator

    matplotlib.get_configdir()  # cached by matplotlib, which would otherwise look for the home later
    for _name in _CLEAN:
        del os.environ[_name]

# All common kinds of colour vision tell blue from red and blue from orange, but not red from green.
RIGHT, WRONG, OTHER = "tab:blue", "tab:red", "lightgrey"
FIRST, SECOND, GUIDE, TOGETHER, QUIET = "tab:blue", "tab:orange", "grey", "black", "dimgrey"
RIGHT_SCALE, WRONG_SCALE = "Blues", "Oranges"

FONT = "DejaVu Sans"  # part of matplotlib, so the same everywhere

STYLE: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.1,
    "text.parse_math": False,  # a class may have the name `$5 to $9`
}

# Inches. At 100 dpi, two figures fit side by side on a page of 1280 pixels, and their text is legible on one of 400.
WIDTH, HEIGHT = 5, 2.6
WIDE = 8  # of a grid of images with bars: the class names below them would overlap in a narrower figure
TITLE, NOTE = 10, 8  # font sizes, in points
ABOVE, BELOW = 0.3, 0.2  # inches for the title and the note

# More class names along an axis would overlap: then it shows every second or third name.
AXIS_NAMES = 32
# The width of a line under an image and along an axis, in multiples of its font size; a wider name is wrapped or cut.
PICTURE_LINE, TICK_NAME = 10, 12


@contextmanager
def styled() -> Iterator[None]:
    """Draw with STYLE and the defaults of matplotlib; matplotlibrc is ignored."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def png(draw: Callable[[], Figure], dpi: int, title: str = "", note: str = "") -> bytes:
    """Return a drawn figure as PNG, without version, date or path. `title` and `note` are those of `entitle`."""
    file = io.BytesIO()
    with styled():
        figure = draw()
        entitle(figure, title, note)
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def empty(
    height: float = HEIGHT, width: float = WIDTH, layout: Literal["constrained", "compressed"] = "constrained"
) -> Figure:
    """Return an empty figure, its size in inches, whose contents do not overlap.

    The layout "compressed" is for axes with a fixed aspect ratio: a colour bar beside them has the same height.
    """
    return Figure(figsize=(width, height), layout=layout)


def entitle(figure: Figure, title: str, note: str) -> None:
    """Make room above a figure for a title, which says what is seen, and below for a note, which says of what."""
    (width, height), below = figure.get_size_inches(), BELOW * bool(note)
    whole = height + ABOVE * bool(title) + below
    room = (0, below / whole, 1, height / whole)
    figure.set_figheight(whole)
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(rect=room)
    else:  # one axes takes up the whole figure
        figure.axes[0].set_position(room)
    above, left = cut(title, (width - 0.2) * 72 / TITLE), 0.1 / width
    figure.text(left, 1 - 0.07 / whole, above, va="top", fontsize=TITLE, in_layout=False)
    figure.text(1 - left, 0.06 / whole, note, ha="right", fontsize=NOTE, color=QUIET, in_layout=False)


def grid(figure: Figure, count: int, columns: int, ratios: Sequence[float]) -> Iterator[Axes]:
    """Yield `count` axes, row by row; the rest of the last row stays empty. `ratios` are the widths of the columns."""
    axes = figure.subplots(ceil(count / columns), columns, squeeze=False, width_ratios=ratios).flat
    for index, ax in enumerate(axes):
        if index < count:
            yield ax
        else:
            ax.set_axis_off()


def name_ticks(
    axis: Axis,
    classes: Sequence[str],
    rotation: float = 0,
    size: float = 9,
    most: int = AXIS_NAMES,
    widest: float = TICK_NAME,
) -> None:
    """Write at most `most` class names along an axis, each at most `widest` times as wide as its font size."""
    shown = range(0, len(classes), ceil(len(classes) / most))
    axis.set_ticks(shown, [cut(classes[index], widest) for index in shown], fontsize=size)
    if rotation:
        for text in axis.get_ticklabels():
            text.set(rotation=rotation, ha="right", va="center", rotation_mode="anchor")


def drawable(classes: Sequence[str]) -> list[str]:
    """Return the class names; a name with letters that the font lacks becomes `class <label>`."""
    letters = font_manager.get_font(font_manager.findfont(FONT)).get_charmap()
    return [
        name if all(ord(letter) in letters for letter in name) else f"class {index}"
        for index, name in enumerate(classes)
    ]


def percent(share: float) -> str:
    """Return a share in [0, 1] in whole percent; only 1 becomes 100%, and only 0 becomes 0%.

    Shares between 99.5 % and 100 % have one decimal.
    """
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return f"{share:.1%}" if share < 0.9995 else ">99.9%"
    return f"{share:.0%}"


def ink(background: Iterable[float]) -> str:
    """Return black or white, whichever has more contrast with a background of red, green and blue in [0, 1].

    The contrast of two colours is the ratio of their relative luminances, each plus 0.05 (WCAG 2.2).
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in background]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


@cache
def cut(name: str, most: float) -> str:
    """Return a name that is at most `most` times as wide as its font size, cut if necessary."""
    if _width(name) <= most:
        return name
    fitting = bisect(range(len(name)), most, key=lambda kept: _width(name[:kept] + "…"))
    return name[: fitting - 1] + "…"


@cache
def wrapped(before: str, name: str, after: str, most: float = PICTURE_LINE) -> str:
    """Return a name between two texts, in two lines if one would be wider than `most` times the font size.

    A name that is too long for two lines is cut.
    """
    text, named = before + name + after, len(before + name)
    if _width(text) <= most:
        return text
    fitting = bisect(range(named - 1), most, key=lambda kept: _width(text[:kept])) - 1
    breaks = [match.end() for match in re.finditer("[ _-]", text[: named + after.find(" ") + 1])]
    breaks = [end for end in breaks if end > len(before) and _width(text[:end].rstrip()) <= most]
    good = [end for end in breaks if _width(text[end:]) <= most or 2 * end > fitting]
    end = good[-1] if good else fitting
    return f"{text[:end].rstrip()}\n{cut(text[end:named], most - _width(after))}{after if end < named else text[end:]}"


def _width(text: str) -> float:
    """Return the width of a text in multiples of its font size."""
    font = FontProperties(family=FONT, size=1)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
