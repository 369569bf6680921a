"""The scores of two sides: how they differ, and whether the difference may be chance."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.scores import calibration, ensemble, scores
from core.scores.metrics import HeldOutScores
from tools.compare import statistics
from tools.compare.statistics import SIGNIFICANCE, Change

BETTER, WORSE, NO_EVIDENCE, UNKNOWN = "better", "worse", "no evidence", "unknown"
EQUIVALENT, IDENTICAL = "equivalent", "identical"
# Measured by benchmarks.calibration, at 2 and 3 against 10 networks.
FEW = (
    "A side has two networks only. If they spread more than those of the other side, up to 12 % of equal recipes are "
    "called different; of three networks, up to 8 %."
)
ALIKE = (
    "The plan assumes equal spread on both sides and an equal change on all images. A real change may need more "
    "replicates."
)
SHARED = "Both sides have some networks in common, to the bit: so this compares one recipe with itself."
SIZES = "The ensembles have different numbers of networks: more networks alone make an ensemble better."
FIXED, BROKEN = "fixed", "broken"


class Score(NamedTuple):
    """One score on both sides. The p-value of a recall's change is adjusted for the number of classes."""

    change: Change
    verdict: str


class Plan(NamedTuple):
    """How many replicates a side find a change of accuracy with 80 % power.

    change: a share in [0, 1]. replicates: None if no number finds it. limit: the smallest change that any number finds.
    seconds: how long this machine trains both sides with so many replicates; None if that is unknown.
    """

    change: float
    replicates: int | None
    limit: float
    seconds: float | None = None


class Comparison(NamedTuple):
    """accuracy and recalls are shares in [0, 1], the loss is in nats; replicates: their numbers, base and new.

    `covers` is the noise that the intervals and verdicts take into account: "recipes", training and test images;
    "draw", the same, where one side has a single network and is taken to spread as the other side; "networks", test
    images alone; "nothing", no noise. ensemble: accuracy, loss, brier and expected_calibration_error, as far as they
    are known; empty if a side has one network. changed: FIXED or BROKEN by the index of the test image, the largest
    change first. identical: both sides have the same predictions. tolerance: a share; accuracies that differ by less
    are equivalent.
    """

    covers: str
    replicates: tuple[int, int]
    images: int | None
    accuracy: Score
    loss: Score
    recalls: dict[str, Score]
    ensemble: dict[str, Score]
    notes: list[str]
    changed: Mapping[int, str] = {}
    identical: bool = False
    tolerance: float | None = None
    plan: Plan | None = None

    def of_kind(self, kind: str) -> list[int]:
        """Return the images that are FIXED or BROKEN, the largest change first."""
        return [index for index, each in self.changed.items() if each == kind]


def of_predictions(
    base: np.ndarray,
    new: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    tolerance: float | None = None,
    plan: float | None = None,
) -> Comparison:
    """Compare probabilities, float (replicates, n, classes), of the same test images, integer labels (n,).

    Of one replicate against one or two, network 0 of each side is compared. Classes without test images are left out.
    tolerance, plan: shares. Without evidence of a change, the plan is for half the smallest change to be found.

    Raises InputError if there is a plan to make, and two networks are compared; or a tolerance, and a side has one.
    """
    replicates = len(base), len(new)
    identical = np.array_equal(base, new)
    covers = "recipes" if min(replicates) > 1 else "draw" if max(replicates) > 2 else "networks"
    if covers == "networks":
        base, new = base[:1], new[:1]
    change = statistics.of_networks if covers == "networks" else statistics.of_recipes
    change = statistics.of_identical if identical else change
    right, losses = (
        [np.stack([score(network, labels) for network in side]) for side in (base, new)]
        for score in (scores.right, scores.losses)
    )
    if tolerance is not None and covers != "recipes" and not identical:
        raise _one_replicate("--tolerance")
    accuracy = _score(change(*right), tolerance=tolerance)
    if covers == "networks" and plan is not None:
        what = "no spread to plan from, with one replicate on one side and fewer than three on the other"
        fix = "run a side with train.replicates of 3 or more, better 5; or leave out --plan"
        raise InputError(Problem("--plan", what, fix=fix))
    if covers != "networks" and plan is None and accuracy.verdict == NO_EVIDENCE and accuracy.change.smallest < inf:
        plan = accuracy.change.smallest / 2
    planned = None
    if plan is not None:
        noise = statistics.spread(right[0]) if identical else statistics.noise(*right)
        planned = Plan(plan, noise.replicates(plan), noise.smallest(statistics.MOST))
    masks = {name: labels == label for label, name in enumerate(classes) if (labels == label).any()}
    recalls = {name: change(*(side[:, mask] for side in right)) for name, mask in masks.items()}
    said = {
        FEW: min(replicates) == 2 and not identical,
        SHARED: not identical and any(np.array_equal(one, other) for one in base for other in new),
        SIZES: replicates[0] != replicates[1] and covers == "recipes",
        ALIKE: identical and plan is not None,
    }
    return Comparison(
        covers=covers,
        replicates=replicates,
        images=len(labels),
        accuracy=accuracy,
        loss=_score(change(*losses), lower_is_better=True),
        recalls=_recalls(recalls, decide=covers != "draw"),
        ensemble=_ensembles(base, new, labels, tolerance) if covers == "recipes" else {},
        notes=[note for note, holds in said.items() if holds],
        changed=_changed_images(base, new, labels),
        identical=identical,
        tolerance=tolerance,
        plan=planned,
    )


def of_reports(
    reported: Sequence[HeldOutScores], recalls: Sequence[Mapping[str, float]], replicates: tuple[int, int]
) -> Comparison:
    """Compare base and new by their reported scores and recalls. Nothing is known about chance."""
    found = {
        name: _unknown(*values)
        for name in ("accuracy", "loss", "ensemble_accuracy", "ensemble_loss")
        if None not in (values := [getattr(side, name) for side in reported])
    }
    return Comparison(
        covers="nothing",
        replicates=replicates,
        images=None,
        accuracy=found.pop("accuracy"),
        loss=found.pop("loss"),
        recalls={name: _unknown(recall, recalls[1][name]) for name, recall in recalls[0].items()},
        ensemble={name.removeprefix("ensemble_"): found[name] for name in found if min(replicates) > 1},
        notes=[],
    )


def shown_worse(comparison: Comparison, tolerance: float) -> bool:
    """Return whether the whole 95 % interval of the change of accuracy is below -tolerance, a share.

    Raises InputError if a side has one replicate, which does not tell whether a recipe became worse.
    """
    if comparison.covers != "recipes" and not comparison.identical:
        raise _one_replicate("--fail-on")
    return comparison.accuracy.change.interval[1] < -tolerance


def _one_replicate(option: str) -> InputError:
    what = "no verdict on the recipes with one replicate on a side"
    fix = f"run both sides with train.replicates of 2 or more, better 5; or leave out {option}"
    return InputError(Problem(option, what, fix=fix))


def _recalls(changes: Mapping[str, Change], *, decide: bool) -> dict[str, Score]:
    """Return the score of each class; without verdicts unless `decide`.

    The recalls of a single network are too far from normal for the small p-values that several classes need.
    """
    adjusted = statistics.holm([each.p_value for each in changes.values()])
    pairs = zip(changes.items(), adjusted, strict=True)
    tested = {name: each._replace(p_value=p_value) for (name, each), p_value in pairs}
    return {name: _score(each) if decide else Score(each, UNKNOWN) for name, each in tested.items()}


def _ensembles(base: np.ndarray, new: np.ndarray, labels: np.ndarray, tolerance: float | None) -> dict[str, Score]:
    """Return the scores of the ensembles. The noise of the expected calibration error is not known."""
    change, same = partial(statistics.of_ensembles, base, new, labels), np.array_equal(base, new)
    bins = (calibration.sums(ensemble.average(side), labels) for side in (base, new))
    before, after = (calibration.means(each).expected_error for each in bins)
    return {
        "accuracy": _score(change(scores.right), tolerance=tolerance),
        "loss": _score(change(scores.losses), lower_is_better=True),
        "brier": _score(change(scores.brier), lower_is_better=True),
        "expected_calibration_error": _score(Change(before, after, 0, 1, 1)) if same else _unknown(before, after),
    }


def _score(change: Change, *, lower_is_better: bool = False, tolerance: float | None = None) -> Score:
    if change.error == 0:
        return Score(change, IDENTICAL)
    if tolerance is not None and change.equivalent(tolerance):
        return Score(change, EQUIVALENT)
    if change.p_value >= SIGNIFICANCE:
        return Score(change, NO_EVIDENCE)
    return Score(change, BETTER if (change.difference > 0) != lower_is_better else WORSE)


def _unknown(base: float, new: float) -> Score:
    return Score(Change(base, new, inf, 1, 1), UNKNOWN)


def _changed_images(base: np.ndarray, new: np.ndarray, labels: np.ndarray) -> dict[int, str]:
    """Return the images that the ensemble of one side alone gets right, probabilities (replicates, n, classes).

    The images whose probability of the true class changes most come first, equal changes in the order of the images.
    """
    sides = [ensemble.average(side) for side in (base, new)]
    before, after = (side[np.arange(len(labels)), labels] for side in sides)
    was_right, is_right = (scores.right(side, labels) for side in sides)
    order = np.argsort(-np.abs(after - before), kind="stable").tolist()
    return {index: FIXED if is_right[index] else BROKEN for index in order if was_right[index] != is_right[index]}
