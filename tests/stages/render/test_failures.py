import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from stages.render import failures


def test_the_most_confused_pairs_have_no_diagonal_and_no_empty_cells():
    counts = np.array([[9, 2.5, 0], [3, 9, 2.5], [0, 0, 9]])

    assert failures.most_confused(counts, 9) == [(1, 0), (0, 1), (1, 2)]
    assert failures.most_confused(counts, 1) == [(1, 0)]
    assert failures.most_confused(np.eye(3), 9) == []


def test_each_replicate_has_its_confusion_matrix(some):
    made = some(replicates=3)

    expected = [confusion_matrix(made.test.labels, each.argmax(axis=1)) for each in made.probabilities]

    assert failures.matrices_of(made).tolist() == [matrix.tolist() for matrix in expected]


def test_pairs_are_means_over_the_replicates_with_their_spread(results, written_tables):
    """Of four images of class 0, one replicate takes three for class 1, the other one."""
    probabilities = np.eye(2)[[[1, 1, 1, 0, 1], [0, 0, 0, 1, 1]]]

    pairs, _ = written_tables(failures.section, results(probabilities, [0, 0, 0, 0, 1]))

    assert pairs.columns == ["true", "taken for", "images", "standard deviation", "share of the true class"]
    assert pairs.rows == [["class-0", "class-1", "2.0", "1.4", "0.5000"]]
    pairs, _ = written_tables(failures.section, results(probabilities[:1], [0, 0, 0, 0, 1]))
    assert pairs.rows == [["class-0", "class-1", "3", "0.7500"]]


def test_recall_and_precision_have_wilsons_intervals(some, written_tables):
    made = some(replicates=1, images=90)
    (counts,) = failures.matrices_of(made)

    _, classes = written_tables(failures.section, made)

    for index, row in enumerate(classes.rows):
        for cell, images in ((row[2], counts[index].sum()), (row[3], counts[:, index].sum())):
            ends = proportion_confint(counts[index, index], images, method="wilson")
            share, low, high = (float(number.strip("()")) for number in cell.split() if number != "to")
            assert (share, low, high) == pytest.approx((counts[index, index] / images, *ends), abs=6e-5)
