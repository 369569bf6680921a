"""Train each recipe on the real data, five networks that differ in seed alone.

    python -m benchmarks.recipes [NAME ...]        or: make recipes

Runs the pipeline in build/recipes for the named recipes, or for all, and writes recipes.md and recipes.json. A recipe
that is not run keeps its row.
"""

import json
from typing import Any

from benchmarks import measure
from core.cli import command
from core.cli.command import Parser
from core.files import training
from core.scores import metrics
from stages.render import published
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "recipes"

DECAYED = {"train.learning_rate": 2e-3, "train.learning_rate_schedule": "linear", "train.batch_size": 64}
CONVOLUTIONS = {
    "train.learning_rate": 4e-3,
    "train.learning_rate_schedule": "one_cycle",
    "train.batch_size": 64,
    "train.augmentation_flip": True,
}
SMALL = CONVOLUTIONS | {"train.network": "cnn_small"}
LARGE = CONVOLUTIONS | {"train.network": "cnn", "train.epochs": 6, "train.weight_decay": 4e-3}
BEST = DECAYED | {"train.hidden_units": [512], "train.epochs": 20}

PUBLISHED = {run.recipe: f"{run.accuracy:.4f}" for run in published.RUNS}

# A description, the changes to the committed params, and the published test accuracy.
RECIPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "R0": ("softmax, 5 epochs (also R4)", dict(published.FIVE_EPOCHS), PUBLISHED["R4"]),
    "R1": ("the committed params: logits, 10 epochs", {}, PUBLISHED["R1"]),
    "R2": ("softmax, 10 epochs", {"train.output": "softmax"}, ""),
    "R3": ("MNIST, softmax", {"dataset.name": "mnist", "train.output": "softmax", "train.dropout": 0.2}, ""),
    "decayed": ("R1, the rate falling to 0, batches of 64", DECAYED, ""),
    "best": ("512 units, 20 epochs, decayed", BEST, ""),
    "cnn_small": ("two convolutions, 10 epochs", SMALL, ""),
    "cnn": ("six convolutions, 6 epochs", LARGE, ""),
}


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument("names", metavar="NAME", nargs="*", choices=list(RECIPES), help="a recipe; default: all")


def main(names: list[str]) -> None:
    """Run the named recipes, or all, and write the table of all recipes that have results."""
    scratch.copy(FOLDER, {})
    file = measure.RESULTS / "recipes.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in names or RECIPES:
        results[name] = _run(name)
        measure.write("recipes", results, page(results))  # at once, because some recipes take half an hour


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown, a row for each recipe."""
    columns = ["recipe", "what", "parameters", "seconds", "test accuracy", "published"]
    rows = [_row(name, results[name]) for name in RECIPES if name in results]
    return measure.table(columns, rows)


def _row(name: str, result: dict[str, Any]) -> list[str]:
    what, _, published = RECIPES[name]
    accuracy = f"{result['accuracy']:.4f} ± {result['accuracy_std']:.4f}"
    return [name, what, f"{result['parameters']:,}", f"{result['seconds']:.0f}", accuracy, published]


def _run(name: str) -> dict[str, Any]:
    changes = {"train.replicates": 5} | RECIPES[name][1]
    scratch.write_params(FOLDER, changes)
    process = measure.run([*measure.DVC, "repro", "evaluate"], FOLDER)
    (start,) = process.at("Running stage 'train'")
    # Evaluate does not run if the networks have the same bytes as those of another recipe.
    (end,) = process.at("Running stage 'evaluate'") + process.at("Stage 'evaluate'")
    parameters = training.read(FOLDER / "data/training.json").parameters
    scores = metrics.read(FOLDER / "reports/metrics.json").test.model_dump()
    return {"parameters": parameters, "params": changes, "seconds": round(end - start, 1)} | scores


if __name__ == "__main__":
    command.run(main, declare)
