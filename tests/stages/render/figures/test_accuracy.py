"""The figure of the accuracy: its axis; test_numbers checks its values."""

import numpy as np
import pytest

from stages.render.figures.accuracy import Row, accuracy, window


@pytest.mark.parametrize(
    ("values", "images", "expected"),
    [
        ([0.8718, 0.9005], 10_000, (0.85, 0.95)),
        ([0.8561, 0.8702], 10_000, (0.85, 0.95)),  # another run on these images
        ([0.9851, 0.9999], 10_000, (0.9, 1)),
        ([0.9], 10_000, (0.9, 1)),
        ([0.11, 0.88], 10_000, (0, 1)),  # one network failed
        ([0.86, 0.93], 400, (0.5, 1)),
        ([0, 1], 1, (0, 1)),
    ],
)
def test_runs_on_the_same_images_have_an_axis_of_the_same_width(values, images, expected):
    assert window(values, images) == pytest.approx(expected)


def test_the_axis_has_room_for_any_values():
    random = np.random.default_rng(0)
    for images in (30, 400, 10_000, 1_000_000):
        for values in np.clip(
            random.normal(random.random((500, 1)), 10 ** random.uniform(-5, 0, (500, 1)), (500, 4)), 0, 1
        ):
            low, high = window(values.tolist(), images)
            assert -1e-9 <= low <= values.min() + 1e-9 and values.max() - 1e-9 <= high <= 1 + 1e-9


def test_a_single_accuracy_has_its_number_and_an_interval_is_a_line():
    ax = accuracy([Row("mean", [0.8], [0.7, 0.9]), Row("each", [0.75, 0.85])], 400).axes[0]

    assert [text.get_text() for text in ax.texts] == ["0.8000"]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0.7, 0.9], [0.8], [0.75, 0.85]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mean", "each"]
    assert ax.yaxis_inverted()
