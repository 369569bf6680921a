"""What each recipe gives: trained five times, differing in seed alone, on the real data.

    python -m benchmarks.recipes [NAME ...]        or: make recipes

Runs the pipeline for each recipe, or for those named, in build/recipes and writes recipes.md and recipes.json beside
this module; a recipe that was not run keeps its row.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import measure
from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem
from core.config.schema import one_of
from core.files import atomic
from stages.render import published
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "recipes"
RESULTS = Path(__file__).parent
REPLICATES = 5

DECAYED = {"train.learning_rate": 2e-3, "train.learning_rate_schedule": "linear", "train.batch_size": 64}
CONVOLUTIONS = {
    "train.learning_rate": 4e-3,
    "train.learning_rate_schedule": "one_cycle",
    "train.batch_size": 64,
    "train.augmentation_flip": True,
}
BEST = {"train.hidden_units": [512], "train.epochs": 20}

PUBLISHED = {run.recipe: f"{run.accuracy:.4f}" for run in published.RUNS}

# What differs from the committed params, and what was published: test accuracy.
RECIPES: dict[str, tuple[str, dict[str, Any], str]] = {
    "R0": ("softmax, 5 epochs (also R4)", dict(published.FIVE_EPOCHS), PUBLISHED["R4"]),
    "R1": ("the committed params: logits, 10 epochs", {}, PUBLISHED["R1"]),
    "R2": ("softmax, 10 epochs", {"train.output": "softmax"}, ""),
    "R3": ("MNIST, softmax", {"dataset.name": "mnist", "train.output": "softmax", "train.dropout": 0.2}, ""),
    "decayed": ("R1, the rate falling to 0, batches of 64", DECAYED, ""),
    "best": ("512 units, 20 epochs, decayed", DECAYED | BEST, ""),
    "cnn_small": ("two convolutions, 10 epochs", CONVOLUTIONS | {"train.network": "cnn_small"}, ""),
    "cnn": (
        "six convolutions, 6 epochs",
        CONVOLUTIONS | {"train.network": "cnn", "train.epochs": 6, "train.weight_decay": 4e-3},
        "",
    ),
}


def main(names: list[str]) -> None:
    """Run the recipes that are named, or all, and write the table of those that have been run."""
    if unknown := [name for name in names if name not in RECIPES]:
        raise InputError(
            Problem(
                "NAME",
                "no such recipe",
                expected=one_of(RECIPES),
                got=" ".join(unknown),
                fix="choose one of these",
            )
        )
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(FOLDER, {})
    file = RESULTS / "recipes.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in names or RECIPES:
        results[name] = _run(name)
        atomic.write_json(file, results)
    columns = ["recipe", "what", "parameters", "seconds", "test accuracy", "published"]
    rows = [_row(name, *RECIPES[name], results[name]) for name in RECIPES if name in results]
    atomic.write_text(RESULTS / "recipes.md", measure.table(columns, rows))


def _row(name: str, what: str, changes: dict[str, Any], published: str, result: dict[str, Any]) -> list[str]:
    accuracy = f"{result['accuracy']:.4f} ± {result['accuracy_std']:.4f}"
    return [name, what, f"{result['parameters']:,}", f"{result['seconds']:.0f}", accuracy, published]


def _run(name: str) -> dict[str, Any]:
    changes = {"train.replicates": REPLICATES} | RECIPES[name][1]
    scratch.write_params(FOLDER, changes)
    process = measure.run([sys.executable, "-m", "dvc", "repro", "evaluate"], FOLDER)
    (start,) = process.at("Running stage 'train'")
    # Where the networks are those of another recipe, to the byte, evaluate does not run.
    (end,) = process.at("Running stage 'evaluate'") + process.at("Stage 'evaluate'")
    metrics = json.loads((FOLDER / "reports/metrics.json").read_text(encoding="utf-8"))["test"]
    training = json.loads((FOLDER / "data/training.json").read_text(encoding="utf-8"))
    print(f"{name}: {metrics['accuracy']:.4f} ± {metrics['accuracy_std']:.4f}, trained in {end - start:.0f} s")
    return training | {"params": changes, "seconds": round(end - start, 1)} | metrics


def declare(parser: Parser) -> None:
    """Add names."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="a recipe; all of them if none is named")


if __name__ == "__main__":
    command.run(main, declare)
