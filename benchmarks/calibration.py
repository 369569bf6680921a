"""How far the verdicts of tools.compare can be trusted: false alarms, false equivalence, the promised power, and plans.

    python -m benchmarks.calibration

Trains 20 replicates with the committed params on the real data, in build/calibration, and draws two sides from them at
random, many times. Does the same with simulated networks, and with normal scores, also of sides that spread unequally,
as the networks of different recipes may. Writes calibration.md and calibration.json beside this module. All draws
are of the same 20 networks, so they are not independent, and the rates are less certain than their number suggests.
"""

import shutil
from collections.abc import Callable
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from benchmarks import measure
from core.cli import command
from core.files import arrays
from core.scores import ensemble, scores
from tools import scratch
from tools.compare import statistics
from tools.compare.statistics import SIGNIFICANCE

FOLDER = scratch.CHECKOUT / "build" / "calibration"
REPLICATES, DRAWS, PROMISES, SEED = 20, 300, 1000, 0
UNEQUAL = ((2, 10), (3, 10))
SIDES = ((2, 2), (3, 3), (5, 5), (10, 10), *UNEQUAL, (1, 3), (1, 5), (1, 10))
TOLERANCE = 0.02  # far above the error of each comparison, so that equivalence is often found
PLANNED = 0.01  # a change of the accuracy that 5 simulated networks a side often miss
SPREAD = 4  # of the smaller side's networks, in units of the larger side's, if they are unequal
SOURCES = ("real networks", "simulated networks", "normal scores", "unequal normal scores")
FALSE_ALARMS = ["accuracy", "loss", "any class", "ensemble accuracy"]
COLUMNS = [*FALSE_ALARMS, "equivalent", "ensemble equivalent", "power"]

# Of simulated networks: a normal score is right if it is positive. The standard deviations of its parts: images, images
# on one side alone, networks, and networks on single images. The accuracies then spread as those of real networks do.
IMAGES, ACCURACY = 5000, 0.88
PARTS = (1.0, 0.3, 0.025, 0.5)

Pair = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator, tuple[int, int], float], Pair]


class Source(NamedTuple):
    """scores: draws scores (replicates, images) of two sides with a given true change of their means. networks: draws
    probabilities (replicates, images, classes) without a change; None if there are none. labels: of the images.
    """

    scores: Draw
    networks: Callable[[np.random.Generator, tuple[int, int]], Pair] | None = None
    labels: np.ndarray = np.zeros(IMAGES, np.uint8)


def main() -> None:
    """Train the networks, draw sides from them, and write the rates."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(FOLDER, {"train.replicates": REPLICATES})
    measure.run([*measure.DVC, "repro", "evaluate"], FOLDER)
    probabilities = arrays.read(FOLDER / "data/predictions/probabilities.npy", np.float32, 3)
    results = measured(probabilities, arrays.read_split(FOLDER / "data/normalized/test").labels)
    measure.write("calibration", results, page(results))


def measured(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return each network's accuracy and the rates of each source: float (replicates, n, classes), labels (n,)."""
    sources = [
        real(probabilities, labels),
        Source(signs, _predicted),
        Source(normal),
        Source(partial(normal, spread=SPREAD)),
    ]
    cases = [(name, source, counts) for name, source in zip(SOURCES, sources, strict=True) for counts in of(name)]
    with ThreadPool(2) as pool:
        found = pool.starmap(rates, [case[1:] for case in cases], chunksize=1)
    by_source: dict[str, dict[str, dict[str, float]]] = {name: {} for name in SOURCES}
    for (name, _, counts), each in zip(cases, found, strict=True):
        by_source[name][_against(counts)] = each
    return {
        "replicates": len(probabilities),
        "draws": {"networks": DRAWS, "scores": PROMISES},
        "accuracies": [round(float(scores.right(each, labels).mean()), 4) for each in probabilities],
        "rates": by_source,
        "plan": kept_plans(),
    }


def rates(source: Source, counts: tuple[int, int]) -> dict[str, float]:
    """Return the rates of false alarms, of false equivalence, and of changes found of those promised to be found."""
    found = kept_promises(source.scores, counts)
    if source.networks:
        found |= false_alarms(source, counts)
        if counts[0] == counts[1]:
            found["ensemble equivalent"] = false_ensembles(source, counts)
    return found


def false_alarms(source: Source, counts: tuple[int, int]) -> dict[str, float]:
    """Return the share of draws without a change in which each verdict was a false alarm."""
    generator = np.random.default_rng(SEED)
    assert source.networks
    draws = [_p_values(*source.networks(generator, counts), labels=source.labels) for _ in range(DRAWS)]
    return {name: sum(each[name] < SIGNIFICANCE for each in draws) / DRAWS for name in draws[0]}


def _p_values(base: np.ndarray, new: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the p-values that decide each verdict but that on the accuracy; only if tools.compare gives the verdict.

    Ensembles of different numbers of networks are left out: more networks alone make an ensemble better.
    """
    right, losses = (
        [np.stack([score(network, labels) for network in side]) for side in (base, new)]
        for score in (scores.right, scores.losses)
    )
    found = {"loss": statistics.of_recipes(*losses).p_value}
    masks = [labels == label for label in range(labels.max() + 1)]
    if min(len(base), len(new)) > 1 < len(masks):
        recalls = [statistics.of_recipes(*(side[:, mask] for side in right)).p_value for mask in masks]
        found["any class"] = min(statistics.holm(recalls))
    if len(base) == len(new):
        found["ensemble accuracy"] = statistics.of_ensembles(base, new, labels, scores.right).p_value
    return found


def kept_promises(draw: Draw, counts: tuple[int, int]) -> dict[str, float]:
    """Return the share of draws that are called equivalent with a change as large as the tolerance, the share of draws
    without a change that are called different, and the share that finds the change that the latter promised to find.
    """
    generator = np.random.default_rng(SEED)
    equivalent = alarms = found = 0
    for _ in range(PROMISES):
        equivalent += statistics.of_recipes(*draw(generator, counts, -TOLERANCE)).equivalent(TOLERANCE)
        unchanged = statistics.of_recipes(*draw(generator, counts, 0))
        alarms += unchanged.p_value < SIGNIFICANCE
        found += _finds(draw, generator, counts, min(unchanged.smallest, 0.2))
    rates = {"accuracy": alarms / PROMISES, "power": found / PROMISES}
    return rates if min(counts) == 1 else rates | {"equivalent": equivalent / PROMISES}


def false_ensembles(source: Source, counts: tuple[int, int]) -> float:
    """Return the share of draws whose ensembles are called equivalent with a change as large as the tolerance.

    All networks of the new side, and so each ensemble of them, are made wrong on a random share of the images: the
    probability of the label becomes 0. The share is the tolerance over the accuracy of the ensemble.
    """
    generator, labels, found = np.random.default_rng(SEED), source.labels, 0
    assert source.networks
    for _ in range(DRAWS):
        base, new = source.networks(generator, counts)
        accuracy = scores.right(ensemble.average(new), labels).mean()
        wrong = generator.random(len(labels)) < TOLERANCE / accuracy
        new[:, wrong, labels[wrong]] = 0
        found += statistics.of_ensembles(base, new, labels, scores.right).equivalent(TOLERANCE)
    return found / DRAWS


def kept_plans() -> float:
    """Return the share of plans that are kept: the replicates that 5 simulated networks a side ask for find PLANNED."""
    generator, found = np.random.default_rng(SEED), 0
    for _ in range(PROMISES):
        planned = statistics.noise(*signs(generator, (5, 5), 0)).replicates(PLANNED)
        found += planned is not None and _finds(signs, generator, (planned, planned), PLANNED)
    return found / PROMISES


def _finds(draw: Draw, generator: np.random.Generator, counts: tuple[int, int], change: float) -> bool:
    return statistics.of_recipes(*draw(generator, counts, -change)).p_value < SIGNIFICANCE


def real(probabilities: np.ndarray, labels: np.ndarray) -> Source:
    """Return the source that draws from these networks: float (replicates, n, classes), labels (n,).

    To change the accuracy, all networks of the new side are made wrong on a random share of the images. The accuracy of
    all networks is then expected to fall by this share of itself, and other images would have been others' luck.
    """
    right = np.stack([scores.right(each, labels) for each in probabilities])

    def chosen(generator: np.random.Generator, counts: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        order = generator.permutation(len(right))
        return order[: counts[0]], order[counts[0] : sum(counts)]

    def changed(generator: np.random.Generator, counts: tuple[int, int], change: float) -> Pair:
        base, new = chosen(generator, counts)
        return right[base], right[new] & (generator.random(len(labels)) >= -change / right.mean())

    def networks(generator: np.random.Generator, counts: tuple[int, int]) -> Pair:
        base, new = chosen(generator, counts)
        return probabilities[base], probabilities[new]

    return Source(changed, networks, labels)


def simulated(generator: np.random.Generator, counts: tuple[int, int], change: float) -> Pair:
    """Return normal scores, float32 (replicates, IMAGES), that are positive in a share of ACCURACY -+ change / 2.

    So the noise, which falls with the accuracy, is on average that of no change.
    """
    images, side, network, single = PARTS
    common = images * _normal(generator, 1, IMAGES)
    base, new = (
        np.sqrt(np.square(PARTS).sum()) * special.ndtri(accuracy)
        + common
        + side * _normal(generator, 1, IMAGES)
        + network * _normal(generator, count, 1)
        + single * _normal(generator, count, IMAGES)
        for count, accuracy in zip(counts, (ACCURACY - change / 2, ACCURACY + change / 2), strict=True)
    )
    return base, new


def signs(generator: np.random.Generator, counts: tuple[int, int], change: float) -> Pair:
    """Return whether the simulated networks are right, bool (replicates, IMAGES)."""
    base, new = simulated(generator, counts, change)
    return base > 0, new > 0


def normal(generator: np.random.Generator, counts: tuple[int, int], change: float, spread: float = 1) -> Pair:
    """Return normal scores, float32 (replicates, 1000), whose means differ by the change. The means of networks and the
    means of images spread as those of the real networks, but those of networks of the base `spread` times as far.
    """
    base, new = (
        mean + times * 0.004 * _normal(generator, count, 1) + 0.06 * _normal(generator, count, 1000) + side
        for count, mean, times, side in zip(
            counts, (0, change), (spread, 1), 0.05 * _normal(generator, 2, 1000), strict=True
        )
    )
    return base, new


def _predicted(generator: np.random.Generator, counts: tuple[int, int]) -> Pair:
    """Return the probabilities of simulated networks for two classes, of which 0 is right."""
    base, new = (special.expit(np.stack([side, -side], axis=2)) for side in simulated(generator, counts, 0))
    return base, new


def _normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape, np.float32)


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown: a table for each source, a row for each pair of sides; and the plans.

    A cell is empty if there is no such verdict.
    """
    tables = [
        measure.table(
            [name, *COLUMNS],
            [
                [_against(counts), *(f"{found[column]:.1%}" if column in found else "" for column in COLUMNS)]
                for counts in of(name)
                for found in [results["rates"][name][_against(counts)]]
            ],
        )
        for name in SOURCES
    ]
    plans = f"Plans for {100 * PLANNED:.2f} points from 5 simulated networks a side: {results['plan']:.1%} find it.\n"
    return "\n".join([*tables, plans])


def of(source: str) -> tuple[tuple[int, int], ...]:
    """Return the numbers of networks of the two sides that are drawn from a source."""
    return UNEQUAL if source == SOURCES[-1] else SIDES


def _against(counts: tuple[int, int]) -> str:
    return f"{counts[0]} against {counts[1]}"


if __name__ == "__main__":
    command.run(main)
