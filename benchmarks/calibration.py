"""How far the verdicts of tools.compare can be trusted: false alarms, false equivalence, and the promised power.

    python -m benchmarks.calibration

Trains 20 replicates with the committed params on the real data, in build/calibration, and draws two sides from them at
random, many times. Does the same with simulated networks, and with scores that are normal. Writes calibration.md and
calibration.json beside this module. All draws are of the same 20 networks, so they are not independent, and the rates
are less certain than the number of draws suggests.
"""

import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from benchmarks import measure
from core.cli import command
from core.files import arrays
from core.scores import scores
from tools import scratch
from tools.compare import comparison, statistics
from tools.compare.comparison import BETTER, WORSE
from tools.compare.statistics import SIGNIFICANCE

FOLDER = scratch.CHECKOUT / "build" / "calibration"
REPLICATES, DRAWS, PROMISES, SEED = 20, 1000, 3000, 0
SIDES = ((2, 2), (3, 3), (5, 5), (10, 10), (1, 3), (1, 5), (1, 10))
TOLERANCE = 0.02  # far above the error of each comparison, so that equivalence is often found
SOURCES = ("real networks", "simulated networks", "normal scores")
FALSE_ALARMS = ["accuracy", "loss", "any class", "ensemble accuracy"]
COLUMNS = ["replicates", *FALSE_ALARMS, "equivalent", "power"]

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
        Source(lambda *given: tuple(side > 0 for side in simulated(*given)), _predicted),
        Source(normal),
    ]
    return {
        "replicates": len(probabilities),
        "draws": {"false alarms": DRAWS, "equivalent and power": PROMISES},
        "accuracies": [round(float(scores.right(each, labels).mean()), 4) for each in probabilities],
        "rates": {
            name: {_against(counts): rates(source, counts) for counts in SIDES}
            for name, source in zip(SOURCES, sources, strict=True)
        },
    }


def rates(source: Source, counts: tuple[int, int]) -> dict[str, float]:
    """Return the rates of false alarms, of false equivalence, and of changes found of those promised to be found."""
    found = false_alarms(source, counts) if source.networks else {}
    return found | kept_promises(source.scores, counts)


def false_alarms(source: Source, counts: tuple[int, int]) -> dict[str, float]:
    """Return the share of draws without a change in which each verdict was a false alarm."""
    generator = np.random.default_rng(SEED)
    classes = [str(label) for label in range(source.labels.max() + 1)]
    found = dict.fromkeys(FALSE_ALARMS, 0)
    for _ in range(DRAWS):
        compared = comparison.of_predictions(*source.networks(generator, counts), source.labels, classes)
        verdicts = {
            "accuracy": [compared.accuracy],
            "loss": [compared.loss],
            "any class": compared.recalls.values(),
            "ensemble accuracy": [compared.ensemble["accuracy"]],
        }
        for name, of_scores in verdicts.items():
            found[name] += any(score.verdict in (BETTER, WORSE) for score in of_scores)
    given = ["accuracy", "loss"]
    if min(counts) > 1:  # one network gives no such verdicts
        given += ["any class"] * (len(classes) > 1) + ["ensemble accuracy"]
    return {name: found[name] / DRAWS for name in given}


def kept_promises(draw: Draw, counts: tuple[int, int]) -> dict[str, float]:
    """Return the share of draws that are called equivalent with a change as large as the tolerance, and the share that
    finds the change that a draw without a change promised to find.
    """
    generator = np.random.default_rng(SEED)
    equivalent = found = 0
    for _ in range(PROMISES):
        equivalent += statistics.of_recipes(*draw(generator, counts, -TOLERANCE)).equivalent(TOLERANCE)
        promised = statistics.of_recipes(*draw(generator, counts, 0)).smallest()
        found += statistics.of_recipes(*draw(generator, counts, -min(promised, 0.2))).p_value < SIGNIFICANCE
    rates = {"power": found / PROMISES}
    return rates if min(counts) == 1 else rates | {"equivalent": equivalent / PROMISES}


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


def normal(generator: np.random.Generator, counts: tuple[int, int], change: float) -> Pair:
    """Return normal scores, float32 (replicates, 1000), whose means differ by the change. The means of networks and the
    means of images spread as those of the real networks.
    """
    base, new = (
        mean + 0.004 * _normal(generator, count, 1) + 0.06 * _normal(generator, count, 1000) + side
        for count, mean, side in zip(counts, (0, change), 0.05 * _normal(generator, 2, 1000), strict=True)
    )
    return base, new


def _predicted(generator: np.random.Generator, counts: tuple[int, int]) -> Pair:
    """Return the probabilities of simulated networks for two classes, of which 0 is right."""
    base, new = (special.expit(np.stack([side, -side], axis=2)) for side in simulated(generator, counts, 0))
    return base, new


def _normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape, np.float32)


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown, a table for each source."""
    return "\n".join(measure.table([name, *COLUMNS[1:]], _rows(results["rates"][name])) for name in SOURCES)


def _rows(found: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return a row for each pair of sides; a cell is empty if there is no such verdict."""
    return [
        [_against(counts), *(f"{rates[name]:.1%}" if name in rates else "" for name in COLUMNS[1:])]
        for counts in SIDES
        for rates in [found[_against(counts)]]
    ]


def _against(counts: tuple[int, int]) -> str:
    return f"{counts[0]} against {counts[1]}"


if __name__ == "__main__":
    command.run(main)
