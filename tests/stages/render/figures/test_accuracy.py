"""The figure of the accuracy: its axis; test_numbers checks its values."""

import pytest

from stages.render.figures.accuracy import Row, accuracy


@pytest.mark.parametrize(
    ("values", "low"),
    [
        ([0.8718, 0.9005], 0.8),
        ([0.8561, 0.8702], 0.8),  # another run
        ([0.9851, 1], 0.98),
        ([0.995, 0.999], 0.99),
        ([0.8, 0.9], 0.5),
        ([0.49, 0.88], 0),
        ([0, 1], 0),
    ],
)
def test_the_axis_ends_at_1_and_begins_at_one_of_few_numbers(values, low):
    for rows in ([Row("each", values)], [Row("mean", [max(values)], values)]):
        ax = accuracy(rows).axes[0]
        assert ax.get_xlim() == (low, 1) and 5 <= len(ax.get_xticks()) <= 6


def test_a_single_accuracy_has_its_number_and_an_interval_is_a_line():
    ax = accuracy([Row("mean", [0.8], [0.7, 0.9]), Row("each", [0.75, 0.85])]).axes[0]

    assert [text.get_text() for text in ax.texts] == ["0.8000"]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0.7, 0.9], [0.8], [0.75, 0.85]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mean", "each"]
    assert ax.yaxis_inverted()
