"""How much of the difference between two runs is chance: of the training, and of the choice of test images.

A run has a score for each replicate and each test image (replicates, images): bool for right or wrong, whose means are
shares, or float for a loss. The test images are the same on both sides, in the same order. `python -m
benchmarks.calibration` tests these functions on networks that differ only in their seed.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from core.scores import ensemble, variance

SIGNIFICANCE = 0.05  # the share of equal pairs that may be called different; the intervals are 95 % intervals
POWER = 0.8  # the share of comparisons that find a change of the size that is called found
MOST = 1000  # replicates a side that a plan may ask for, as params.yaml allows

OfImage = Callable[[np.ndarray, np.ndarray], np.ndarray]  # the scores of probabilities (n, classes) and labels


class Change(NamedTuple):
    """A score on both sides: means over replicates and images, and the standard error of new - base.

    p_value, in [0, 1], is the chance of such a difference or a larger one if the sides are equal. No difference can be
    larger than `largest`.
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
        """The 95 % interval of the difference; infinite if the error is unknown."""
        if self.error == inf:
            return -inf, inf
        half = float(special.stdtrit(self.degrees_of_freedom, 1 - SIGNIFICANCE / 2)) * self.error
        return max(self.difference - half, -self.largest), min(self.difference + half, self.largest)

    def equivalent(self, tolerance: float) -> bool:
        """Return whether the whole interval is within +-tolerance: two one-sided tests at 2.5 % each (Schuirmann,
        Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).
        """
        return max(map(abs, self.interval)) <= tolerance

    @property
    def smallest(self) -> float:
        """The smallest true change that such a comparison, made anew, finds with 80 % power; inf if none."""
        if self.error in (0, inf):
            return inf
        found = self.error * detectable(self.degrees_of_freedom, self.degrees_of_freedom)
        return found if found <= self.largest else inf


class Part(NamedTuple):
    """A part of the squared error, and the degrees of freedom of its estimate."""

    variance: float
    freedom: float


UNKNOWN = Part(0, 1)  # a variance of 0 means that nothing is known about the noise


class Noise(NamedTuple):
    """What the squared error of a change is made of.

    sides: the variance of the mean score of one replicate, of base and of new; a single part if both have the same.
    images: the part of the test images, which more replicates do not make smaller.
    """

    sides: Sequence[Part]
    images: Part

    def error(self, base: int, new: int) -> Part:
        """Return the squared error for these numbers of replicates.

        The replicates' part is Welch's (Biometrika 29, 1938). Its degrees of freedom are at most those of two sides
        that both have as few replicates as the smaller side. Satterthwaite's formula relies too much on the larger side
        if the smaller one happens to spread little: at 2 against 10 it calls 10 % of equal recipes different.
        """
        if len(self.sides) == 1:
            training = self.sides[0]._replace(variance=self.sides[0].variance * (1 / base + 1 / new))
        else:
            counts = zip(self.sides, (base, new), strict=True)
            training = _sum([Part(side.variance / count, side.freedom) for side, count in counts])
            training = training._replace(freedom=min(training.freedom, 2 * min(side.freedom for side in self.sides)))
        return _sum([training, self.images])

    def smallest(self, replicates: int) -> float:
        """Return the smallest true change that so many replicates a side would find with 80 % power."""
        now = self.error(replicates, replicates)
        sides = [Part(side.variance, replicates - 1) for side in (self.sides[0], self.sides[-1])]
        then = self._replace(sides=sides).error(replicates, replicates)
        return sqrt(now.variance) * detectable(now.freedom, then.freedom)

    def replicates(self, change: float) -> int | None:
        """Return how many replicates a side find a true change with 80 % power; None if the test images are too few."""
        counts = range(2, MOST + 1)
        place = bisect_left(counts, -change, key=lambda count: -self.smallest(count))  # which falls with the count
        return counts[place] if place < len(counts) else None


def noise(base: np.ndarray, new: np.ndarray) -> Noise:
    """Return the noise of new - base; `of_recipes` says of what.

    base, new: bool or float (replicates, images), at least two images, and two replicates on one side or both.
    """
    images = base.shape[1]
    several = [side for side in (base, new) if len(side) > 1]
    known = [variance.components(side) for side in several]
    interaction = known[0].interaction / len(base) + known[-1].interaction / len(new)
    paired = (new.mean(axis=0) - base.mean(axis=0)).var(ddof=1) / images
    pairs = zip(known, several, strict=True)
    sides = [Part(max(part.replicates, part.interaction), len(side) - 1) for part, side in pairs]
    return Noise(sides, Part(max(paired - interaction, 0.0), images - 1))


def spread(side: np.ndarray) -> Noise:
    """Return the noise of a change from a recipe to another that spreads alike, and that changes all images alike."""
    return Noise(noise(side, side).sides[:1], Part(0, side.shape[1] - 1))


def of_recipes(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two recipes, with the noise of other seeds and of other test images of the kind.

    base, new: bool or float (replicates, images), at least two replicates; the numbers of replicates may differ.

    The model is that of `core.scores.variance`. An image has its own effect on each side. The squared error of new -
    base is the sum of
    - the replicates of each side: the variance of their means, over their number. It includes the interaction.
    - the images, paired: the variance over the images of the difference of the sides' means, over their number, less
      the interaction, which would otherwise count twice.
    Neither part is taken as less than the interaction alone makes it. Replicates with the same seed are not paired: any
    difference between the recipes soon makes their networks independent.

    If one side has one replicate, it is taken to spread as the replicates of the other side do, with their degrees of
    freedom: the interval is that of a new draw.
    """
    if base.shape[1] < 2:
        return _student(base, new, UNKNOWN)
    return _student(base, new, noise(base, new).error(len(base), len(new)))


def of_replicates(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two recipes from the mean score of each replicate, float (replicates,).

    It includes the noise of other seeds, but not of other images; unknown with one replicate on a side.
    """
    if min(len(base), len(new)) < 2:
        return _student(base, new, UNKNOWN)
    sides = [Part(side.var(ddof=1), len(side) - 1) for side in (base, new)]
    return _student(base, new, Noise(sides, UNKNOWN).error(len(base), len(new)))


def of_identical(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change from networks to the same networks: none, without any error."""
    return Change(float(base.mean()), float(new.mean()), 0, 1, 1)


def of_ensembles(base: np.ndarray, new: np.ndarray, labels: np.ndarray, of_image: OfImage) -> Change:
    """Return the change between the scores of two ensembles, with the noise of other seeds and other test images.

    base, new: probabilities, float (replicates, n, classes), at least two replicates. labels: integer (n,). of_image:
    the score of each image, bool or float (n,).

    The squared error is the variance over the images of the paired difference, over their number, which includes the
    interaction; and for each side what the replicates add to that: `variance.components` of their influences on the
    ensemble. The jackknife tends to overestimate it (Efron and Stein, Annals of Statistics 9, 1981).
    """
    before, after = (of_image(ensemble.average(side), labels) for side in (base, new))
    if np.array_equal(base, new):
        return of_identical(before, after)
    images = len(labels)
    if images < 2:
        return _student(before, after, UNKNOWN)
    paired = np.subtract(after, before, dtype=np.float64).var(ddof=1) / images
    sides = [
        Part(variance.components(_influences(side, labels, of_image)).seeds, len(side) - 1) for side in (base, new)
    ]
    return _student(before, after, Noise(sides, Part(paired, images - 1)).error(len(base), len(new)))


def _influences(side: np.ndarray, labels: np.ndarray, of_image: OfImage) -> np.ndarray:
    """Return the influence of each network on its ensemble's score of each image, float64 (replicates, n).

    It is the difference between the ensembles in which the network counts twice and not at all, scaled so that the
    influence on a mean of scores is the score less the mean.
    """
    replicates, total = len(side), side.sum(axis=0)
    twice = np.array([of_image((total + network) / (replicates + 1), labels) for network in side], np.float64)
    without = np.array([of_image((total - network) / (replicates - 1), labels) for network in side], np.float64)
    return (twice - without) * (replicates**2 - 1) / (2 * replicates)


def of_networks(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two networks, bool or float (1, images), with the noise of other test images.

    The interval is that of the paired t-test. The p-value is that of McNemar's exact test for right or wrong, and that
    of the paired t-test for a loss.
    """
    images = base.size
    if images < 2:
        return _student(base, new, UNKNOWN)
    paired = np.subtract(new, base, dtype=np.float64).var(ddof=1) / images
    change = _student(base, new, Part(paired, images - 1))
    if base.dtype == bool:
        change = change._replace(p_value=mcnemar(int((new & ~base).sum()), int((base & ~new).sum())))
    return change


def detectable(now: float, then: float) -> float:
    """Return the true change that a new comparison finds with 80 % power, in units of the error as estimated now.

    now, then: the degrees of freedom of both errors. The change c s is found if (c s + z) / s' > t, with z
    standard normal, and s and s' the square roots of chi-squared variables over their degrees of freedom. Noncentral t
    would take s for the true error: of 4 degrees of freedom its power is 69 %.
    """
    shares = (np.arange(50) + 0.5) / 50
    estimated, other = (np.sqrt(special.chdtri(freedom, shares) / freedom) for freedom in (now, then))
    needed = special.stdtrit(then, 1 - SIGNIFICANCE / 2) * other
    return optimize.brentq(lambda c: special.ndtr(c * estimated[:, None] - needed).mean() - POWER, 0, 1e6)


def mcnemar(fixed: int, broken: int) -> float:
    """Return the exact two-sided p-value for the numbers of images that became right and wrong (McNemar, 1947)."""
    changed = fixed + broken
    return min(1.0, 2 * float(special.bdtr(min(fixed, broken), changed, 0.5))) if changed else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for multiple tests: if all sides are equal, the chance that any adjusted p-value is
    below a level is at most that level (Holm, Scandinavian Journal of Statistics 6, 1979).
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _student(base: np.ndarray, new: np.ndarray, noise: Part) -> Change:
    """Return the change of the means by Student's t; without noise, its error is infinite and its p-value 1."""
    before, after = float(base.mean()), float(new.mean())
    largest = 1 if base.dtype == bool else inf
    if noise.variance == 0:
        return Change(before, after, inf, 1, 1, largest)
    error = sqrt(noise.variance)
    p_value = 2 * float(special.stdtr(noise.freedom, -abs(after - before) / error))
    return Change(before, after, error, noise.freedom, p_value, largest)


def _sum(parts: Sequence[Part]) -> Part:
    """Return the sum of estimated variances, with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946)."""
    variance = sum(part.variance for part in parts)
    if variance == 0:
        return UNKNOWN
    return Part(variance, variance**2 / sum(part.variance**2 / part.freedom for part in parts))
