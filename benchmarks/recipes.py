"""Measure the recipes of recipes.yaml on the real data.

    python -m benchmarks.recipes [NAME ...] [--only time|score] [--again]        or: make recipes

`time` trains one network alone on two threads, after one run of the plain script: this needs a quiet machine. `score`
trains five networks that differ in seed alone. Both run in build/recipes. Each result is written at once to
recipes.json, recipes.md and docs/recipes.png, and is measured again only with `--again`, or if the params of its recipe
have changed. An earlier score then stays in a row of its own, with its date and commit in its name.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from math import prod
from typing import Any

from benchmarks import frontier, measure
from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError
from core.config import params
from core.files import atomic, training
from core.networks import architectures
from core.scores import metrics
from stages.render import published
from tools import recipe, repository, scratch
from tools.recipe import Recipe

FOLDER = scratch.CHECKOUT / "build" / "recipes"
FIGURE = scratch.CHECKOUT / "docs" / "recipes.png"
ALONE = {"train.replicates": 1, "train.threads": 2}
ALL = {"train.replicates": 5}
PUBLISHED = {run.recipe: f"{run.accuracy:.4f}" for run in published.RUNS}
COLUMNS = {
    "recipe": "{name}",
    "what": "{what}",
    "parameters": "{parameters:,}",
    "multiply-adds": "{multiply_adds:,}",
    "seconds": "{seconds:.1f}",
    "ratio to plain": "",  # a column for each processor
    "test accuracy": "{accuracy:.4f} ± {accuracy_std:.4f}",
    "networks": "{replicates}",
    "seconds of all": "{seconds_all:.0f}",
    "published": "{published}",
    "measured": "{date}",
}
NOT_BEST = ("R0", "R1", "R2", "R3", "decayed", "dense_quick")

Row = dict[str, Any]


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="a recipe; default: all")
    parser.add_argument("--only", choices=list(STEPS), help="default: both")
    parser.add_argument("--again", action="store_true", help="also what was measured before")


def main(names: list[str], only: str | None, again: bool) -> None:
    """Measure the named recipes, or all, and write the table of all results."""
    recipe.require_committed()
    results = json.loads((measure.RESULTS / "recipes.json").read_text(encoding="utf-8"))
    for name, known in {name: recipe.load(name) for name in names or recipe.names()}.items():
        try:
            recipe.require_data(known)
        except InputError as error:
            print(f"{name} is skipped: {error}")
            continue
        row = results[name] = current(results, name, known, again and only != "time")
        steps = [step for key, (step, result) in STEPS.items() if only in (None, key) and (again or result not in row)]
        if steps:
            _prepare(known.params)
        for step in steps:
            found = step(known.params)
            row |= found | {"ratios": row.get("ratios", {}) | found.get("ratios", {})}
            _write(results)
    _write(results)  # the words of a recipe may have changed
    print(best(results))


def current(results: dict[str, Row], name: str, known: Recipe, again: bool) -> Row:
    """Return the row of a recipe, a new one if its params have changed.

    If they have, or if it is scored again, the earlier score is kept in a row with its date and commit.
    """
    row = results.get(name, {})
    same = row.get("params") == known.params
    if "accuracy" in row and (again or not same):
        results[f"{name}_{row['date']}_{row['commit']}"] = row
    return (row if same else {}) | {"what": known.what, "params": known.params}


def _write(results: dict[str, Row]) -> None:
    measure.write("recipes", results, page(results))
    atomic.write_bytes(FIGURE, figure(results))


def page(results: Mapping[str, Row]) -> str:
    """Return the results as Markdown: the rows of recipes, then those of earlier recipes."""
    names = recipe.names()
    return _table([*names, *sorted(results.keys() - names)], list(COLUMNS), results)


def best(results: Mapping[str, Row]) -> str:
    """Return the rows of README.md as Markdown."""
    names = [name for name in recipe.names() if name not in NOT_BEST]
    return _table(names, ["recipe", "what", "ratio to plain", "test accuracy"], results)


def figure(results: Mapping[str, Row]) -> bytes:
    """Return the figure of the results as PNG, with the best rivals of `python -m benchmarks.epochs`."""
    rivals = json.loads((measure.RESULTS / "epochs.json").read_text(encoding="utf-8"))
    return frontier.png(results, rivals["points"])


def _table(names: Sequence[str], columns: Sequence[str], results: Mapping[str, Row]) -> str:
    rows = [{"published": PUBLISHED.get(name, ""), "name": name, **results[name]} for name in names if name in results]
    forms: dict[str, str] = {}
    for column in columns:
        forms |= _ratios(rows) if column == "ratio to plain" else {column: COLUMNS[column]}
    return measure.table(list(forms), [[_cell(form, row) for form in forms.values()] for row in rows])


def _ratios(rows: Sequence[Row]) -> dict[str, str]:
    """Return the columns of ratios, one for each processor that a row was timed on."""
    processors = sorted({name for row in rows for name in row.get("ratios", {})})
    return {f"ratio to plain, {name}": f"{{ratios[{name}]:.2f}}" for name in processors}


def _cell(form: str, row: Row) -> str:
    try:
        return form.format(**row)
    except KeyError:  # not measured yet
        return ""


def _prepare(changes: Row) -> None:
    """Copy the pipeline, and run it as far as the images are ready for training."""
    scratch.copy(FOLDER, changes)
    measure.archives(params.load(FOLDER / params.PATH).dataset.name)
    measure.run([*measure.DVC, "repro", "normalize"], FOLDER, {"DATASET_MIRROR": str(measure.ARCHIVES)})


@cache
def _plain() -> measure.Process:
    return measure.plain()


def _time(changes: Row) -> Row:
    load = [round(each, 2) for each in os.getloadavg()]  # before anything of ours
    plain = _plain()
    seconds = _train(changes | ALONE)
    accuracy = next(float(line.split()[1]) for _, line in plain.lines if line.startswith("accuracy"))
    found = {"seconds": round(seconds, 2), "ratio": round(seconds / plain.seconds, 3), "load": load, **_stamp("timed_")}
    found |= {"machine": measure.machine(), "ratios": {measure.processor(): found["ratio"]}}
    return found | {"plain_seconds": round(plain.seconds, 2), "plain_accuracy": accuracy}


def _score(changes: Row) -> Row:
    seconds = _train(changes | ALL)
    measure.run(measure.stage("evaluate"), FOLDER)
    made = training.read(FOLDER / "data/training.json")
    scores = metrics.read(FOLDER / "reports/metrics.json").test.model_dump(include={"accuracy", "accuracy_std", "loss"})
    model = architectures.build(tuple(made.image_shape), len(made.classes), made.settings)
    found = {
        "parameters": made.parameters,
        "untrained_loss": made.untrained_loss,
        "multiply_adds": multiply_adds(model),
    }
    return scores | found | {"replicates": len(made.networks), "seconds_all": round(seconds, 1), **_stamp()}


STEPS = {"time": (_time, "ratio"), "score": (_score, "accuracy")}  # and a result by which it is known to have run


def _train(changes: Row) -> float:
    """Return the seconds of the stage."""
    scratch.write_params(FOLDER, changes)
    return measure.run(measure.stage("train"), FOLDER).seconds


def _stamp(prefix: str = "") -> Row:
    """Return the date and the commit of the code, with a + if the code has changed since."""
    changed = repository.git("status", "--porcelain", "core", "stages")
    commit = repository.git("rev-parse", "--short", "HEAD").decode().strip() + "+" * bool(changed)
    return {f"{prefix}date": str(date.today()), f"{prefix}commit": commit}


def multiply_adds(model: Any) -> int:
    """Return the multiply-adds with which a Keras model predicts an image, of its convolutions and dense layers alone.

    They use each number of a kernel once at each place of their output: (n, units) or (n, height, width, filters).
    """
    return sum(
        multiply_adds(layer)
        if hasattr(layer, "layers")
        else sum(prod(kernel.shape) for kernel in layer.weights if len(kernel.shape) > 1)
        * prod(layer.output.shape[1:-1])
        for layer in model.layers
    )


if __name__ == "__main__":
    command.run(main, declare)
