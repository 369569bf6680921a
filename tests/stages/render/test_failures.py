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


@pytest.mark.parametrize("replicates", [1, 3])
def test_scores_of_a_class_have_wilsons_intervals_as_if_of_one_network(some, written_tables, replicates):
    """F1 by way of the share s of the images that are both of the class and named so, F1 = 2s / (1 + s)."""
    made = some(replicates=replicates, images=90)
    counts = failures.matrices_of(made).mean(axis=0)

    _, classes = written_tables(failures.section, made)

    for index, row in enumerate(classes.rows):
        scores = made.metrics["classes"][row[0]]
        actual, named = counts[index].sum(), counts[:, index].sum()
        either, of_both = actual + named - counts[index, index], scores["f1"] / (2 - scores["f1"])
        wilson = [
            proportion_confint(share * images, images, method="wilson")
            for share, images in ((scores["recall"], actual), (scores["precision"], named), (of_both, either))
        ]
        wilson[2] = tuple(2 * end / (1 + end) for end in wilson[2])
        for cell, score, ends in zip(row[2:5], ("recall", "precision", "f1"), wilson, strict=True):
            numbers = [float(number.strip("()")) for number in cell.split() if number != "to"]
            assert numbers == pytest.approx([scores[score], *ends], abs=6e-5)


def test_mistakes_are_counted_on_average_and_of_the_replicate_that_is_shown(results, render):
    probabilities = np.eye(2)[[[1, 1, 1, 0, 1], [0, 0, 0, 1, 1]]]

    text = failures.section(results(probabilities, [0, 0, 0, 0, 1]), render()).blocks[0]

    assert text.startswith("Of 5 test images, 2.0 are classified wrongly on average over 2 replicates, and 3 by ")
    text = failures.section(results(probabilities[:1], [0, 0, 0, 0, 1]), render()).blocks[0]
    assert text == "3 of 5 test images are classified wrongly."
