"""Curves of unusual results; test_numbers checks the values of usual curves."""

import numpy as np
import pytest

from core.files import history as histories
from core.scores import calibration
from stages.render.figures import curves


def test_train_and_validation_have_different_colours_and_validation_may_be_missing():
    rows = [(number, epoch, 1, 0.5, 1, 0.5) for number in range(2) for epoch in range(3)]
    columns = histories.COLUMNS + histories.VALIDATION
    history = np.array(rows, [(name, float) for name in columns])

    loss, accuracy = curves.training(history, classes=3).axes
    colours = [line.get_color() for line in loss.lines[:-1]]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train", "validation"]
    loss, accuracy = curves.training(history[histories.COLUMNS], classes=3).axes
    assert (len(loss.lines), len(accuracy.lines)) == (3, 2)


def test_a_bin_of_few_images_has_a_bar_but_no_point():
    """Network 1 has 0.9 for twenty images; network 2 has 0.7 for ten images, 1 for nine, and 0.8 for one."""
    first = calibration.means(calibration.sums(np.array([[0.9, 0.1]] * 20), np.arange(20) % 2))
    sure = np.array([0.7] * 10 + [1] * 9 + [0.8])
    second = calibration.means(calibration.sums(np.stack([sure, 1 - sure], axis=1), np.zeros(20, int)))

    ax, images = curves.reliability([first, second]).axes

    assert [line.get_xydata().tolist() for line in ax.lines[1:]] == [
        [pytest.approx([0.9, 0.5])],
        [pytest.approx([0.7, 1])],
    ]
    heights = {index: bar.get_height() for index, bar in enumerate(images.patches) if bar.get_height()}
    assert heights == pytest.approx({10: 0.25, 11: 0.025, 13: 0.5, 14: 0.225})


@pytest.mark.parametrize("count", [1, 7, 5000])
def test_coverage_ends_with_all_images_and_does_not_begin_with_too_few(count):
    accuracy = np.linspace(1, 0.5, count)

    (line,) = curves.coverage([accuracy]).axes[0].lines
    covered, shown = line.get_data()

    assert covered[-1] == 1 and shown[-1] == accuracy[-1]
    assert covered[0] == max(0.01, 1 / count) and len(covered) <= 400
    assert shown.tolist() == [accuracy[round(share * count) - 1] for share in covered]
