"""Experiments in the order of their validation accuracy, and which of them are known to be worse than the best."""

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import inf
from typing import Any, NamedTuple

import numpy as np

from tools.compare import statistics
from tools.compare.comparison import NO_EVIDENCE, UNKNOWN, WORSE
from tools.compare.statistics import SIGNIFICANCE, Change

BEST = "best"


class Experiment(NamedTuple):
    """A run: its params by their full names; the digest of the images it was given, and the share of them that was kept
    out of training; the digest of its networks; and their accuracies on those images, float (replicates,), empty where
    there are none.
    """

    name: str
    params: Mapping[str, Any]
    images: str
    fraction: float
    networks: str
    accuracies: np.ndarray


class Place(NamedTuple):
    """An experiment held against the best of its table. The p-value is adjusted for there being several."""

    experiment: Experiment
    change: Change
    p_value: float
    verdict: str


class Table(NamedTuple):
    """Places from the best down, all scored on the same images, and the names of the params in which they differ."""

    fraction: float
    images: str
    params: list[str]
    places: list[Place]


class Ranking(NamedTuple):
    """A table for each set of validation images; the names of the experiments that have none; and of those whose
    networks are another's to the byte, which stands for them.
    """

    tables: list[Table]
    unscored: list[str]
    repeated: dict[str, str]


def rank(experiments: Sequence[Experiment]) -> Ranking:
    """Sort experiments by mean validation accuracy, never by anything of the test images; equal ones by name."""
    first: dict[tuple[float, str, str], Experiment] = {}
    repeated = {}
    for experiment in filter(lambda each: len(each.accuracies), experiments):
        same = first.setdefault((experiment.fraction, experiment.images, experiment.networks), experiment)
        if same is not experiment:
            repeated[experiment.name] = same.name
    scored = list(first.values())
    sets = sorted({(experiment.fraction, experiment.images) for experiment in scored})
    return Ranking(
        tables=[_table([each for each in scored if (each.fraction, each.images) == key]) for key in sets],
        unscored=[experiment.name for experiment in experiments if not len(experiment.accuracies)],
        repeated=repeated,
    )


def _table(experiments: Sequence[Experiment]) -> Table:
    ordered = sorted(experiments, key=lambda each: (-each.accuracies.mean(), each.name))
    best = ordered[0]
    # The best was picked by its luck, too. Adjusted over all pairs, whichever turns out best is allowed for.
    pairs = list(combinations(ordered, 2))
    adjusted = statistics.holm([_change(*pair).p_value for pair in pairs])
    against = {other.name: p for (one, other), p in zip(pairs, adjusted, strict=True) if one is best}
    places = [Place(best, _change(best, best), 1.0, BEST)]
    for other in ordered[1:]:
        change, p_value = _change(best, other), against[other.name]
        places.append(Place(other, change, p_value, _verdict(change, p_value)))
    return Table(best.fraction, best.images, _varying(ordered), places)


def _change(base: Experiment, new: Experiment) -> Change:
    return statistics.of_replicates(base.accuracies, new.accuracies)._replace(largest=1)


def _verdict(change: Change, p_value: float) -> str:
    if change.error == inf:
        return UNKNOWN
    return WORSE if p_value < SIGNIFICANCE else NO_EVIDENCE


def _varying(experiments: Sequence[Experiment]) -> list[str]:
    names = sorted({name for experiment in experiments for name in experiment.params})
    # As JSON, in which 1 is not true.
    return [name for name in names if len({json.dumps(each.params.get(name)) for each in experiments}) > 1]
