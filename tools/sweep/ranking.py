"""Experiments in the order of their validation accuracy, and which of them are known to be worse than the best."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import inf
from typing import Any, NamedTuple

import numpy as np

from tools.compare import differences, statistics
from tools.compare.comparison import NO_EVIDENCE, UNKNOWN, WORSE
from tools.compare.statistics import SIGNIFICANCE, Change

BEST = "best"


class Experiment(NamedTuple):
    """One run. params: by their full names. images: the MD5 of its training images, and of the validation images that
    the data set may have. fraction: the share of the training images that was kept for validation; 0 if the data set
    has validation images. networks: the MD5 of its networks. accuracies: on the validation images, float (replicates,);
    empty if there are none. elsewhere: the name of its data set, if HEAD was not scored on the same test images.
    """

    name: str
    params: Mapping[str, Any]
    images: str
    fraction: float
    networks: str
    accuracies: np.ndarray
    elsewhere: str = ""


class Place(NamedTuple):
    """An experiment compared with the best of its table. The p-value is adjusted for the number of pairs."""

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
    """tables: one for each set of validation images. unscored: the names of experiments without validation images.
    repeated: the name of each experiment that has the same networks as an earlier one, and the name of that one.
    """

    tables: list[Table]
    unscored: list[str]
    repeated: dict[str, str]


def rank(experiments: Sequence[Experiment]) -> Ranking:
    """Sort experiments by their mean validation accuracy, and equal ones by name. Test images have no part in it."""
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
    # Luck had a part in which one is best. So the p-values are adjusted over all pairs.
    pairs = list(combinations(ordered, 2))
    adjusted = statistics.holm([_change(*pair).p_value for pair in pairs])
    places = [Place(best, _change(best, best), 1.0, BEST)]
    for other, p_value in zip(ordered[1:], adjusted, strict=False):  # the first pairs are those with the best
        change = _change(best, other)
        places.append(Place(other, change, p_value, _verdict(change, p_value)))
    varying = {name for one, other in pairs for name in differences.differing(one.params, other.params)}
    return Table(best.fraction, best.images, sorted(varying), places)


def _change(base: Experiment, new: Experiment) -> Change:
    return statistics.of_replicates(base.accuracies, new.accuracies)._replace(largest=1)


def _verdict(change: Change, p_value: float) -> str:
    if change.error == inf:
        return UNKNOWN
    return WORSE if p_value < SIGNIFICANCE else NO_EVIDENCE
