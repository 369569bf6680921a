"""How much of the difference between two runs is chance: of the training, and of which images are in the test set.

A run has a score for each of its replicates and each test image (replicates, images): bool for right or wrong, whose
means are shares, or float for a loss. The test images are the same on both sides, in the same order. `python -m
benchmarks.calibration` holds what is here against networks that differ in seed alone.
"""

from collections.abc import Iterator, Sequence
from math import exp, inf, lgamma, log, log1p, sqrt
from typing import NamedTuple

import numpy as np

MOST_TERMS = 100_000  # far more pairs of a continued fraction than any numbers need; NaN would never have enough
SIGNIFICANCE = 0.05  # the share of equal pairs that may be called different; intervals are of 1 less it: 95 %


class Change(NamedTuple):
    """A score on both sides, means over replicates and images; the standard error of new - base; and how surprising
    that difference would be, in [0, 1], if there were none. No difference can be larger than `largest`.
    """

    base: float
    new: float
    error: float
    degrees_of_freedom: float
    p_value: float
    largest: float = inf

    @property
    def difference(self) -> float:
        return self.new - self.base

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference; without bounds where nothing is known of the error."""
        if self.error == inf:
            return -inf, inf
        half = t_quantile(SIGNIFICANCE, self.degrees_of_freedom) * self.error
        return max(self.difference - half, -self.largest), min(self.difference + half, self.largest)


class Part(NamedTuple):
    """A part of the squared error, and the degrees of freedom of its estimate."""

    variance: float
    freedom: float


NOTHING = Part(0, 1)  # where no noise shows, nothing is known of it


def of_recipes(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two recipes: what other seeds and other test images of the kind might have given.

    base, new: bool or float (replicates, images), two replicates at least; the numbers of replicates may differ.

    A score is modelled as recipe + replicate + image + the two's interaction (two-way random effects; Searle, Casella
    and McCulloch, Variance Components, 1992, chapter 4), an image having an effect of its own on each side. The error
    of new - base is then made up of
    - the replicates of each side: the variance of their means, over their number. The interaction is in it already.
    - the images, paired: the variance over them of the difference of the sides' means, over their number, less the
      interaction, which would otherwise count twice.
    Neither is taken for less than the interaction alone makes it. Replicates of one seed are not paired: whatever
    differs between the recipes soon sets their networks apart.

    The replicates' part is Welch's (Biometrika 29, 1938), with no more degrees of freedom than if both sides had as few
    replicates as the smaller one: where that side happens to spread little, Satterthwaite's formula trusts the larger
    one too far, and of 2 against 10 equal recipes calls 10 % different.
    """
    images = base.shape[1]
    if images < 2:
        return _student(base, new, NOTHING)
    of_training, interaction = [], 0.0
    for side in (base, new):
        replicates = len(side)
        by_replicate = side.mean(axis=1)
        residual = side - by_replicate[:, None] - side.mean(axis=0) + by_replicate.mean()
        share = np.square(residual).sum() / ((replicates - 1) * (images - 1)) / images / replicates
        of_training.append(Part(max(by_replicate.var(ddof=1) / replicates, share), replicates - 1))
        interaction += share
    paired = (new.mean(axis=0) - base.mean(axis=0)).var(ddof=1) / images
    of_images = Part(max(paired - interaction, 0.0), images - 1)
    return _student(base, new, _sum([_of_training(of_training), of_images]))


def of_replicates(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two recipes of which the mean score of each replicate is all that is known, float
    (replicates,): what other seeds might have given on the same images.

    That is the replicates' part of `of_recipes`: Welch's, with as few degrees of freedom. Of other images nothing is
    said. One replicate on a side tells nothing.
    """
    if min(len(base), len(new)) < 2:
        return _student(base, new, NOTHING)
    return _student(
        base, new, _of_training([Part(each.var(ddof=1) / len(each), len(each) - 1) for each in (base, new)])
    )


def of_networks(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two networks, bool or float (images,): what other test images might have given.

    Nothing is said of the recipes, which other seeds would let look otherwise. Interval and p-value are those of the
    paired t-test; but the p-value of right or wrong is that of McNemar's exact test.
    """
    images = len(base)
    if images < 2:
        return _student(base, new, NOTHING)
    paired = np.subtract(new, base, dtype=np.float64).var(ddof=1) / images
    change = _student(base, new, Part(paired, images - 1))
    if base.dtype == bool:
        change = change._replace(p_value=mcnemar(int((new & ~base).sum()), int((base & ~new).sum())))
    return change


def mcnemar(fixed: int, broken: int) -> float:
    """Return the p-value, two-sided and exact, of as many images gone right and gone wrong (McNemar, 1947).

    Twice the smaller tail of the binomial distribution of fixed + broken with 1/2, by DLMF 8.17.5.
    """
    fewer, more = sorted((fixed, broken))
    return min(1.0, 2 * incomplete_beta(0.5, more, fewer + 1)) if more else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for there being several: the chance that any is below a level by chance alone is at most
    that level (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def t_p_value(t: float, degrees_of_freedom: float) -> float:
    """Return the chance that Student's t is as far from 0 as `t`, on either side."""
    return incomplete_beta(degrees_of_freedom / (degrees_of_freedom + t * t), degrees_of_freedom / 2, 0.5)


def t_quantile(p_value: float, degrees_of_freedom: float) -> float:
    """Return the t > 0 beyond which, on either side, Student's t lies with chance `p_value`, in (0, 1).

    By bisection of x = degrees of freedom / (degrees of freedom + t^2), in which `t_p_value` grows.
    """
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if incomplete_beta(middle, degrees_of_freedom / 2, 0.5) < p_value:
            low = middle
        else:
            high = middle
    return sqrt(degrees_of_freedom * (1 - high) / high)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), in [0, 1], for x in [0, 1], a > 0 and b > 0.

    By its continued fraction (DLMF 8.17.22), from whichever side it converges fast, worked out forwards as in Lentz'
    algorithm (Thompson and Barnett, Journal of Computational Physics 64, 1986). Good to ten decimals for a and b up to
    10,000. NaN where one of them is NaN.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)  # DLMF 8.17.4
    fraction, upper, lower = 1.0, 1.0, 0.0
    for term in _beta_terms(x, a, b):
        upper, lower = 1 + term / upper, 1 / (1 + term * lower)
        fraction *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a / fraction


def _beta_terms(x: float, a: float, b: float) -> Iterator[float]:
    for m in range(MOST_TERMS):
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        yield (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))


def _student(base: np.ndarray, new: np.ndarray, noise: Part) -> Change:
    """Return the change of the means, by Student's t; without noise to hold it against, as one of which nothing is
    known.
    """
    before, after = float(base.mean()), float(new.mean())
    largest = 1 if base.dtype == bool else inf
    if noise.variance == 0:
        return Change(before, after, inf, 1, 1, largest)
    error = sqrt(noise.variance)
    return Change(before, after, error, noise.freedom, t_p_value((after - before) / error, noise.freedom), largest)


def _of_training(sides: Sequence[Part]) -> Part:
    """Return the sum of the replicates' parts of two sides, with degrees of freedom as `of_recipes` says."""
    training = _sum(sides)
    return training._replace(freedom=min(training.freedom, 2 * min(part.freedom for part in sides)))


def _sum(parts: Sequence[Part]) -> Part:
    """Return the sum of estimated variances, its degrees of freedom by Satterthwaite (Biometrics Bulletin 2, 1946)."""
    variance = sum(part.variance for part in parts)
    if variance == 0:
        return NOTHING
    return Part(variance, variance**2 / sum(part.variance**2 / part.freedom for part in parts))
