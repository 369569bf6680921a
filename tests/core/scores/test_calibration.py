import numpy as np
from sklearn.calibration import calibration_curve

from core.scores import calibration

RANDOM = np.random.default_rng(0)
PROBABILITIES = RANDOM.dirichlet([0.3] * 4, 2000).astype(np.float32)
LABELS = RANDOM.integers(0, 4, 2000).astype(np.uint8)


def test_the_bins_are_those_of_scikit_learn():
    """There the curve is one of two classes, here right and wrong, and has the filled bins alone."""
    right = PROBABILITIES.argmax(axis=1) == LABELS
    confidence = PROBABILITIES.max(axis=1).astype(np.float64)
    shares, means = calibration_curve(right, confidence, n_bins=15)

    bins = calibration.means(calibration.sums(PROBABILITIES, LABELS))

    filled = bins.images > 0
    np.testing.assert_allclose(bins.accuracy[filled], shares)
    np.testing.assert_allclose(bins.confidence[filled], means)
    assert not filled[:3].any()  # the largest of four probabilities is at least 1/4
    assert bins.images.sum() == 2000
    assert np.isnan(bins.accuracy[~filled]).all()


def test_a_confidence_on_an_edge_is_in_the_lower_bin():
    bins = calibration.means(calibration.sums(np.array([[0.6, 0.4], [1 / 3, 2 / 3]]), np.array([0, 1])))

    assert np.flatnonzero(bins.images).tolist() == [8, 9]  # 9 / 15 ends bin 8, 10 / 15 ends bin 9


def test_accuracy_by_coverage_starts_with_the_most_certain_images():
    """By falling confidence: right (0.9), wrong (0.8), right (0.7, the earlier of two), wrong (0.7)."""
    probabilities = np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])

    accuracy = calibration.accuracy_by_coverage(probabilities, np.array([0, 0, 0, 1]))

    assert accuracy.tolist() == [1, 1 / 2, 2 / 3, 2 / 4]
