from math import log

import numpy as np
import pytest

from core.scores import calibration
from stages.render.figures import curves


def history(*, validation: bool) -> np.ndarray:
    """Two replicates, two epochs, and the untrained networks."""
    names = ["replicate", "epoch", "train_loss", "train_accuracy"]
    names += ["validation_loss", "validation_accuracy"] * validation
    rows = [
        (0, 0, 1.1, 0.3, 1.2, 0.2),
        (0, 1, 0.8, 0.6, 0.9, 0.5),
        (0, 2, 0.5, 0.8, 0.7, 0.7),
        (1, 0, 1.0, 0.4, 1.1, 0.3),
        (1, 1, 0.7, 0.7, 0.8, 0.6),
        (1, 2, 0.4, 0.9, 0.6, 0.8),
    ]
    return np.array([row[: len(names)] for row in rows], [(name, float) for name in names])


def test_the_curves_have_a_line_a_replicate_and_the_untrained_network_in_the_loss_alone():
    loss, accuracy = curves.training(history(validation=True), classes=3).axes
    *lines, guessing = loss.lines

    assert [list(line.get_ydata()) for line in lines] == [
        [1.1, 0.8, 0.5],
        [1.0, 0.7, 0.4],
        [1.2, 0.9, 0.7],
        [1.1, 0.8, 0.6],
    ]
    assert {tuple(line.get_xdata()) for line in lines} == {(0, 1, 2)}
    assert list(guessing.get_ydata()) == [log(3)] * 2
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[0.6, 0.8], [0.7, 0.9], [0.5, 0.7], [0.6, 0.8]]
    assert {tuple(line.get_xdata()) for line in accuracy.lines} == {(1, 2)}
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train", "validation"]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color() == lines[3].get_color()
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("epoch", "loss (cross-entropy), nats")


def test_without_validation_images_there_are_no_curves_of_them():
    loss, accuracy = curves.training(history(validation=False), classes=3).axes

    assert len(accuracy.lines) == 2 and len(loss.lines) == 3
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train"]


def test_reliability_has_a_line_a_replicate_over_the_share_of_images_in_each_bin():
    """Two replicates: one has 0.9 for twenty images, half of them right; the other 0.7 for ten, all right, 1 for nine,
    and 0.8 for one: nine images are too few for a point of the line, but not for a bar.
    """
    labels = np.arange(20) % 2
    first = calibration.reliability(np.array([[0.9, 0.1]] * 20), labels)
    sure = np.array([0.7] * 10 + [1] * 9 + [0.8])
    second = calibration.reliability(np.stack([sure, 1 - sure], axis=1), np.zeros(20, int))

    ax, images = curves.reliability([first, second]).axes
    diagonal, *lines = ax.lines

    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert [list(line.get_xdata()) for line in lines] == [pytest.approx([0.9]), pytest.approx([0.7])]
    assert [list(line.get_ydata()) for line in lines] == [[0.5], [1]]
    heights = {index: bar.get_height() for index, bar in enumerate(images.patches) if bar.get_height()}
    assert heights == pytest.approx({10: 0.25, 11: 0.025, 13: 0.5, 14: 0.225})
    assert ax.get_ylabel() != images.get_ylabel()


@pytest.mark.parametrize("count", [1, 7, 5000])
def test_coverage_ends_with_all_images_and_begins_with_no_handful_of_them(count):
    accuracy = np.linspace(1, 0.5, count)

    (line,) = curves.coverage([accuracy]).axes[0].lines
    covered, shown = line.get_data()

    assert covered[-1] == 1 and shown[-1] == accuracy[-1]
    assert covered[0] == max(0.01, 1 / count) and len(covered) <= 400
    assert shown.tolist() == [accuracy[round(share * count) - 1] for share in covered]
