"""The speed of the pipeline beside a plain Keras script, on one machine and in one session.

    python -m benchmarks [RUNS]        or: make bench, which runs `python -m benchmarks.epochs` too

Each run goes through all commands in turn, so that a machine whose speed drifts does so for all alike. The network of
the recipe cnn is trained once. Writes results.md and results.json. Nothing passes or fails by the clock.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import measure, recipes
from benchmarks.measure import DVC, Process, summary, table
from core.cli import command
from core.scores import metrics
from stages.render import published
from tools import recipe, scratch

FOLDER = scratch.CHECKOUT / "build" / "bench"
PUBLISHED = next(run.accuracy for run in published.RUNS if run.recipe == "R1")
EPOCHS = 2  # of the convolutional network


def main(runs: int = 3) -> None:
    """Time each command `runs` times, and write the results."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    work = FOLDER / "work"
    measure.archives("fashion_mnist")
    scratch.copy(work, {})
    measure.run([*DVC, "repro", "normalize"], work, {"DATASET_MIRROR": str(measure.ARCHIVES)})
    taken: dict[str, list[Process]] = {}
    accuracies: list[float] = []
    for number in range(runs):
        for name, process in _round(work, number, accuracies):
            taken.setdefault(name, []).append(process)
            print(f"run {number + 1}/{runs}  {name}: {process.seconds:.2f} s, {process.peak_mb:.0f} MB", flush=True)
    for name, changes in {"cnn 1": recipes.ALONE, "cnn 5": recipes.ALL}.items():
        scratch.write_params(work, recipe.load("cnn").params | changes | {"train.epochs": EPOCHS})
        taken[name] = [measure.run(measure.stage("train"), work)]
    found = results(taken, accuracies)
    measure.write("results", found, page(found))


def _round(work: Path, number: int, accuracies: list[float]) -> Iterator[tuple[str, Process]]:
    """Yield each command's name and its process, one after the other. Adds the accuracy of dense_quick."""
    train, evaluate = measure.stage("train"), measure.stage("evaluate")
    seed = {"train.seed": number}
    yield "plain", measure.plain()
    scratch.write_params(work, seed | recipes.ALONE)
    yield "train 1", measure.run(train, work)
    scratch.write_params(work, seed | recipes.ALL)
    yield "train 5", measure.run(train, work)
    yield "evaluate 5", measure.run(evaluate, work)
    scratch.write_params(work, seed | recipe.load("dense_quick").params | recipes.ALONE)
    shutil.rmtree(work / "data/model")  # or networks of the earlier training would remain in it
    yield "dense_quick", measure.run(train, work)
    measure.run(evaluate, work)
    accuracies.append(metrics.read(work / "reports/metrics.json").test.accuracy)
    cold = FOLDER / "cold"
    scratch.copy(cold, recipes.ALL)
    yield "repro 5", measure.run([*DVC, "repro"], cold, {"DATASET_MIRROR": str(measure.ARCHIVES)})
    yield "status", measure.run([*DVC, "status"], cold)
    yield "repro again", measure.run([*DVC, "repro"], cold)
    scratch.write_params(cold, recipes.ALL | {"render.mistakes": 10 + number % 5})
    yield "render", measure.run([*DVC, "repro"], cold)


def results(taken: dict[str, list[Process]], accuracies: list[float]) -> dict[str, Any]:
    """Return times and peaks of memory, of each run."""
    return {
        "machine": measure.machine(),
        "seconds": {name: [round(process.seconds, 3) for process in processes] for name, processes in taken.items()},
        "peak_mb": {name: [round(process.peak_mb) for process in processes] for name, processes in taken.items()},
        "plain_import_and_fit_seconds": [round(process.at("fitted")[0], 3) for process in taken["plain"]],
        "cnn_epoch_seconds": {"one": _epoch(taken["cnn 1"][0], 1), "five": 5 * _epoch(taken["cnn 5"][0], 2)},
        "dense_quick_accuracies": accuracies,
    }


def _epoch(process: Process, at_once: int) -> float:
    """Return the seconds for each epoch of a network, if `at_once` networks train side by side.

    Their first epochs are left out, because they compile.
    """
    ends = [second for second, line in process.lines if re.match("replicate [0-9]+  epoch +[1-9]", line)][at_once - 1 :]
    return round((ends[-1] - ends[0]) / (len(ends) - 1), 3)


def ratios(results: dict[str, Any]) -> dict[str, list[float]]:
    """Return the ratios that compare times, and memory, of each run."""
    whole, peaks, fitted = results["seconds"], results["peak_mb"], results["plain_import_and_fit_seconds"]
    cnn = results["cnn_epoch_seconds"]
    pairs = {
        "import and fit, plain / train stage, one network": (fitted, whole["train 1"]),
        f"to {PUBLISHED:.2%}, plain's 10 epochs / dense_quick": (fitted, whole["dense_quick"]),
        "train stage, five networks / one": (whole["train 5"], whole["train 1"]),
        "epoch of cnn, five networks / one": ([cnn["five"]], [cnn["one"]]),
        "cold repro, five networks / plain": (whole["repro 5"], whole["plain"]),
        "repro with nothing to do / status": (whole["repro again"], whole["status"]),
        "repro after a change in render / plain": (whole["render"], whole["plain"]),
        "peak memory, five networks / plain": ([max(peaks["train 5"] + peaks["evaluate 5"])], [median(peaks["plain"])]),
    }
    return {name: [above / below for above, below in zip(*pair, strict=True)] for name, pair in pairs.items()}


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    compared = [[name, summary(values)] for name, values in ratios(results).items()]
    peaks = results["peak_mb"]
    seconds = [[name, summary(values), max(peaks[name])] for name, values in sorted(results["seconds"].items())]
    accuracies = summary(results["dense_quick_accuracies"], 4)
    return (
        "# Benchmarks\n\nMade by `make bench`. Medians, with the smallest and the largest value in brackets.\n\n"
        f"{results['machine']}.\n\n## Ratios\n\n{table(['what', 'ratio'], compared)}\n"
        f"The test accuracy of dense_quick: {accuracies}; the published accuracy is {PUBLISHED}.\n\n"
        f"## Whole processes\n\n{table(['command', 'seconds', 'peak MB of the process'], seconds)}\n"
    )


if __name__ == "__main__":
    command.run(main)
