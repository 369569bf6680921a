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
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train", "validation", "guessing: ln 3"]
    loss, accuracy = curves.training(history[histories.COLUMNS], classes=3).axes
    assert (len(loss.lines), len(accuracy.lines)) == (3, 2)


def test_a_bin_of_few_images_has_a_bar_but_no_point():
    """Network 1 has 0.9 for twenty images; network 2 has 0.7 for ten images, 1 for nine, and 0.8 for one."""
    first = calibration.means(calibration.sums(np.array([[0.9, 0.1]] * 20), np.arange(20) % 2))
    sure = np.array([0.7] * 10 + [1] * 9 + [0.8])
    second = calibration.means(calibration.sums(np.stack([sure, 1 - sure], axis=1), np.zeros(20, int)))

    ax, images = curves.reliability([first], second).axes

    assert [line.get_xydata().tolist() for line in ax.lines[1:]] == [
        [pytest.approx([0.9, 0.5])],
        [pytest.approx([0.7, 1])],
    ]
    assert ax.lines[2].get_linewidth() > 2 * ax.lines[1].get_linewidth()
    heights = {index: bar.get_height() for index, bar in enumerate(images.patches) if bar.get_height()}
    assert heights == pytest.approx({10: 0.5, 11: 0.05, 14: 0.45})
    ax, images = curves.reliability([first], None).axes
    assert len(ax.lines) == 2 and images.patches[13].get_height() == 1


@pytest.mark.parametrize("losses", [(9.0, 0.001), (2.3, 0.3)])
def test_the_scales_depend_on_the_number_of_classes_alone(losses):
    """A loss beyond the ends is drawn at the end; its label says so."""
    columns = [(name, float) for name in histories.COLUMNS]
    history = np.array([(0, epoch, loss, 0.5) for epoch, loss in enumerate(losses)], columns)

    loss, accuracy = curves.training(history, classes=10).axes

    assert loss.get_ylim() == (0.01, pytest.approx(2 * np.log(10))) and accuracy.get_ylim() == (0, 1)
    assert loss.lines[0].get_ydata() == pytest.approx(np.clip(losses, 0.01, 2 * np.log(10)))
    assert [label.get_text() for label in loss.get_yticklabels()] == ["≤0.01", "0.1", "1", "≥4.6"]
