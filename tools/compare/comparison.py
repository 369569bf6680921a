"""The scores of two sides: how they differ, and whether the difference may be chance."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.scores import scores
from core.scores.metrics import HeldOutScores
from tools.compare import statistics
from tools.compare.statistics import SIGNIFICANCE, Change

BETTER, WORSE, NO_EVIDENCE, UNKNOWN = "better", "worse", "no evidence", "unknown"
# Simulated with normal scores: up to 50 replicates against two, with up to sixteen times the variance.
FEW = (
    "A side has two replicates only: up to 9 % of equal recipes are then called different, instead of 5 %. With three "
    "or more on both sides it is at most 7 %."
)
SAME = "The predictions of both sides are the same, to the bit: these are the same networks."


class Score(NamedTuple):
    """One score on both sides. The p-value of a recall is adjusted for the number of classes."""

    change: Change
    p_value: float
    verdict: str


class Comparison(NamedTuple):
    """accuracy and recalls are shares in [0, 1], the loss is in nats; replicates: their numbers, base and new.

    `covers` is the noise that the intervals and verdicts take into account: "recipes", training and test images;
    "networks", test images alone; "nothing", no noise. fixed and broken are indices of test images.
    """

    covers: str
    replicates: tuple[int, int]
    images: int | None
    accuracy: Score
    loss: Score
    recalls: dict[str, Score]
    fixed: list[int]
    broken: list[int]
    notes: list[str]


class Reported(NamedTuple):
    """The reported scores of one side: means over its replicates, and recalls by class."""

    scores: HeldOutScores
    recalls: Mapping[str, float]
    replicates: int


def of_predictions(base: np.ndarray, new: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Comparison:
    """Compare probabilities, float (replicates, n, classes), of the same test images, integer labels (n,).

    If a side has one replicate, network 0 of each side is compared, as nothing is known about training noise. Classes
    without test images are left out.
    """
    replicates = len(base), len(new)
    notes = [SAME] * np.array_equal(base, new) + [FEW] * (min(replicates) == 2)
    covers, change = "recipes", statistics.of_recipes
    if min(replicates) == 1:
        covers, change = "networks", lambda base, new: statistics.of_networks(base[0], new[0])
        base, new = base[:1], new[:1]
    right, losses = (
        [np.stack([score(network, labels) for network in side]) for side in (base, new)]
        for score in (scores.right, scores.losses)
    )
    fixed, broken = _changed_images(*right)
    return Comparison(
        covers=covers,
        replicates=replicates,
        images=len(labels),
        accuracy=_score(change(*right)),
        loss=_score(change(*losses), lower_is_better=True),
        recalls=_recalls(change, right, labels, classes),
        fixed=fixed,
        broken=broken,
        notes=notes,
    )


def of_reports(base: Reported, new: Reported) -> Comparison:
    """Compare two runs by their reported scores alone. Nothing is known about chance."""

    def score(of_base: float, of_new: float) -> Score:
        return Score(Change(of_base, of_new, inf, 1, 1), 1, UNKNOWN)

    spreads = f"{_spread(base)} (base) and {_spread(new)} (new)"
    return Comparison(
        covers="nothing",
        replicates=(base.replicates, new.replicates),
        images=None,
        accuracy=score(base.scores.accuracy, new.scores.accuracy),
        loss=score(base.scores.loss, new.scores.loss),
        recalls={name: score(recall, new.recalls[name]) for name, recall in base.recalls.items()},
        fixed=[],
        broken=[],
        notes=[f"The standard deviation of the accuracy over the replicates is {spreads}."],
    )


def shown_worse(comparison: Comparison, tolerance: float) -> bool:
    """Return whether the accuracy is known to be worse by more than `tolerance`, in [0, 1]: whether the upper end of
    the 95 % interval of its change is below -tolerance.

    Raises InputError if two networks were compared: they don't tell whether a recipe became worse.
    """
    if comparison.covers != "recipes":
        what = "no verdict on the recipes with one replicate on a side"
        fix = "run both sides with train.replicates of 2 or more, better 5; or leave out --fail-on"
        raise InputError(Problem("--fail-on", what, fix=fix))
    return comparison.accuracy.change.interval[1] < -tolerance


def _recalls(
    change: Callable[[np.ndarray, np.ndarray], Change],
    right: Sequence[np.ndarray],
    labels: np.ndarray,
    classes: Sequence[str],
) -> dict[str, Score]:
    masks = {name: labels == label for label, name in enumerate(classes) if (labels == label).any()}
    changes = [change(*(side[:, mask] for side in right)) for mask in masks.values()]
    adjusted = statistics.holm([each.p_value for each in changes])
    return {name: _score(each, p_value) for name, each, p_value in zip(masks, changes, adjusted, strict=True)}


def _score(change: Change, p_value: float | None = None, *, lower_is_better: bool = False) -> Score:
    p_value = change.p_value if p_value is None else p_value
    if p_value >= SIGNIFICANCE:
        return Score(change, p_value, NO_EVIDENCE)
    return Score(change, p_value, BETTER if (change.difference > 0) != lower_is_better else WORSE)


def _changed_images(base: np.ndarray, new: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the images that most networks get right on one side only: fixed on the new side, broken on it.

    base, new: bool (replicates, n). The images with the largest change come first.
    """
    before, after = base.mean(axis=0), new.mean(axis=0)
    # Rounded, as 1 - 1/3 is not exactly 2/3: images with equal changes keep their order.
    order = np.argsort(-np.abs(after - before).round(9), kind="stable")
    fixed, broken = (before <= 0.5) & (after > 0.5), (before > 0.5) & (after <= 0.5)
    return order[fixed[order]].tolist(), order[broken[order]].tolist()


def _spread(side: Reported) -> str:
    # metrics.json has 0 for a single replicate.
    return "unknown" if side.replicates == 1 else f"{100 * side.scores.accuracy_std:.2f} points"
