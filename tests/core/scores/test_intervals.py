import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.scores import intervals


@pytest.mark.parametrize(("right", "images"), [(8795, 10_000), (0, 7), (7, 7), (1, 1), (3, 4), (500, 1000)])
def test_wilsons_interval_is_that_of_statsmodels(right, images):
    low, high = intervals.wilson(right / images, images)

    assert (low, high) == pytest.approx(proportion_confint(right, images, alpha=0.05, method="wilson"), abs=1e-6)


def test_the_interval_of_no_images_is_0_to_1():
    low, high = intervals.wilson(np.array([0.0, 0.5]), np.array([0, 100]))

    assert (low[0], high[0]) == pytest.approx((0, 1))
    assert 0.4 < low[1] < 0.5 < high[1] < 0.6


def test_an_interval_contains_its_own_share():
    shares = np.linspace(0, 1, 1001)
    for compute in (intervals.wilson, intervals.f1):
        low, high = compute(shares, 3.4)
        assert (low >= 0).all() and (low <= shares).all() and (shares <= high).all() and (high <= 1).all()


@pytest.mark.parametrize(("both", "only_true", "only_named"), [(60, 25, 15), (650, 350, 250), (5, 3, 2)])
def test_the_interval_of_f1_contains_the_true_score_in_about_95_of_100_samples(both, only_true, only_named):
    """20,000 samples of images, in which the numbers of hits, misses and false alarms vary."""
    images = 4 * (both + only_true + only_named)
    shares = np.array([both, only_true, only_named]) / images
    truth = 2 * both / (2 * both + only_true + only_named)
    hits, *others = np.random.default_rng(0).multinomial(images, [*shares, 1 - shares.sum()], 20_000).T
    either = hits + others[0] + others[1]

    low, high = intervals.f1(2 * hits / np.maximum(hits + either, 1), either)

    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.015)
