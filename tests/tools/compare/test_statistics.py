"""The statistics against scipy and statsmodels, and against simulated networks of which the truth is known."""

from math import inf

import numpy as np
import pytest
from scipy import special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from tools.compare import statistics

IMAGES = 10_000


def test_the_incomplete_beta_function_is_scipys():
    generator = np.random.default_rng(0)
    for a, b in 10 ** generator.uniform(-0.3, 4, (500, 2)):
        x = generator.beta(a, b)
        assert statistics.incomplete_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-10)
    assert statistics.incomplete_beta(0, 2, 3) == 0 and statistics.incomplete_beta(1, 2, 3) == 1


@pytest.mark.parametrize("freedom", [1, 1.37, 2, 4, 8.5, 30, 999, 9999])
def test_students_t_is_scipys(freedom):
    for t in (0, 0.1, 1, 2.5, 10, 100):
        assert statistics.t_p_value(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-10)
    for p_value in (0.5, 0.05, 0.001):
        assert statistics.t_quantile(p_value, freedom) == pytest.approx(stats.t.isf(p_value / 2, freedom), rel=1e-8)


@pytest.mark.parametrize("table", [(0, 0), (0, 1), (5, 5), (3, 11), (11, 3), (0, 40), (400, 460), (3000, 3000)])
def test_mcnemar_is_statsmodels(table):
    expected = mcnemar([[1, table[0]], [table[1], 1]], exact=True).pvalue if sum(table) else 1

    assert statistics.mcnemar(*table) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    "p_values", [[0.04], [0.01, 0.04, 0.03], [0.5, 0.001, 0.9, 0.012, 0.012, 0.0], [1.0, 0.7, 0.8]]
)
def test_holm_is_statsmodels(p_values):
    assert statistics.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize("sizes", [(5, 5), (5, 3), (2, 10)])
def test_where_images_are_alike_the_change_is_welchs_of_the_replicates(sizes):
    """Then there is neither interaction nor noise of images. The degrees of freedom, Welch's of 1947, are those of
    Stata's `ttest, welch`: -2 + (v1 + v2)^2 / (v1^2 / (n1 + 1) + v2^2 / (n2 + 1)), but at most n1 + n2 - 2.
    """
    generator = np.random.default_rng(0)
    base, new = (
        np.repeat(generator.normal(mean, 1, (size, 1)), 50, axis=1) for mean, size in zip((0, 2), sizes, strict=True)
    )
    expected = stats.ttest_ind(new[:, 0], base[:, 0], equal_var=False)
    v1, v2 = (side[:, 0].var(ddof=1) / len(side) for side in (base, new))
    freedom = (v1 + v2) ** 2 / (v1**2 / (sizes[0] + 1) + v2**2 / (sizes[1] + 1)) - 2
    freedom = min(freedom, sum(sizes) - 2)

    change = statistics.of_recipes(base, new)

    assert change.difference / change.error == pytest.approx(expected.statistic)
    assert change.degrees_of_freedom == pytest.approx(freedom)
    assert change.p_value == pytest.approx(2 * stats.t.sf(abs(expected.statistic), freedom))
    half = stats.t.ppf(0.975, freedom) * change.error
    assert change.interval == pytest.approx((change.difference - half, change.difference + half))


def test_the_variance_is_that_of_the_model():
    """Ten replicates a side and 400 images, with known variances: replicates 0.02 and 0.01, images' effects that differ
    between the sides 2, interaction 9 on either side. An effect of the images that both sides share makes no noise.
    """
    generator = np.random.default_rng(0)
    found = []
    for _ in range(300):
        shared, own = generator.normal(0, 5, 400), generator.normal(0, 2**0.5, 400)
        base, new = (
            generator.normal(0, variance**0.5, (10, 1)) + shared + image + generator.normal(0, 3, (10, 400))
            for variance, image in ((0.02, 0), (0.01, own))
        )
        found.append(statistics.of_recipes(base, new).error ** 2)

    assert np.mean(found) == pytest.approx((0.02 + 0.01) / 10 + 2 / 400 + 2 * 9 / (10 * 400), rel=0.05)


def test_two_networks_that_differ_on_few_images_are_mcnemars_and_their_loss_a_paired_t_test():
    base, new = np.repeat([1.0, 1, 0, 0], [80, 4, 15, 1]), np.repeat([1.0, 0, 1, 0], [80, 4, 15, 1])
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


def test_without_any_noise_what_differs_does_so_for_certain():
    zeros, ones = np.zeros((3, 20)), np.ones((3, 20))

    assert statistics.of_recipes(zeros, ones)[2:] == (0, 19, 0)
    assert statistics.of_recipes(ones, ones)[2:] == (0, 19, 1)


def test_replicates_that_happen_to_be_equally_good_do_not_make_an_error_of_nothing():
    """Two replicates on a side, each right on another half of the images: their spread is 0, their noise isn't."""
    base = np.array([[1.0, 0] * 50, [0, 1] * 50])
    new = np.array([[1.0, 0] * 50, [0, 1] * 50])
    new[0, 1] = 1
    new[1, 2] = 1

    assert statistics.of_recipes(base, new).p_value > 0.5


def difficulties(generator):
    """Return the chance of each image to be classified rightly, float (IMAGES,): most nearly always, some nearly never.

    Of five networks with these chances, as many get an image right as of the committed five on Fashion-MNIST: all 79 %,
    4 6 %, 3 3 %, 2 3 %, 1 3 %, none 6 %.
    """
    return generator.beta(0.44, 0.06, IMAGES).astype(np.float32)


def networks(generator, chances, number, *, spread, gain=0.0):
    """Return right or wrong, float (number, IMAGES), of networks whose accuracies have this standard deviation.

    A network is better or worse than its recipe as a whole, by a shift of its log odds; each image adds its own chance.
    """
    slope = float(
        np.mean(chances * (1 - chances))
    )  # of the mean accuracy by the shift; IMAGES * variance of each image
    shifts = (gain + generator.normal(0, np.sqrt(spread**2 - slope / IMAGES), (number, 1))) / slope
    odds = np.exp(shifts).astype(np.float32)
    right = generator.random((number, IMAGES), dtype=np.float32) < chances * odds / (1 - chances + chances * odds)
    return right.astype(np.float64)


def share_called_different(draws, replicates, *, spread, gain=0.0, redrawn=0.0):
    """Return in which share of draws the accuracies of two sides are called different.

    `redrawn` is the share of images that are as hard as others of the kind on the new side, and so the part of the
    images in the noise.
    """
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(draws):
        chances = difficulties(generator)
        of_new = np.where(generator.random(IMAGES) < redrawn, difficulties(generator), chances)
        base = networks(generator, chances, replicates[0], spread=spread)
        new = networks(generator, of_new, replicates[1], spread=spread, gain=gain)
        found += statistics.of_recipes(base, new).p_value < statistics.SIGNIFICANCE
    return found / draws


@pytest.mark.parametrize("replicates", [(3, 3), (5, 5), (10, 10), (5, 3)])
def test_two_sides_of_one_recipe_are_called_different_in_five_percent(replicates):
    assert 0.03 <= share_called_different(1000, replicates, spread=0.005) <= 0.07


def test_two_recipes_that_are_equally_good_on_all_images_there_could_be_are_called_different_in_five_percent():
    """The replicates alone, by Welch's test, would say so in 10 %: they all see the same test images."""
    assert 0.03 <= share_called_different(1000, (10, 10), spread=0.005, redrawn=0.15) <= 0.07


@pytest.mark.parametrize("redrawn", [0, 0.15])
def test_a_gain_of_one_point_is_found_by_five_replicates_a_side(redrawn):
    assert share_called_different(300, (5, 5), spread=0.004, gain=0.01, redrawn=redrawn) >= 0.75
