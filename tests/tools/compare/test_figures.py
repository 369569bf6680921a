"""The figures of a change, read back from their axes."""

from math import inf, log

import numpy as np
import pytest

from stages.render import style
from tools.compare import figures, page
from tools.compare.comparison import Score
from tools.compare.statistics import Change


@pytest.fixture
def draw():
    """A function that draws the figure of a page with this file name, and returns its axes."""

    def draw(made, file):
        with style.styled():
            figure = next(each for each in made.document.illustrations if each.file == file).draw()
            figure.draw_without_rendering()
        return figure.axes

    return draw


def points(ax):
    """Return the values along x of each row of markers, and the ends of each horizontal line."""
    lines = [line for line in ax.lines if len(line.get_xdata()) and line.get_linestyle() != "None"]
    ends = [tuple(line.get_xdata()) for line in lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2]
    markers = [
        list(map(float, line.get_xdata())) for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())
    ]
    return markers, ends


def test_the_changes_of_the_scores_and_their_intervals_are_drawn_to_scale_around_0(made, draw):
    some = made(tolerance=0.02)
    accuracy, loss = draw(some, "changes.png")

    right = [100 * (side.argmax(axis=2) == some.labels).mean(axis=1) for side in (some.base, some.new)]
    markers, ends = points(accuracy)
    assert markers[0] == pytest.approx([right[1].mean() - right[0].mean()])
    assert markers[2] == pytest.approx(right[0] - right[0].mean())
    assert markers[3] == pytest.approx(right[1] - right[0].mean())
    assert ends[0] == pytest.approx([100 * end for end in some.compared.accuracy.change.interval])
    together = [100 * (side.mean(axis=0).argmax(axis=1) == some.labels).mean() for side in (some.base, some.new)]
    assert markers[1] == pytest.approx([together[1] - together[0]])
    for ax in (accuracy, loss):
        low, high = ax.get_xlim()
        assert -low == high > max(abs(value) for row in points(ax)[0] for value in row)
    band = accuracy.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx((-2, 4)) and not loss.patches
    rows = [-np.log(side[:, np.arange(400), some.labels]).mean(axis=1) for side in (some.base, some.new)]
    assert points(loss)[0][3] == pytest.approx(rows[1] - rows[0].mean(), abs=1e-5)
    assert [tick.get_text() for tick in accuracy.get_yticklabels()] == ["one network", "ensemble"]


def test_without_an_interval_a_change_is_a_ring():
    shown = [(name, Score(Change(0.5, 0.6, error, 9, 0.5), "unknown")) for name, error in (("a", 1), ("b", inf))]

    with style.styled():
        (ax,) = figures.recalls(shown).axes

    rings = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [list(ring.get_ydata()) for ring in rings] == [[1]]


def test_recalls_are_drawn_in_their_order_and_coloured_by_their_verdict():
    shown = [
        (name, Score(Change(0.5, 0.5 + change, 0.01, 1e9, 0.5), verdict))
        for name, change, verdict in (("b", 0.2, "better"), ("c", 0.05, "no evidence"), ("a", -0.1, "worse"))
    ]

    with style.styled():
        (ax,) = figures.recalls(shown).axes

    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "c", "a"]
    markers, ends = points(ax)
    assert [float(dot) for (dot,) in markers] == pytest.approx([20, 5, -10])
    assert ends[0] == pytest.approx([20 - 1.96, 20 + 1.96], abs=0.01)
    colours = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    assert colours == [style.RIGHT, figures.UNDECIDED, style.WRONG]


def test_figure_and_table_have_the_recalls_in_one_order_the_largest_gain_first(made, draw):
    some = made()
    (ax,) = draw(some, "recalls.png")
    table = next(section.blocks[0] for section in some.document.sections if section.title == "Classes")

    gains = {name: score.change.difference for name, score in some.compared.recalls.items()}
    order = sorted(gains, key=lambda name: -gains[name])
    assert [row[0] for row in table.rows] == order
    assert [tick.get_text()[:5] for tick in ax.get_yticklabels()] == [name[:5] for name in order]


def test_a_confusion_matrix_has_the_changes_of_the_shares_on_a_fixed_scale_blue_if_better(made, draw):
    some = made()
    ax, bar = draw(some, "confusion.png")

    def shares(side):
        counts = np.zeros((10, 10))
        for network in side:
            for label, row in zip(some.labels, network, strict=True):
                counts[label, row.argmax()] += 1 / len(side)
        return counts / counts.sum(axis=1, keepdims=True)

    change = 100 * (shares(some.new) - shares(some.base))
    drawn = np.zeros((10, 10))
    for text in ax.texts:
        column, row = map(int, text.get_position())
        drawn[row, column] = float(text.get_text())
    assert drawn == pytest.approx(change, abs=0.051)
    (image,) = ax.images
    assert image.get_clim() == (-0.1, 0.1)
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["worse", "better"]
    sign = np.where(np.eye(10), 1, -1)
    assert np.asarray(image.get_array()) == pytest.approx(sign * change / 100)
    red, _, blue, _ = image.to_rgba(0.1)
    assert blue > red


def test_curves_have_a_line_for_each_network_of_both_sides_on_the_axes_of_the_report(made, draw):
    loss, accuracy = draw(made(), "curves.png")

    lines = [(line.get_label(), line.get_color(), line.get_linestyle(), list(line.get_ydata())) for line in loss.lines]
    assert lines == [
        ("base, train", figures.SIDES["base"], "-", [2.3, 0.5]),
        (lines[1][0], figures.SIDES["base"], "-", [2.4, 0.7]),
        ("new, train", figures.SIDES["new"], "-", [2.3, 0.4, 0.25]),
        ("new, validation", figures.SIDES["new"], "--", [2.3, 0.5, 0.6]),
    ]
    assert lines[1][0].startswith("_")  # not in the legend
    assert [list(line.get_ydata()) for line in accuracy.lines][2:] == [[0.1, 0.8, 0.9], [0.1, 0.7, 0.6]]
    assert loss.get_ylim() == pytest.approx((0.01, 2 * log(10))) and accuracy.get_ylim() == (0, 1)


def test_reliability_has_the_bins_of_both_ensembles(made, draw):
    some = made()
    (ax,) = draw(some, "reliability.png")

    for line, side in zip(ax.lines[1:], (some.base, some.new), strict=True):
        ensemble = side.mean(axis=0)
        confidence, right = ensemble.max(axis=1), ensemble.argmax(axis=1) == some.labels
        bins = [(low < confidence) & (confidence <= low + 1 / 15) for low in np.arange(15) / 15]
        expected = [right[each].mean() for each in bins if each.sum() >= 10]
        assert line.get_ydata() == pytest.approx(expected)


def drawn_sheet(some):
    """Return the images, and the texts by their place, of the contact sheet of a comparison."""
    with style.styled():
        figure = page.sheet(some.compared, some.evidence).draw()
    assert figure.get_figwidth() * page.DPI == 800
    (ax,) = figure.axes
    return [image.get_array() for image in ax.images], ax.texts


def test_the_sheet_has_the_ten_images_of_each_kind_that_changed_most(made):
    some = made()
    images, texts = drawn_sheet(some)

    indices = [index for kind in ("fixed", "broken") for index in some.compared.of_kind(kind)[:10]]
    assert len(images) == 20
    for image, caption, heading, index in zip(images, texts[::2], texts[1::2], indices, strict=True):
        before, after = ((side[:, index].argmax(1) == some.labels[index]).sum() for side in (some.base, some.new))
        kind = some.compared.changed[index]
        assert heading.get_text() == f"{kind} {index}: {before}/3 → {after}/5 right"
        assert caption.get_color() == (style.RIGHT if kind == "fixed" else style.WRONG)
        text = caption.get_text().replace("-\n", "-").replace("\n", " ")
        sides = [side[:, index].mean(axis=0) for side in (some.base, some.new)]
        base, new = (f"{style.drawable(some.classes)[side.argmax()]} {side.max():.0%}" for side in sides)
        assert text == f"{style.drawable(some.classes)[some.labels[index]]} base: {base} new: {new}" or "…" in text
        assert np.asarray(image) == pytest.approx(some.images[index])


@pytest.mark.parametrize(("fixed", "broken"), [(3, 0), (0, 12), (1, 6)])
def test_a_sheet_may_have_few_images_of_a_kind(made, fixed, broken):
    some = made()
    kept = [*some.compared.of_kind("fixed")[:fixed], *some.compared.of_kind("broken")[:broken]]
    changed = {index: some.compared.changed[index] for index in kept}

    images, _ = drawn_sheet(some._replace(compared=some.compared._replace(changed=changed)))

    assert len(images) == fixed + min(broken, 10)
