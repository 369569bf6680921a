"""How fast this is, beside Keras' own way and other libraries, on this machine and in this one run.

    python -m benchmarks [RUNS]        or: make bench

Every run goes once through all that is compared, so that a machine whose speed drifts does so for all alike. Writes
results.md and results.json beside this module, and at last does what `python -m benchmarks.growth` does and, on what
`dvc repro` left in the workspace, `python -m benchmarks.predict`. Nothing passes or fails by the clock.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import growth, measure, predict, recipes
from benchmarks.measure import Process, summary, table
from core.cli import command
from core.files import atomic
from stages.render import published
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "bench"
RESULTS = Path(__file__).parent
PYTHON = sys.executable
DVC = [PYTHON, "-m", "dvc"]
# As its author would run it: what .venv holds for the tests alone, Keras would import too.
PLAIN = "import runpy, sys; sys.modules |= dict.fromkeys(('pandas', 'scipy', 'sklearn')); "
PLAIN += "runpy.run_module('benchmarks.plain', run_name='__main__', alter_sys=True)"
PUBLISHED = next(run.accuracy for run in published.RUNS if run.recipe == "R1")
# The published accuracy in the fewest seconds: the network of R1, its rate decayed, in fewer and larger batches.
QUICK = {"train.learning_rate": 6e-3, "train.learning_rate_schedule": "one_cycle", "train.batch_size": 128}
QUICK |= {"train.epochs": 8, "train.threads": 2}
# Apart from .venv, or Keras would import them too: pip install --target build/rivals, and the extra `bench` of
# pyproject.toml.
INSTALLED = scratch.CHECKOUT / "build" / "rivals"
RIVALS = {"jax": "benchmarks.rivals.jax_scan", "torch": "benchmarks.rivals.torch_loop"}

TRAIN, EVALUATE = [*growth.TRAIN, *growth.FITTED], growth.EVALUATE

Runs = dict[str, list[Process]]


def main(runs: int = 5) -> None:
    """Time everything `runs` times and write the results."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    work = FOLDER / "work"
    scratch.copy(work, {"train.replicates": 1})
    measure.run([*DVC, "repro", "normalize"], work)
    taken: Runs = {}
    accuracies: list[float] = []
    for number in range(runs):
        for name, process in _round(work, number, accuracies):
            taken.setdefault(name, []).append(process)
            print(f"run {number + 1}/{runs}  {name}: {process.seconds:.2f} s, {process.peak_mb:.0f} MB", flush=True)
    floor = measure.run([PYTHON, "-m", "benchmarks.floor"], scratch.CHECKOUT)
    _, cnn, _ = recipes.RECIPES["cnn"]
    scratch.write_params(work, cnn | {"train.replicates": 1, "train.threads": 2})
    taken["cnn"] = [measure.run(TRAIN, work)]
    results = _results(taken, accuracies, floor)
    atomic.write_json(RESULTS / "results.json", results)
    atomic.write_text(RESULTS / "results.md", _page(results))
    print((RESULTS / "results.md").read_text(encoding="utf-8"))
    growth.main()
    predict.main()


def _round(work: Path, number: int, accuracies: list[float]) -> Iterator[tuple[str, Process]]:
    """Yield each command's name and its process, one after the other."""
    raw = str(work / "data/raw")
    one = {"train.replicates": 1, "train.seed": number}
    yield "plain", measure.run([PYTHON, "-c", PLAIN, raw], scratch.CHECKOUT, {"TF_CPP_MIN_LOG_LEVEL": "3"})
    scratch.write_params(work, one)
    yield "train 1", measure.run(TRAIN, work)
    scratch.write_params(work, one | {"train.threads": 2})
    yield "train 1, 2 threads", measure.run(TRAIN, work)
    scratch.write_params(work, {"train.replicates": 5, "train.seed": number})
    yield "train 5", measure.run(TRAIN, work)
    yield "evaluate 5", measure.run(EVALUATE, work)
    scratch.write_params(work, one | QUICK)
    shutil.rmtree(work / "data/model")  # or the networks of the run before would be scored as well
    yield "quick", measure.run(TRAIN, work)
    measure.run(EVALUATE, work)
    accuracies.append(_read_accuracy(work))
    for replicates in (1, 5):
        cold = FOLDER / "cold"
        shutil.rmtree(cold, ignore_errors=True)
        scratch.copy(cold, {"train.replicates": replicates})
        environment = {"DATASET_MIRROR": str(_mirror(work))}
        yield f"repro {replicates}", measure.run([*DVC, "repro"], cold, environment)
    yield "status", measure.run([*DVC, "status"], cold)
    yield "repro again", measure.run([*DVC, "repro"], cold)
    scratch.write_params(cold, {"train.replicates": 5, "render.mistakes": 10 + number % 5})
    yield "render", measure.run([*DVC, "repro"], cold)
    for library, module in RIVALS.items():
        if (INSTALLED / library).exists():
            command = [PYTHON, "-m", module, str(work / "data/normalized/train")]
            yield library, measure.run(command, scratch.CHECKOUT, {"PYTHONPATH": str(INSTALLED)})


def _mirror(work: Path) -> Path:
    """Return a folder laid out as DATASET_MIRROR wants it, with the archives that are already here."""
    mirror = FOLDER / "mirror"
    if not mirror.exists():
        shutil.copytree(work / "data/raw", mirror / "fashion_mnist")
    return mirror


def _read_accuracy(work: Path) -> float:
    return json.loads((work / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]


def _epochs(process: Process, beginning: str) -> list[float]:
    """Return the seconds of each epoch but the first, which compiles."""
    return np.diff(process.at(beginning)).tolist()


def _results(taken: Runs, accuracies: list[float], floor: Process) -> dict[str, Any]:
    plain, rivals = taken["plain"], [name for name in RIVALS if name in taken]
    fitted = [process.at("fitted")[0] for process in plain]
    ours = dict.fromkeys(("train 1", "train 1, 2 threads"), "replicate 0  epoch")
    epochs = {"plain": "epoch"} | ours | dict.fromkeys(rivals, "epoch")
    epoch = {name: [median(_epochs(p, start)) for p in taken[name]] for name, start in epochs.items()}
    whole = {name: [process.seconds for process in processes] for name, processes in taken.items()}
    peak = max(process.peak_mb for name in ("train 5", "evaluate 5") for process in taken[name])
    lowest = sum(float(line.split()[1]) for _, line in floor.lines)

    def ratios(ours: list[float], theirs: list[float]) -> list[float]:
        return [round(our / their, 3) for our, their in zip(ours, theirs, strict=True)]

    return {
        "machine": measure.machine(),
        "seconds": {name: [round(second, 3) for second in seconds] for name, seconds in whole.items()},
        "epoch_seconds": {name: [round(second, 4) for second in seconds] for name, seconds in epoch.items()},
        "plain_import_and_fit_seconds": [round(second, 3) for second in fitted],
        "peak_mb": {name: [round(process.peak_mb) for process in processes] for name, processes in taken.items()},
        "quick_accuracies": accuracies,
        "floor_epoch_seconds": round(lowest, 4),
        "ratios": {
            "epoch, plain / ours": ratios(epoch["plain"], epoch["train 1"]),
            "epoch, plain / ours with train.threads 2": ratios(epoch["plain"], epoch["train 1, 2 threads"]),
            "import and fit, plain / train stage, 1 replicate": ratios(fitted, whole["train 1"]),
            "import and fit, plain / train stage with train.threads 2": ratios(fitted, whole["train 1, 2 threads"]),
            "train stage, 5 replicates / plain import and fit of 1": ratios(whole["train 5"], fitted),
            f"to {PUBLISHED:.2%}, plain's 10 epochs / quickest recipe": ratios(fitted, whole["quick"]),
            "cold repro, 1 replicate / plain": ratios(whole["repro 1"], whole["plain"]),
            "cold repro, 5 replicates / plain": ratios(whole["repro 5"], whole["plain"]),
            "repro with nothing to do / status": ratios(whole["repro again"], whole["status"]),
            "repro after a change in render / plain": ratios(whole["render"], whole["plain"]),
            "peak memory, 5 replicates / plain": [round(peak / median(p.peak_mb for p in plain), 3)],
            "one network of the recipe cnn, with train.threads 2 / plain": [
                round(taken["cnn"][0].seconds / median(whole["plain"]), 3)
            ],
            "our epoch / the floor": [round(second / lowest, 2) for second in epoch["train 1"]],
        }
        | {f"epoch, {name} / ours": ratios(epoch[name], epoch["train 1"]) for name in rivals},
    }


def _page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    ratios = [[name, summary(values)] for name, values in results["ratios"].items()]
    peaks = results["peak_mb"]
    seconds = [[name, summary(values), f"{max(peaks[name])}"] for name, values in results["seconds"].items()]
    accuracies = summary(results["quick_accuracies"], 4)
    return (
        "# Benchmarks\n\nMade by `make bench`. Medians, with the smallest and the largest in brackets.\n\n"
        f"{results['machine']}.\n\n## Ratios\n\n{table(['what', 'ratio'], ratios)}\n"
        f"The quickest recipe's test accuracy: {accuracies}; the published one is {PUBLISHED}.\n\n"
        f"## Whole processes\n\n{table(['command', 'seconds', 'peak MB of the process'], seconds)}\n"
    )


if __name__ == "__main__":
    command.run(main)
