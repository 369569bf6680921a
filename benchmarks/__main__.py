"""The speed of the pipeline beside Keras' own way and other libraries, on one machine and in one session.

    python -m benchmarks [RUNS]        or: make bench

Each run goes through all commands in turn, so that a machine whose speed drifts does so for all alike. Writes
results.md and results.json, then runs `python -m benchmarks.growth` and `python -m benchmarks.predict`, which uses the
results of `dvc repro` in the workspace. Nothing passes or fails by the clock.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import growth, measure, predict, recipes
from benchmarks.measure import DVC, PYTHON, Process, summary, table
from core.cli import command
from core.scores import metrics
from stages.render import published
from tools import recipe, scratch

FOLDER = scratch.CHECKOUT / "build" / "bench"
DATASET = "fashion_mnist"
PUBLISHED = next(run.accuracy for run in published.RUNS if run.recipe == "R1")
# Apart from .venv, because Keras would import them too: pip install --target build/rivals, with the packages of the
# extra `bench` in pyproject.toml.
INSTALLED = scratch.CHECKOUT / "build" / "rivals"
RIVALS = {"jax": "benchmarks.rivals.jax_scan", "torch": "benchmarks.rivals.torch_loop"}
# The beginning of the line that each command prints after an epoch.
EPOCHS = {"plain": "epoch", "train 1": "replicate 0  epoch", "train 1, 2 threads": "replicate 0  epoch"}
EPOCHS |= dict.fromkeys(RIVALS, "epoch")

Runs = dict[str, list[Process]]


def main(runs: int = 5) -> None:
    """Time each command `runs` times, and write the results."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    work = FOLDER / "work"
    measure.archives(DATASET)
    scratch.copy(work, {"train.replicates": 1})
    measure.run([*DVC, "repro", "normalize"], work, {"DATASET_MIRROR": str(measure.ARCHIVES)})
    taken: Runs = {}
    accuracies: list[float] = []
    for number in range(runs):
        for name, process in _round(work, number, accuracies):
            taken.setdefault(name, []).append(process)
            print(f"run {number + 1}/{runs}  {name}: {process.seconds:.2f} s, {process.peak_mb:.0f} MB", flush=True)
    floor = measure.run([PYTHON, "-m", "benchmarks.floor"], scratch.CHECKOUT)
    scratch.write_params(work, recipe.load("cnn").params | recipes.ALONE)
    taken["cnn"] = [measure.run(measure.stage("train"), work)]
    found = results(taken, accuracies, floor)
    measure.write("results", found, page(found))
    growth.main()
    predict.main()


def _round(work: Path, number: int, accuracies: list[float]) -> Iterator[tuple[str, Process]]:
    """Yield each command's name and its process, one after the other. Adds the accuracy of the quickest recipe."""
    train, evaluate = measure.stage("train"), measure.stage("evaluate")
    one = {"train.replicates": 1, "train.seed": number}
    yield "plain", measure.plain()
    scratch.write_params(work, one)
    yield "train 1", measure.run(train, work)
    scratch.write_params(work, one | {"train.threads": 2})
    yield "train 1, 2 threads", measure.run(train, work)
    scratch.write_params(work, {"train.replicates": 5, "train.seed": number})
    yield "train 5", measure.run(train, work)
    yield "evaluate 5", measure.run(evaluate, work)
    scratch.write_params(work, recipe.load("dense_quick").params | recipes.ALONE | {"train.seed": number})
    shutil.rmtree(work / "data/model")  # or networks of the earlier training would remain in it
    yield "quick", measure.run(train, work)
    measure.run(evaluate, work)
    accuracies.append(metrics.read(work / "reports/metrics.json").test.accuracy)
    cold = FOLDER / "cold"
    for replicates in (1, 5):
        scratch.copy(cold, {"train.replicates": replicates})
        yield f"repro {replicates}", measure.run([*DVC, "repro"], cold, {"DATASET_MIRROR": str(measure.ARCHIVES)})
    yield "status", measure.run([*DVC, "status"], cold)
    yield "repro again", measure.run([*DVC, "repro"], cold)
    scratch.write_params(cold, {"train.replicates": 5, "render.mistakes": 10 + number % 5})
    yield "render", measure.run([*DVC, "repro"], cold)
    for library, module in RIVALS.items():
        if (INSTALLED / library).exists():
            rival = [PYTHON, "-m", module, str(work / "data/normalized/train")]
            yield library, measure.run(rival, scratch.CHECKOUT, {"PYTHONPATH": str(INSTALLED)})


def results(taken: Runs, accuracies: list[float], floor: Process) -> dict[str, Any]:
    """Return times, peaks of memory, and the ratios that compare them, of each run."""
    whole = {name: [process.seconds for process in processes] for name, processes in taken.items()}
    peaks = {name: [round(process.peak_mb) for process in processes] for name, processes in taken.items()}
    fitted = [process.at("fitted")[0] for process in taken["plain"]]
    epoch = {  # the first epoch compiles, and np.diff leaves it out
        name: [median(np.diff(process.at(beginning)).tolist()) for process in taken[name]]
        for name, beginning in EPOCHS.items()
        if name in taken
    }
    lowest = sum(float(line.split()[1]) for _, line in floor.lines)
    pairs = {
        "epoch, plain / ours": (epoch["plain"], epoch["train 1"]),
        "epoch, plain / ours with train.threads 2": (epoch["plain"], epoch["train 1, 2 threads"]),
        "import and fit, plain / train stage, 1 replicate": (fitted, whole["train 1"]),
        "import and fit, plain / train stage with train.threads 2": (fitted, whole["train 1, 2 threads"]),
        "train stage, 5 replicates / plain import and fit of 1": (whole["train 5"], fitted),
        f"to {PUBLISHED:.2%}, plain's 10 epochs / quickest recipe": (fitted, whole["quick"]),
        "cold repro, 1 replicate / plain": (whole["repro 1"], whole["plain"]),
        "cold repro, 5 replicates / plain": (whole["repro 5"], whole["plain"]),
        "repro with nothing to do / status": (whole["repro again"], whole["status"]),
        "repro after a change in render / plain": (whole["render"], whole["plain"]),
        "peak memory, 5 replicates / plain": ([max(peaks["train 5"] + peaks["evaluate 5"])], [median(peaks["plain"])]),
        "one network of the recipe cnn, with train.threads 2 / plain": (whole["cnn"], [median(whole["plain"])]),
        "our epoch / the floor": (epoch["train 1"], [lowest] * len(epoch["train 1"])),
    }
    pairs |= {f"epoch, {name} / ours": (epoch[name], epoch["train 1"]) for name in RIVALS if name in taken}
    return {
        "machine": measure.machine(),
        "seconds": _rounded(whole, 3),
        "epoch_seconds": _rounded(epoch, 4),
        "plain_import_and_fit_seconds": [round(second, 3) for second in fitted],
        "peak_mb": peaks,
        "quick_accuracies": accuracies,
        "floor_epoch_seconds": round(lowest, 4),
        "ratios": {
            name: [round(above / below, 3) for above, below in zip(*pair, strict=True)] for name, pair in pairs.items()
        },
    }


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    ratios = [[name, summary(values)] for name, values in results["ratios"].items()]
    peaks = results["peak_mb"]
    seconds = [[name, summary(values), max(peaks[name])] for name, values in results["seconds"].items()]
    accuracies = summary(results["quick_accuracies"], 4)
    return (
        "# Benchmarks\n\nMade by `make bench`. Medians, with the smallest and the largest value in brackets.\n\n"
        f"{results['machine']}.\n\n## Ratios\n\n{table(['what', 'ratio'], ratios)}\n"
        f"The quickest recipe's test accuracy: {accuracies}; the published accuracy is {PUBLISHED}.\n\n"
        f"## Whole processes\n\n{table(['command', 'seconds', 'peak MB of the process'], seconds)}\n"
    )


def _rounded(numbers: dict[str, list[float]], digits: int) -> dict[str, list[float]]:
    return {name: [round(number, digits) for number in each] for name, each in numbers.items()}


if __name__ == "__main__":
    command.run(main)
