"""Draw docs/recipes.png: accuracy on Fashion-MNIST by the time of training, of recipes, the plain script and rivals.

The names of points are placed so that they do not overlap.
"""

from collections.abc import Mapping
from statistics import mean
from typing import Any

from stages.render import style
from stages.render.style import Axes, Figure
from tools import recipe

DPI = 100
TITLE = "Accuracy on Fashion-MNIST, by the time of training one network on two cores"
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ENDS = {"xlim": (0.05, 13), "ylim": (0.86, 0.95)}  # fixed, so that the figures of two commits can be compared
# Where a name may stand beside its point: points to the right and up, and its side that is at the point.
PLACES = [
    *[(7, -3, "left"), (-7, -3, "right"), (0, 7, "center"), (0, -14, "center")],
    *[(5, 6, "left"), (-5, 6, "right"), (5, -14, "left"), (-5, -14, "right")],
    *[(0, 20, "center"), (0, -26, "center")],
]

Rows = Mapping[str, Mapping[str, Any]]
Points = dict[str, tuple[float, float, str]]  # ratio, accuracy and colour by name


def png(results: Rows, rivals: Rows) -> bytes:
    """Return the figure as PNG."""
    shown = points(results, rivals)
    return style.png(lambda: draw(shown), DPI, TITLE)


def points(results: Rows, rivals: Rows) -> Points:
    """Return the recipes that were timed and scored, the plain script, and rivals. Rows of earlier recipes are grey."""
    names = recipe.names()
    rows = {name: row for name, row in results.items() if {"accuracy", "ratio"} <= row.keys()}
    found = {
        name: (row["ratio"], row["accuracy"], style.FIRST if name in names else style.GUIDE)
        for name, row in rows.items()
        if "dataset.name" not in row["params"]
    }
    if plain := [row["plain_accuracy"] for row in rows.values() if "plain_accuracy" in row]:
        found["plain script"] = (1, mean(plain), style.TOGETHER)
    return found | {name: (row["ratio"], row["accuracy"], style.SECOND) for name, row in rivals.items()}


def draw(shown: Points) -> Figure:
    """Draw the points with their names."""
    figure = style.empty(height=3.6, width=style.WIDE)
    ax = figure.subplots()
    ax.set(xscale="log", xlabel="time, as a ratio to the plain script", ylabel="test accuracy", **ENDS)
    ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    ax.minorticks_off()
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    for ratio, accuracy, colour in shown.values():
        ax.plot(ratio, accuracy, "o", color=colour, markersize=5)
    figure.draw_without_rendering()  # before it, the places of points and names on the page are not known
    name_points(ax, shown)
    return figure


def name_points(ax: Axes, shown: Points) -> None:
    """Write each name at the first of PLACES inside the axes where no point is and no earlier name."""
    page, taken = ax.bbox, [line.get_window_extent().padded(2) for line in ax.lines]
    for name, (ratio, accuracy, colour) in sorted(shown.items(), key=lambda point: point[1]):
        text = ax.annotate(name, (ratio, accuracy), (0, 0), textcoords="offset points", color=colour, fontsize=8)
        for right, up, side in PLACES:
            text.set(position=(right, up), ha=side)
            box = text.get_window_extent()
            if page.count_contains(box.corners()) == 4 and not any(map(box.overlaps, taken)):
                break
        taken.append(box)
