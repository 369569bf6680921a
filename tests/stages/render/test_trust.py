import numpy as np
import pytest

from stages.render import trust


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1], "0.2000 more than the accuracy: overconfident."),
        ([0, 0], "0.3000 less than the accuracy: underconfident."),
    ],
)
def test_the_mean_confidence_beside_the_accuracy_tells_over_from_underconfident(results, render, labels, words):
    made = results([[[0.7, 0.3], [0.7, 0.3]]], labels)

    assert words in trust.section(made, render()).blocks[0]


def test_accuracy_by_coverage_is_a_mean_over_the_replicates(results, written_tables):
    """Ten images by falling confidence; the last is wrong in one network, the last three in the other."""
    sure = np.linspace(0.99, 0.6, 10)
    named = np.array([[0] * 9 + [1], [0] * 7 + [1] * 3])
    probabilities = np.where(np.eye(2)[named] == 1, sure[:, None], 1 - sure[:, None])

    _, coverage = written_tables(trust.section, results(probabilities, [0] * 10))

    assert coverage.rows == [
        ["1.00", f"{(9 / 10 + 7 / 10) / 2:.4f}"],
        ["0.95", f"{(9 / 10 + 7 / 10) / 2:.4f}"],
        ["0.90", f"{(1 + 7 / 9) / 2:.4f}"],
        ["0.80", f"{(1 + 7 / 8) / 2:.4f}"],
        ["0.50", "1.0000"],
    ]
