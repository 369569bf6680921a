"""The seconds of an epoch, here and in rivals at their best: Keras' own `fit`, JAX and PyTorch.

    python -m benchmarks.epochs [RUNS]        or: as a part of make bench

Each run goes through all programs in turn, so that a machine whose speed drifts does so for all alike. Every program is
held to one core or to two, whatever threads its library starts. The convolutional network is timed once.
Writes epochs.md and epochs.json, with the accuracy of the best rivals for docs/recipes.png. Nothing passes or fails by
the clock.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks import measure, recipes
from benchmarks.measure import PYTHON, Process, summary, table
from core.cli import command
from core.config import params
from core.files import training
from stages.train import precision
from tools import pipeline, recipe, scratch

FOLDER = scratch.CHECKOUT / "build" / "epochs"
# Not in .venv, because Keras would import them too. docs/speed.md has the commands that install them.
INSTALLED = scratch.CHECKOUT / "build" / "rivals"
OURS, FLOOR, BEST = "ours", "the floor", "the best rival"
BFLOAT16 = ", bfloat16"  # the end of a program's name

# By name: a module of benchmarks/rivals, which begins with the name of its library, and its last argument.
Rivals = dict[str, Sequence[str]]

DENSE: Rivals = {
    "Keras' fit, as the tutorial has it": ["keras_fit"],
    "Keras' fit, compiled, an epoch in a call": ["keras_fit", "compiled"],
    "JAX": ["jax_scan"],
    "PyTorch": ["torch_loop"],
    "PyTorch, compiled": ["torch_loop", "compiled"],
}
CONVOLUTIONS: Rivals = {
    "PyTorch, channels last": ["torch_convolutions", "float32"],
    "PyTorch, channels last" + BFLOAT16: ["torch_convolutions", "bfloat16"],
}

# The rivals do not augment images and use Adam. With these params, we do the same work.
AS_RIVALS: dict[str, object] = {"train.augmentation_shift": 0, "train.augmentation_flip": False}
AS_RIVALS |= {"train.optimizer": "adam", "train.learning_rate": 1e-3, "train.label_smoothing": 0}


class Race(NamedTuple):
    """Programs that train the network of a recipe, and the cores of each."""

    recipe: str
    cores: int
    epochs: int
    rivals: Rivals


RACES = {
    "R1, one core": Race("R1", 1, 5, DENSE),
    "R1, two cores": Race("R1", 2, 10, DENSE),
    "cnn, two cores": Race("cnn", 2, 4, CONVOLUTIONS),
}


def main(runs: int = 3) -> None:
    """Time an epoch of each program, and write the results."""
    scratch.copy(FOLDER, {})
    measure.archives("fashion_mnist")
    measure.run([*measure.DVC, "repro", "normalize"], FOLDER, {"DATASET_MIRROR": str(measure.ARCHIVES)})
    seconds: dict[str, dict[str, Any]] = {name: {} for name in RACES}
    processes: dict[tuple[str, str], Process] = {}
    plain = measure.plain()
    for number in range(runs):
        for name, race in RACES.items():
            if number == 0 or race.rivals is DENSE:
                for program, taken, process in _race(race):
                    print(f"{name}  {program}: {taken}", flush=True)
                    seconds[name].setdefault(program, []).append(taken)
                    processes[name, program] = process
    points = {
        f"{race.recipe} in {program}": _point(processes[name, program], plain)
        for name, race in RACES.items()
        if race.cores > 1 and (program := fastest(seconds[name]))
    }
    results = {"machine": measure.machine(), "seconds": seconds, "points": points}
    measure.write("epochs", results, page(results))


def _race(race: Race) -> Iterator[tuple[str, float | str, Process]]:
    """Yield each program's name, its seconds for an epoch or why there are none, and its process."""
    changes = recipe.load(race.recipe).params | recipes.ALONE | {"train.threads": race.cores}
    changes |= {"train.epochs": race.epochs} | AS_RIVALS
    if race.rivals is CONVOLUTIONS and precision.supported():
        scratch.write_params(FOLDER, changes | {"train.precision": "bfloat16"})
        process = measure.run(measure.stage("train"), FOLDER, cores=race.cores)
        yield OURS + BFLOAT16, _epoch(process, race.epochs), process
    scratch.write_params(FOLDER, changes)
    process = measure.run(measure.stage("train"), FOLDER, cores=race.cores)
    yield OURS, _epoch(process, race.epochs), process
    if race.cores == 1:
        process = measure.run([PYTHON, "-m", "benchmarks.floor"], scratch.CHECKOUT, cores=1)
        yield FLOOR, round(sum(float(line.split()[1]) for _, line in process.lines), 4), process
    given = [(FOLDER / pipeline.path("train")).parent, params.load(FOLDER / params.PATH).train.batch_size, race.epochs]
    ours = f"parameters {training.read(FOLDER / 'data/training.json').parameters}"
    for name, (module, *how) in race.rivals.items():
        installed = INSTALLED / module.partition("_")[0]
        if reason := lacking(installed, how):
            yield name, reason, process
            continue
        rival = [PYTHON, "-m", f"benchmarks.rivals.{module}", *map(str, given), *how]
        process = measure.run(rival, scratch.CHECKOUT, {"PYTHONPATH": str(installed)}, race.cores)
        same = all(line == ours for _, line in process.lines if line.startswith("parameters"))
        yield name, _epoch(process, race.epochs) if same else "another network", process


def lacking(installed: Path, how: Sequence[str]) -> str:
    """Return why a rival cannot run here, or nothing."""
    if installed.name != "keras" and not installed.exists():
        return "not installed"
    if installed.name == "torch" and "compiled" in how and not shutil.which("g++"):
        return "no C++ compiler"
    if "bfloat16" in how and not precision.supported():
        return "the processor lacks bfloat16"
    return ""


def _epoch(process: Process, epochs: int) -> float:
    """Return the seconds of an epoch: the median, without the first, which compiles."""
    ends = process.at("epoch") or process.at("replicate 0  epoch")
    return round(median(np.diff(ends)[1 - epochs :].tolist()), 4)


def _point(process: Process, plain: Process) -> dict[str, float]:
    """Return the time of a whole process, as a ratio to the plain script's, and the accuracy that it printed."""
    accuracy = next(float(line.split()[1]) for _, line in process.lines if line.startswith("accuracy"))
    return {"ratio": round(process.seconds / plain.seconds, 3), "accuracy": accuracy}


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown: a row a program, a column a race."""
    seconds = results["seconds"]
    programs = [BEST, *DENSE, *CONVOLUTIONS, OURS + BFLOAT16, FLOOR]
    rows = [[program, *(_cell(race, program) for race in seconds.values())] for program in programs]
    rows.append(["seconds of our epoch", *(summary(race[OURS], 3) for race in seconds.values())])
    return (
        "# An epoch\n\nMade by `python -m benchmarks.epochs`. The seconds of each program, divided by ours on as many "
        "cores: above 1, ours is faster. The best rival has the smallest ratio. PyTorch's time in bfloat16 is divided "
        "by ours in bfloat16, and that by ours in float32. Medians, with the smallest and the largest ratio in "
        f"brackets.\n\n{results['machine']}.\n\n{table(['program / ours', *seconds], rows)}"
    )


def best(seconds: dict[str, list]) -> str:
    """Return the name of the rival with the smallest ratio to ours, of those that ran."""
    return min(_ran(seconds), key=lambda name: ratio(seconds, name), default="")


def fastest(seconds: dict[str, list]) -> str:
    """Return the name of the rival with the shortest epoch in any precision, of those that ran."""
    return min(_ran(seconds), key=lambda name: median(seconds[name]), default="")


def _ran(seconds: dict[str, list]) -> list[str]:
    rivals = seconds.keys() - {OURS, OURS + BFLOAT16, FLOOR}
    return [name for name in sorted(rivals) if not isinstance(seconds[name][0], str)]


def ratio(seconds: dict[str, list], program: str) -> float:
    """Return the seconds of a program divided by ours in the same precision, the median of all runs."""
    return median(_ratios(seconds, program))


def _ratios(seconds: dict[str, list], program: str) -> list[float]:
    """Divide a rival by ours in its precision, and our own bfloat16 by our float32."""
    divisor = OURS + BFLOAT16 if program in CONVOLUTIONS and program.endswith(BFLOAT16) else OURS
    return [theirs / ours for theirs, ours in zip(seconds[program], seconds[divisor], strict=True)]


def _cell(seconds: dict[str, list], program: str) -> str:
    if program == BEST:
        name = best(seconds)
        return f"{_cell(seconds, name)}, {name}" if name else ""
    taken = seconds.get(program, [""])
    return taken[0] if isinstance(taken[0], str) else summary(_ratios(seconds, program))


if __name__ == "__main__":
    command.run(main)
