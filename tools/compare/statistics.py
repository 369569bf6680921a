"""How much of the difference between two runs is chance: of the training, and of the choice of test images.

A run has a score for each replicate and each test image (replicates, images): bool for right or wrong, whose means are
shares, or float for a loss. The test images are the same on both sides, in the same order. `python -m
benchmarks.calibration` tests these functions on networks that differ only in their seed.
"""

from collections.abc import Sequence
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy import special

SIGNIFICANCE = 0.05  # the share of equal pairs that may be called different; the intervals are 95 % intervals


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


class Part(NamedTuple):
    """A part of the squared error, and the degrees of freedom of its estimate."""

    variance: float
    freedom: float


UNKNOWN = Part(0, 1)  # a variance of 0 means that nothing is known about the noise


def of_recipes(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two recipes, with the noise of other seeds and of other test images of the kind.

    base, new: bool or float (replicates, images), at least two replicates; the numbers of replicates may differ.

    A score is modelled as recipe + replicate + image + the interaction of replicate and image (two-way random effects;
    Searle, Casella and McCulloch, Variance Components, 1992, chapter 4). An image has its own effect on each side. The
    squared error of new - base is the sum of
    - the replicates of each side: the variance of their means, over their number. It includes the interaction.
    - the images, paired: the variance over the images of the difference of the sides' means, over their number, less
      the interaction, which would otherwise count twice.
    Neither part is taken as less than the interaction alone makes it. Replicates with the same seed are not paired: any
    difference between the recipes soon makes their networks independent.

    The replicates' part is Welch's (Biometrika 29, 1938). Its degrees of freedom are at most those of two sides that
    both have as few replicates as the smaller side. Otherwise, if the smaller side happens to spread little,
    Satterthwaite's formula relies too much on the larger side, and calls 10 % of equal recipes different at 2 against
    10 replicates.
    """
    images = base.shape[1]
    if images < 2:
        return _student(base, new, UNKNOWN)
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
    """Return the change between two recipes from the mean score of each replicate, float (replicates,).

    This is the replicates' part of `of_recipes`: it includes the noise of other seeds, but not of other images. With
    one replicate on a side, nothing is known about the noise.
    """
    if min(len(base), len(new)) < 2:
        return _student(base, new, UNKNOWN)
    parts = [Part(side.var(ddof=1) / len(side), len(side) - 1) for side in (base, new)]
    return _student(base, new, _of_training(parts))


def of_networks(base: np.ndarray, new: np.ndarray) -> Change:
    """Return the change between two networks, bool or float (images,), with the noise of other test images.

    It says nothing about the recipes, which may rank the other way with other seeds. The interval is that of the paired
    t-test. The p-value is that of McNemar's exact test for right or wrong, and that of the paired t-test for a loss.
    """
    images = len(base)
    if images < 2:
        return _student(base, new, UNKNOWN)
    paired = np.subtract(new, base, dtype=np.float64).var(ddof=1) / images
    change = _student(base, new, Part(paired, images - 1))
    if base.dtype == bool:
        change = change._replace(p_value=mcnemar(int((new & ~base).sum()), int((base & ~new).sum())))
    return change


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


def _of_training(sides: Sequence[Part]) -> Part:
    """Return the sum of the replicates' parts of two sides, with the degrees of freedom that `of_recipes` describes."""
    training = _sum(sides)
    return training._replace(freedom=min(training.freedom, 2 * min(part.freedom for part in sides)))


def _sum(parts: Sequence[Part]) -> Part:
    """Return the sum of estimated variances, with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946)."""
    variance = sum(part.variance for part in parts)
    if variance == 0:
        return UNKNOWN
    return Part(variance, variance**2 / sum(part.variance**2 / part.freedom for part in parts))
