"""The statistics against scipy, statsmodels and values worked by hand, and on simulated networks."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from core.config.params import Params
from core.scores import ensemble, scores
from tools.compare import statistics
from tools.compare.statistics import Noise, Part


@pytest.mark.parametrize("table", [(0, 0), (0, 1), (5, 5), (3, 11), (11, 3), (0, 40), (400, 460), (3000, 3000)])
def test_mcnemar_is_statsmodels(table):
    expected = mcnemar([[1, table[0]], [table[1], 1]], exact=True).pvalue if sum(table) else 1

    assert statistics.mcnemar(*table) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    "p_values", [[0.04], [0.01, 0.04, 0.03], [0.5, 0.001, 0.9, 0.012, 0.012, 0.0], [1.0, 0.7, 0.8]]
)
def test_holm_is_statsmodels(p_values):
    assert statistics.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


# Beyond this, on either side, 5 % of Student's t with 2 degrees of freedom lie: its p-value is 1 - t / sqrt(t^2 + 2).
T_OF_2 = 0.95 * sqrt(2 / (1 - 0.95**2))


@pytest.mark.parametrize("kind", [bool, float])
@pytest.mark.fault(
    "an error of a comparison too small, degrees of freedom too many, also with fewer replicates on one side"
)
def test_the_error_is_not_less_than_the_interaction_makes_it_worked_by_hand(kind):
    """On each side both replicates have the same mean; of what is left of a score without the means of its replicate
    and its image, the squares add up to 1, over (2 - 1) (3 - 1) degrees of freedom. The interaction in the mean of 2
    replicates and 3 images is 1/2/3/2 = 1/12 of either side, which the replicates' part is no less than. The images
    differ by 1/2, 0 and 1/2: the variance of their mean is 1/12/3 = 1/36, less than the interaction in it, 1/6. So the
    squared error is 1/12 + 1/12 + 0, its degrees of freedom (1/6)^2 / (2 (1/12)^2 / 1) = 2, t is sqrt(2/3).
    """
    base, new = np.array([[1, 0, 0], [0, 1, 0]], kind), np.array([[1, 1, 0], [1, 0, 1]], kind)

    for change, sign in ((statistics.of_recipes(base, new), 1), (statistics.of_recipes(new, base), -1)):
        assert (change.base, change.new) == pytest.approx((1 / 3, 2 / 3)[::sign])
        assert change.difference == pytest.approx(sign / 3)
        assert change.error**2 == pytest.approx(1 / 6)
        assert change.degrees_of_freedom == pytest.approx(2)
        assert change.p_value == pytest.approx(0.5)
        half = T_OF_2 * sqrt(1 / 6)
        ends = (-1, 1) if kind is bool else (sign / 3 - half, sign / 3 + half)
        assert change.interval == pytest.approx(ends)


@pytest.mark.fault(
    "an error of a comparison too small, degrees of freedom too many, also with fewer replicates on one side"
)
def test_the_error_of_two_replicates_against_three_worked_by_hand():
    """Replicates: the means 2 and 4 have the variance 2, that of their mean is 2/2 = 1, by 1 degree of freedom; of 5, 8
    and 11 it is 9/3 = 3, by 2. By Satterthwaite that is 4 by 4^2 / (1^2/1 + 3^2/2) = 32/11 degrees of freedom, but no
    more than 2 (2 - 1) = 2. Interaction: 4 / (1 * 2) / 3 / 2 = 1/3 and 4 / (2 * 2) / 3 / 3 = 1/9. Images differ by 1, 7
    and 7: 12/3 - 1/3 - 1/9 = 32/9, by 2 degrees of freedom.
    """
    base, new = np.array([[1.0, 2, 3], [3, 2, 7]]), np.array([[1.0, 5, 9], [2, 10, 12], [6, 12, 15]])

    for change, sign in ((statistics.of_recipes(base, new), 1), (statistics.of_recipes(new, base), -1)):
        variance = 4 + 32 / 9
        freedom = variance**2 / (4**2 / 2 + (32 / 9) ** 2 / 2)
        assert change.difference == 5 * sign
        assert change.error**2 == pytest.approx(variance)
        assert change.degrees_of_freedom == pytest.approx(freedom)
        assert change.p_value == pytest.approx(2 * stats.t.sf(5 / sqrt(variance), freedom))
        half = stats.t.ppf(0.975, freedom) * sqrt(variance)
        assert change.interval == pytest.approx((5 * sign - half, 5 * sign + half))


def test_means_of_replicates_alone_are_welchs_with_as_few_degrees_of_freedom_worked_by_hand():
    """The same replicates as above: 4 by 2 degrees of freedom, where Welch alone has 32/11. With 1 and 7 in place of 1
    and 3 the smaller side has the larger part, 9 of 12, and so fewer degrees of freedom by itself: 32/19.
    """
    capped = statistics.of_replicates(np.array([1.0, 3]), np.array([5.0, 8, 11]))

    assert (capped.base, capped.new, capped.error, capped.degrees_of_freedom) == (2, 8, 2, 2)
    assert capped.p_value == pytest.approx(1 - 3 / sqrt(11))
    assert capped.interval == pytest.approx((6 - 2 * T_OF_2, 6 + 2 * T_OF_2))
    welchs = statistics.of_replicates(np.array([1.0, 7]), np.array([5.0, 8, 11]))
    expected = stats.ttest_ind([5, 8, 11], [1, 7], equal_var=False)
    assert (welchs.error**2, welchs.degrees_of_freedom) == pytest.approx((12, 32 / 19))
    assert welchs.p_value == pytest.approx(expected.pvalue)
    assert welchs.interval == pytest.approx(tuple(expected.confidence_interval()))
    one = statistics.of_replicates(np.array([1.0]), np.array([5.0, 8, 11]))
    assert (one.base, one.new, one.interval, one.p_value) == (1, 8, (-inf, inf), 1)


def test_two_networks_are_compared_by_mcnemars_test_and_their_losses_by_the_paired_t_test():
    base, new = (np.repeat(np.array(right, bool), [80, 4, 15, 1]) for right in ([1, 1, 0, 0], [1, 0, 1, 0]))
    generator = np.random.default_rng(0)
    losses = generator.exponential(1, (2, 200))

    change, of_loss = statistics.of_networks(base, new), statistics.of_networks(*losses)

    assert (change.base, change.new) == (0.84, 0.95)
    assert change.p_value == pytest.approx(stats.binomtest(4, 19, 0.5).pvalue)
    expected = stats.ttest_rel(losses[1], losses[0])
    assert of_loss.p_value == pytest.approx(expected.pvalue)
    assert of_loss.interval == pytest.approx(tuple(expected.confidence_interval()))


@pytest.mark.parametrize("compare", [statistics.of_recipes, lambda a, b: statistics.of_networks(a[0], b[0])])
def test_nothing_is_known_from_one_image(compare):
    change = compare(np.zeros((3, 1)), np.ones((3, 1)))

    assert change.interval == (-inf, inf) and change.p_value == 1 and change.difference == 1


@pytest.mark.parametrize("right", [0, 1])
def test_without_any_spread_the_noise_is_unknown(right):
    """Three equal networks a side; all images changed, or none."""
    base, new = np.zeros((3, 20), bool), np.full((3, 20), right, bool)

    recipes, networks = statistics.of_recipes(base, new), statistics.of_networks(base[0], new[0])

    assert recipes.interval == networks.interval == (-inf, inf)
    assert recipes.p_value == 1
    assert networks.p_value == pytest.approx(2 / 2**20 if right else 1)


def test_the_interval_of_a_share_has_no_impossible_differences():
    """That of a loss has no limits."""
    base, new = np.array([[0, 0, 1], [0, 0, 0]], bool), np.array([[1, 1, 1], [1, 0, 0]], bool)

    of_recipes, of_networks = statistics.of_recipes(base, new), statistics.of_networks(base[1], new[1])
    of_loss = statistics.of_recipes(base.astype(float), new.astype(float))

    assert of_recipes.interval == (-1, 1) and of_networks.interval[1] == 1
    assert of_loss.interval[0] < -1 and of_loss.interval[1] > 1
    assert of_loss[:5] == of_recipes[:5]


@pytest.mark.fault("one network against several: its spread left out of the error")
def test_one_network_against_three_worked_by_hand():
    """The means 5, 8 and 11 have the variance 9, so that of a new draw and of their mean is 9 (1 + 1/3) = 12, by 2
    degrees of freedom. The interaction is 4 / (2 * 2) / 3 = 1/3 in one replicate. The images differ by 1, 6 and 8: 13/3
    less 1/3 (1 + 1/3), by 2 degrees of freedom.
    """
    base, new = np.array([[2.0, 3, 4]]), np.array([[1.0, 5, 9], [2, 10, 12], [6, 12, 15]])

    for change, sign in ((statistics.of_recipes(base, new), 1), (statistics.of_recipes(new, base), -1)):
        of_images = 13 / 3 - 4 / 9
        assert change.difference == 5 * sign
        assert change.error**2 == pytest.approx(12 + of_images)
        freedom = (12 + of_images) ** 2 / (12**2 / 2 + of_images**2 / 2)
        assert change.degrees_of_freedom == pytest.approx(freedom)


# Power and equivalence


@pytest.mark.parametrize("replicates", [3, 5, 10])
def test_the_power_is_statsmodels_if_the_error_is_known(replicates):
    effect = TTestIndPower().solve_power(nobs1=replicates, alpha=0.05, power=0.8)

    found = statistics.detectable(1e9, 2 * replicates - 2)

    assert found == pytest.approx(effect * sqrt(replicates / 2), rel=0.01)


def test_the_smallest_change_is_in_units_of_the_error_and_no_larger_than_a_share_can_change():
    change = statistics.Change(0.5, 0.6, 0.02, 8, 0.1, 1)

    assert change.smallest == pytest.approx(0.02 * statistics.detectable(8, 8))
    assert change._replace(error=0.5).smallest == inf
    assert change._replace(error=0.5, largest=inf).smallest > 1


@pytest.mark.parametrize("gain", [0.2, -0.2, 0.7])
def test_equivalence_is_statsmodels_two_one_sided_tests(gain):
    """Without noise of images, where Welch's degrees of freedom hold."""
    generator = np.random.default_rng(3)
    base, new = (generator.normal(mean, 0.3, (6, 1)) for mean in (0, gain))
    change = statistics.of_recipes(*(np.repeat(side, 50, axis=1) for side in (base, new)))

    found = [change.equivalent(tolerance) for tolerance in np.arange(0, 2, 0.01)]

    p_values = [ttost_ind(new, base, -tolerance, tolerance, usevar="unequal")[0] for tolerance in np.arange(0, 2, 0.01)]
    assert found == [bool(p_value <= 0.025) for p_value in p_values] and len(set(found)) == 2
    assert not change._replace(error=inf).equivalent(1e9)


@pytest.mark.parametrize("change", [0.4, 1.0, 1.5])
def test_a_plan_is_statsmodels_if_the_spread_is_known(change):
    needed = TTestIndPower().solve_power(effect_size=change, alpha=0.05, power=0.8)

    assert Noise([Part(1.0, 1e9)], Part(0, 1)).replicates(change) == np.ceil(needed)
    assert Noise([Part(1.0, 1e9)] * 2, Part(0, 1)).replicates(change) == np.ceil(needed)


def test_a_plan_from_a_few_replicates_asks_for_more_and_the_test_images_set_a_limit():
    """Unlimited replicates leave the error of the images, 0.01, of which 1.96 + 0.84 are found."""
    noise = Noise([Part(1e-4, 4)] * 2, Part(1e-4, 9999))

    assert noise.smallest(10**6) == pytest.approx(0.02802, abs=1e-4)
    assert noise.replicates(0.028) is None
    assert noise.replicates(0.035) > Noise([Part(1e-4, 1e9)] * 2, Part(1e-4, 9999)).replicates(0.035)
    assert [noise.smallest(noise.replicates(0.035) - less) <= 0.035 for less in (0, 1)] == [True, False]


def test_a_plan_asks_for_no_more_replicates_than_params_allow():
    most = Params.model_fields["train"].annotation.model_json_schema()["properties"]["replicates"]["maximum"]
    noise = Noise([Part(1.0, 1e9)], Part(0, 1))

    assert most == statistics.MOST
    assert noise.replicates(noise.smallest(most)) == most
    assert noise.replicates(noise.smallest(most) * 0.999) is None


def test_a_side_alone_has_its_spread_and_no_noise_of_images():
    side = np.array([[1.0, 5, 9], [2, 10, 12], [6, 12, 15]])

    assert statistics.spread(side) == ([(pytest.approx(9), 2)], (0, 2))


# Ensembles


@pytest.mark.parametrize("replicates", [(3, 3), (2, 5)])
def test_if_a_score_is_linear_the_ensemble_has_the_change_and_the_error_of_the_mean(replicates):
    """The mean of the probabilities of the label is the same for both."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    base, new = (
        generator.dirichlet(np.ones(3), (number, 200)) * 0.5
        + 0.5 * generator.dirichlet(np.ones(3), 200)
        + generator.normal(0, 0.2, (number, 1, 1))
        for number in replicates
    )

    def probability(side, labels):
        return side[np.arange(len(labels)), labels]

    expected = statistics.of_recipes(*(np.stack([probability(each, labels) for each in side]) for side in (base, new)))
    found = statistics.of_ensembles(base, new, labels, probability)

    assert found[:3] == pytest.approx(expected[:3])


def test_the_scores_are_those_of_the_ensembles_and_one_image_has_no_known_noise():
    generator = np.random.default_rng(0)
    base, new = (generator.dirichlet(np.ones(3), (3, 200)).astype(np.float32) for _ in range(2))
    labels = generator.integers(0, 3, 200)
    accuracies = [(ensemble.average(side).argmax(1) == labels).mean() for side in (base, new)]

    found = statistics.of_ensembles(base, new, labels, scores.right)

    assert found[:2] == pytest.approx(accuracies) and found.largest == 1
    assert statistics.of_ensembles(base[:, :1], new[:, :1], labels[:1], scores.right).interval == (-inf, inf)
    assert statistics.of_ensembles(base, base, labels, scores.right).interval == (0, 0)


# On simulated networks


def drawn(generator, replicates, *, gain=0.0, of_images=0.0):
    """Return scores of 300 images by both sides: normal, with these standard deviations: networks 0.02, images that are
    harder for one side `of_images`, networks on single images 0.2.
    """
    return [
        mean + generator.normal(0, 0.02, (number, 1)) + images + generator.normal(0, 0.2, (number, 300))
        for number, mean, images in zip(replicates, (0, gain), (0, generator.normal(0, of_images, 300)), strict=True)
    ]


def share_called_different(replicates, **given):
    """Return the share of 1000 draws in which two sides are called different. tests/benchmarks has the share of real
    networks.
    """
    generator = np.random.default_rng(0)
    changes = [statistics.of_recipes(*drawn(generator, replicates, **given)) for _ in range(1000)]
    return np.mean([change.p_value < statistics.SIGNIFICANCE for change in changes])


@pytest.mark.parametrize("replicates", [(5, 5), (3, 20), (1, 5)])
@pytest.mark.parametrize("of_images", [0, 0.5])
def test_equally_good_recipes_are_called_different_in_five_percent(replicates, of_images):
    """Welch's test of the replicates alone finds more, as all of them see the same test images."""
    assert 0.02 <= share_called_different(replicates, of_images=of_images) <= 0.07


@pytest.mark.fault("power promised that a new experiment does not have")
@pytest.mark.parametrize("replicates", [(3, 3), (5, 5), (1, 5)])
def test_a_new_experiment_finds_the_change_that_another_one_promised_in_80_percent(replicates):
    generator = np.random.default_rng(0)

    def found():
        promised = statistics.of_recipes(*drawn(generator, replicates, of_images=0.3)).smallest
        return statistics.of_recipes(*drawn(generator, replicates, of_images=0.3, gain=promised)).p_value < 0.05

    assert np.mean([found() for _ in range(1000)]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.fault("recipes called equivalent that differ by the tolerance")
@pytest.mark.parametrize("replicates", [(3, 3), (5, 5), (1, 5)])
def test_recipes_that_differ_by_the_tolerance_are_called_equivalent_in_2_to_3_percent(replicates):
    generator = np.random.default_rng(0)
    changes = [statistics.of_recipes(*drawn(generator, replicates, of_images=0.3, gain=0.2)) for _ in range(1000)]

    assert np.mean([change.equivalent(0.2) for change in changes]) == pytest.approx(0.025, abs=0.015)
