"""What is known of the difference between two sides, from their predictions or from their metrics alone."""

import json
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.scores import scores
from tools.compare import statistics
from tools.compare.statistics import SIGNIFICANCE, Change

BETTER, WORSE, NO_EVIDENCE, UNKNOWN = "better", "worse", "no evidence", "unknown"
# As simulated with normal scores, up to 50 replicates against two of up to sixteen times their variance.
FEW = (
    "So few replicates on a side: with two, up to 9 % of equal recipes are called different, not 5 %; with three or "
    "more on both sides, 7 % at most."
)


class Score(NamedTuple):
    """One score on both sides. Its p-value is that of the change, but for the classes, where it is adjusted."""

    change: Change
    p_value: float
    verdict: str


class Values(NamedTuple):
    """What a setting or a file is on each side, None where it is not there."""

    base: Any
    new: Any


class Context(NamedTuple):
    """What is known without any score: the names of the sides, params, files and packages that differ, and what to
    mind. Packages are None where a side does not tell of its own.
    """

    sides: Values
    params: dict[str, Values]
    files: dict[str, Values]
    packages: dict[str, Values] | None
    notes: list[str]


class Comparison(NamedTuple):
    """accuracy and recalls are shares in [0, 1], the loss is in nats.

    `covers` is what the intervals and verdicts take into account: "recipes", both training and test images;
    "networks", test images alone; "nothing", where there are neither. fixed and broken are indices of test images.
    """

    context: Context
    covers: str
    replicates: Values
    images: int | None
    accuracy: Score
    loss: Score
    recalls: dict[str, Score]
    fixed: list[int]
    broken: list[int]


def of_predictions(
    base: np.ndarray, new: np.ndarray, labels: np.ndarray, classes: Sequence[str], context: Context
) -> Comparison:
    """Compare probabilities, float (replicates, n, classes), of the same test images, integer labels (n,).

    With one replicate on a side, that is all that is known of its recipe, so one network of each side is compared.
    A class without test images is left out.
    """
    replicates = Values(len(base), len(new))
    if np.array_equal(base, new):
        context = _noted(
            context, "The predictions of both sides are the same, to the bit: these are the same networks."
        )
    single = min(replicates) == 1
    if single:
        base, new = base[:1], new[:1]
    if min(replicates) == 2:
        context = _noted(context, FEW)
    of = (lambda a, b: statistics.of_networks(a[0], b[0])) if single else statistics.of_recipes
    right, loss = (
        [np.stack([score(network, labels) for network in side]) for side in (base, new)]
        for score in (scores.right, scores.losses)
    )
    present = {name: labels == label for label, name in enumerate(classes) if (labels == label).any()}
    recalls = [of(right[0][:, mask], right[1][:, mask]) for mask in present.values()]
    adjusted = statistics.holm([change.p_value for change in recalls])
    fixed, broken = _changed_side(*right)
    return Comparison(
        context=context,
        covers="networks" if single else "recipes",
        replicates=replicates,
        images=len(labels),
        accuracy=_score(of(*right)),
        loss=_score(of(*loss), lower_is_better=True),
        recalls={name: _score(c, p) for name, c, p in zip(present, recalls, adjusted, strict=True)},
        fixed=fixed,
        broken=broken,
    )


def of_metrics(reported: Values, replicates: Values, context: Context) -> Comparison:
    """Compare two runs by their reported scores alone: `accuracy`, `accuracy_std`, `loss`, and `recalls` by class.

    Nothing is known of chance.
    """

    def score(base: float, new: float) -> Score:
        return Score(Change(base, new, inf, 1, 1), 1, UNKNOWN)

    base, new = reported
    spreads = [_spread(side, number) for side, number in zip(reported, replicates, strict=True)]
    context = _noted(context, f"Accuracies spread over the replicates by {spreads[0]} (base) and {spreads[1]} (new).")
    return Comparison(
        context=context,
        covers="nothing",
        replicates=replicates,
        images=None,
        accuracy=score(base["accuracy"], new["accuracy"]),
        loss=score(base["loss"], new["loss"]),
        recalls={name: score(recall, new["recalls"][name]) for name, recall in base["recalls"].items()},
        fixed=[],
        broken=[],
    )


def shown_worse(comparison: Comparison, tolerance: float) -> bool:
    """Return whether the accuracy is known to be worse by more than `tolerance`, in [0, 1].

    That is, whether even the upper end of the 95 % interval of its change is below -tolerance. Raises InputError where
    the comparison is not of recipes: two networks tell no one whether a change is for the worse.
    """
    if comparison.covers != "recipes":
        what = "no verdict on the recipes with one replicate on a side"
        fix = "train.replicates of 2 or more on both sides, better 5; or leave --fail-on"
        raise InputError(Problem("--fail-on", what, fix=fix))
    return comparison.accuracy.change.interval[1] < -tolerance


def params_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return all params of a record of dvc.lock, by their full names."""
    params: dict[str, Any] = {}
    for stage in record.values():
        for file, sections in stage.get("params", {}).items():
            params |= _flat(sections, "" if file == "params.yaml" else f"{file}: ")
    return params


def different_params(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Values]:
    """Return the params in which two records of dvc.lock differ, by their full names."""
    return _different(params_of(base), params_of(new))


def different_files(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Values]:
    """Return the archives and the code in which two records of dvc.lock differ, by path, with their digests."""
    return _different(_files(base), _files(new))


def different_packages(base: Mapping[str, str] | None, new: Mapping[str, str] | None) -> dict[str, Values] | None:
    """Return the packages whose versions differ, None where those of a side are unknown."""
    return None if base is None or new is None else _different(base, new)


def _noted(context: Context, note: str) -> Context:
    return context._replace(notes=[*context.notes, note])


def _spread(reported: Mapping[str, Any], replicates: int) -> str:
    return "an unknown amount" if replicates == 1 else f"{100 * reported['accuracy_std']:.2f} points"


def _score(change: Change, p_value: float | None = None, *, lower_is_better: bool = False) -> Score:
    p_value = change.p_value if p_value is None else p_value
    if p_value >= SIGNIFICANCE:
        return Score(change, p_value, NO_EVIDENCE)
    return Score(change, p_value, BETTER if (change.difference > 0) != lower_is_better else WORSE)


def _changed_side(base: np.ndarray, new: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the images that most networks of one side get right and most of the other don't: fixed, broken.

    Those on which the sides differ most come first.
    """
    before, after = base.mean(axis=0), new.mean(axis=0)
    # Rounded, as 1 - 1/3 is not quite 2/3: equal changes are to stand in the order of the images.
    order = np.argsort(-abs(after - before).round(9), kind="stable")
    fixed = (before <= 0.5) & (after > 0.5)
    broken = (before > 0.5) & (after <= 0.5)
    return order[fixed[order]].tolist(), order[broken[order]].tolist()


def _flat(node: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _files(record: Mapping[str, Any]) -> dict[str, str]:
    code = [dep for stage in record.values() for dep in stage["deps"] if dep["path"].startswith("stages/")]
    return {item["path"]: item["md5"] for item in [*record["download"]["outs"], *code]}


def _different(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Values]:
    pairs = {key: Values(base.get(key), new.get(key)) for key in sorted({*base, *new})}
    return {key: pair for key, pair in pairs.items() if json.dumps(pair.base) != json.dumps(pair.new)}
