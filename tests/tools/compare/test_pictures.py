"""The figures of a change, read back from their axes."""

import numpy as np
import pytest

from core.files.history import by_replicate
from stages.render import style
from tests.tools.compare.conftest import HISTORIES
from tools.compare import page, pictures
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
    assert markers[1] == pytest.approx(right[0] - right[0].mean())
    assert markers[2] == pytest.approx(right[1] - right[0].mean())
    assert ends[0] == pytest.approx([100 * end for end in some.compared.accuracy.change.interval])
    together = [100 * (side.mean(axis=0).argmax(axis=1) == some.labels).mean() for side in (some.base, some.new)]
    assert markers[3] == pytest.approx([together[1] - together[0]])
    for ax in (accuracy, loss):
        low, high = ax.get_xlim()
        assert -low == high > max(abs(value) for row in points(ax)[0] for value in row)
    band = accuracy.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx((-2, 4)) and not loss.patches
    rows = [-np.log(side[:, np.arange(400), some.labels]).mean(axis=1) for side in (some.base, some.new)]
    assert points(loss)[0][2] == pytest.approx(rows[1] - rows[0].mean(), abs=1e-5)
    assert [tick.get_text() for tick in accuracy.get_yticklabels()] == ["one network", "ensemble"]


def test_without_an_interval_a_change_is_a_ring(made, draw):
    accuracy, _ = draw(made((1, 3)), "changes.png")

    rings = [line for line in accuracy.lines if line.get_markerfacecolor() == "white"]
    assert [list(ring.get_ydata()) for ring in rings] == [[1]]


def test_recalls_are_sorted_by_their_change_and_coloured_by_their_verdict():
    shown = [
        (name, Score(Change(0.5, 0.5 + change, 0.01, 1e9, 0.5), 0.5, verdict, 0.1))
        for name, change, verdict in (("a", -0.1, "worse"), ("b", 0.2, "better"), ("c", 0.05, "no evidence"))
    ]

    with style.styled():
        (ax,) = pictures.recalls(shown).axes

    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["b", "c", "a"]
    markers, ends = points(ax)
    assert [float(dot) for (dot,) in markers] == pytest.approx([20, 5, -10])
    assert ends[0] == pytest.approx([20 - 1.96, 20 + 1.96], abs=0.01)
    colours = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    assert colours == [style.RIGHT, pictures.UNDECIDED, style.WRONG]


def test_a_confusion_matrix_has_the_changes_of_the_shares_on_a_fixed_scale_blue_if_better(made, draw):
    some = made()
    ax = draw(some, "confusion.png")[0]

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
    assert image.get_clim() == (-10, 10)
    sign = np.where(np.eye(10), 1, -1)
    assert np.asarray(image.get_array()) == pytest.approx(sign * change)
    red, _, blue, _ = image.to_rgba(10.0)
    assert blue > red


def test_curves_have_a_line_for_each_network_of_both_sides_from_epoch_1(made, draw):
    loss, accuracy = draw(made(), "curves.png")

    lines = [(line.get_color(), line.get_linestyle(), list(line.get_ydata())) for line in loss.lines]
    assert lines == [
        (pictures.BASE, "-", [0.5]),
        (pictures.BASE, "-", [0.7]),
        (pictures.NEW, "-", [0.4, 0.25]),
        (pictures.NEW, "--", [0.5, 0.6]),
    ]
    assert [list(line.get_ydata()) for line in accuracy.lines][2:] == [[0.8, 0.9], [0.7, 0.6]]
    assert len(by_replicate(HISTORIES.base)) == 2


def test_reliability_has_the_bins_of_both_ensembles(made, draw):
    some = made()
    (ax,) = draw(some, "reliability.png")

    for line, side in zip(ax.lines[1:], (some.base, some.new), strict=True):
        ensemble = side.mean(axis=0)
        confidence, right = ensemble.max(axis=1), ensemble.argmax(axis=1) == some.labels
        bins = [(low < confidence) & (confidence <= low + 1 / 15) for low in np.arange(15) / 15]
        expected = [right[each].mean() for each in bins if each.sum() >= 10]
        assert line.get_ydata() == pytest.approx(expected)


def test_the_sheet_has_the_ten_clearest_of_each_kind(made):
    some = made()
    with style.styled():
        figure = pictures.sheet(some.evidence)

    shown = [ax for ax in figure.axes if ax.images]
    assert len(shown) == 20
    indices = [image for kind in ("fixed", "broken") for image in some.evidence.of_kind(kind)[:10]]
    for ax, index in zip(shown, indices, strict=True):
        before, after = ((side[:, index].argmax(1) == some.labels[index]).sum() for side in (some.base, some.new))
        assert ax.get_title() == f"{index}: {before}/3 → {after}/5 right"
        true, *lines = ax.get_xlabel().replace("-\n", "-").split("\n")
        assert true == style.drawable(some.classes)[some.labels[index]][: len(true)] or "…" in true
        for line, name, side in zip((lines[0], lines[-1]), ("base", "new"), (some.base, some.new), strict=True):
            assert line.startswith(f"{name}: ") or len(lines) > 2
            predicted = side[:, index].mean(axis=0).max()
            assert f"{predicted:.0%}" in ax.get_xlabel()
        assert np.asarray(ax.images[0].get_array()) == pytest.approx(some.images[index])


@pytest.mark.parametrize(("fixed", "broken"), [(3, 0), (0, 12), (1, 6)])
def test_a_sheet_of_few_images_has_no_empty_frames(made, fixed, broken):
    some = made()
    kinds = [("fixed", fixed), ("broken", broken)]
    changed = {index: kind for kind, most in kinds for index in some.evidence.of_kind(kind)[:most]}

    with style.styled():
        figure = pictures.sheet(some.evidence._replace(changed=changed))

    assert len([ax for ax in figure.axes if ax.axison]) == fixed + min(broken, 10)
    assert figure.get_figwidth() * page.DPI == 800
    assert len(figure.subfigs) == (fixed > 0) + (broken > 0)
