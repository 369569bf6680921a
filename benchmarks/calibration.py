"""The rate of false alarms of tools.compare: how often it calls networks different that differ only in their seed.

    python -m benchmarks.calibration

Trains 20 replicates with the committed params on the real data, in build/calibration. Then splits them at random into
two sides, many times, and writes calibration.md and calibration.json beside this module. All splits are of the same 20
networks, so they are not independent, and the rates are less certain than the number of splits suggests.
"""

import shutil
from typing import Any

import numpy as np

from benchmarks import measure
from core.cli import command
from core.files import arrays
from core.scores import scores
from tools import scratch
from tools.compare import comparison
from tools.compare.comparison import NO_EVIDENCE

FOLDER = scratch.CHECKOUT / "build" / "calibration"
REPLICATES, SPLITS, SEED = 20, 2000, 0
SIDES = (3, 5, 10)
COLUMNS = ["replicates a side", "accuracy", "loss", "any class"]


def main() -> None:
    """Train the networks, split them, and write the rates of false alarms."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(FOLDER, {"train.replicates": REPLICATES})
    measure.run([*measure.DVC, "repro", "evaluate"], FOLDER)
    probabilities = arrays.read(FOLDER / "data/predictions/probabilities.npy", np.float32, 3)
    results = measured(probabilities, arrays.read_split(FOLDER / "data/normalized/test").labels)
    measure.write("calibration", results, page(results))


def measured(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return each network's accuracy and the rates of false alarms: float (replicates, n, classes), labels (n,)."""
    return {
        "replicates": len(probabilities),
        "splits": SPLITS,
        "accuracies": [round(float(scores.right(each, labels).mean()), 4) for each in probabilities],
        "false_alarms": {str(size): false_alarms(probabilities, labels, size) for size in SIDES},
    }


def false_alarms(probabilities: np.ndarray, labels: np.ndarray, size: int) -> dict[str, float]:
    """Return the share of random splits in which each verdict was a false alarm.

    probabilities: float (replicates, n, classes); labels: integer (n,); size: the replicates on each side.
    """
    generator = np.random.default_rng(SEED)
    classes = [str(label) for label in range(probabilities.shape[2])]
    found = {"accuracy": 0, "loss": 0, "any class": 0}
    for _ in range(SPLITS):
        base, new = generator.choice(len(probabilities), (2, size), replace=False)
        compared = comparison.of_predictions(probabilities[base], probabilities[new], labels, classes)
        found["accuracy"] += compared.accuracy.verdict != NO_EVIDENCE
        found["loss"] += compared.loss.verdict != NO_EVIDENCE
        found["any class"] += any(score.verdict != NO_EVIDENCE for score in compared.recalls.values())
    return {name: count / SPLITS for name, count in found.items()}


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown, a row for each number of replicates."""
    found = [(size, results["false_alarms"][str(size)]) for size in SIDES]
    rows = [[size, *(f"{rates[name]:.1%}" for name in COLUMNS[1:])] for size, rates in found]
    return measure.table(COLUMNS, rows)


if __name__ == "__main__":
    command.run(main)
