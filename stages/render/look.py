"""The one look of all figures: sizes, colours, fonts, and how names and shares are written on them.

Neither a window system, nor the user's settings of matplotlib, nor the fonts of the machine have a say, so equal arrays
give equal bytes. For that, what is needed of matplotlib is imported here, and by the others from here.
"""

import io
import os
import tempfile
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import Any, Literal


@contextmanager
def _unconfigured() -> Iterator[None]:
    """Let matplotlib start as on a new machine with no fonts but its own, and leave nothing behind.

    It reads settings, styles and a list of fonts from folders in the user's home, and writes that list there. To make
    the list anew costs 0.1 s. A backend that it does not know would make its import fail; nothing here needs one.
    """
    with tempfile.TemporaryDirectory(prefix="matplotlib-") as folder:
        ours = {"MPLCONFIGDIR": folder, "MATPLOTLIBRC": folder, "MPLBACKEND": "agg", "MPL_IGNORE_SYSTEM_FONTS": "1"}
        theirs = {name: os.environ[name] for name in ours if name in os.environ}
        os.environ |= ours
        try:
            yield
        finally:
            for name in ours:
                del os.environ[name]
            os.environ |= theirs


with _unconfigured():
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Rectangle as Rectangle
    from matplotlib.textpath import text_to_path
    from matplotlib.ticker import MaxNLocator as MaxNLocator

# Blue and red are told apart by all common kinds of colour vision, and so are blue and orange; red and green are not.
RIGHT, WRONG, OTHER = "tab:blue", "tab:red", "lightgrey"
FIRST, SECOND, GUIDE = "tab:blue", "tab:orange", "grey"
RIGHT_SCALE, WRONG_SCALE = "Blues", "Oranges"

FONT = "DejaVu Sans"  # matplotlib brings it along, so it is the same everywhere

LOOK: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "text.parse_math": False,  # a class may be called `$5 to $9`
}

WIDTH = 8  # inches; at 100 dpi as wide as a git host shows a picture

# More class names than this along an axis would overlap: then every second or third is shown.
AXIS_NAMES = 32
# The room for a class name under a picture and along an axis, in multiples of its font size; a wider name is cut.
PICTURE_NAME, TICK_NAME = 5.5, 12


@contextmanager
def look() -> Iterator[None]:
    """Draw with the settings above on top of matplotlib's own, whatever matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        yield


def png(draw: Callable[[], Figure], dpi: int) -> bytes:
    """Return the figure that `draw` returns as PNG; no version, date or path is in it."""
    file = io.BytesIO()
    with look():
        figure = draw()
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def empty(height: float, width: float = WIDTH, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """Return an empty figure, its size in inches, whose contents make room for each other.

    "compressed" is for axes of a fixed ratio: what stands beside them, such as a colour bar, is as high as they are.
    """
    return Figure(figsize=(width, height), layout=layout)


def grid(figure: Figure, count: int, columns: int, ratios: Sequence[float] | None = None) -> Iterator[Axes]:
    """Yield `count` axes, row by row; what is left of the last row stays empty. `ratios` are the columns' widths."""
    axes = figure.subplots(ceil(count / columns), columns, squeeze=False, width_ratios=ratios).flat
    for index, ax in enumerate(axes):
        if index < count:
            yield ax
        else:
            ax.set_axis_off()


def name_ticks(
    axis: Axis, classes: Sequence[str], rotation: float = 0, size: float = 9, most: int = AXIS_NAMES
) -> None:
    """Write at most `most` class names along an axis."""
    shown = range(0, len(classes), ceil(len(classes) / most))
    axis.set_ticks(shown, [cut(classes[index], TICK_NAME) for index in shown], fontsize=size)
    if rotation:
        for text in axis.get_ticklabels():
            text.set(rotation=rotation, ha="right", va="center", rotation_mode="anchor")


def drawable(classes: Sequence[str]) -> list[str]:
    """Return the class names, but `class <number>` for one with letters that the font lacks and would draw as boxes."""
    letters = font_manager.get_font(font_manager.findfont(FONT)).get_charmap()
    return [
        name if all(ord(letter) in letters for letter in name) else f"class {index}"
        for index, name in enumerate(classes)
    ]


def percent(share: float) -> str:
    """Return a share in [0, 1] in whole percent, but never one that is not certain as 100%, nor a possible one as 0%.

    Between 99.5 % and 100 % there is a decimal more.
    """
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return f"{share:.1%}" if share < 0.9995 else ">99.9%"
    return f"{share:.0%}"


def ink(ground: Iterable[float]) -> str:
    """Return the colour, black or white, that stands out more from one of red, green and blue in [0, 1].

    The contrast of two colours is the ratio of their relative luminances, 0.05 added to each (WCAG 2.2).
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ground]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


@cache
def cut(name: str, most: float) -> str:
    """Return a name no wider than `most` times its font size."""
    if _width(name) <= most:
        return name
    fitting = bisect(range(len(name)), most, key=lambda kept: _width(name[:kept] + "…"))
    return name[: fitting - 1] + "…"


def _width(text: str) -> float:
    """Return the width of a text in multiples of its font size."""
    font = FontProperties(family=FONT, size=1)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
