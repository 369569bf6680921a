"""What each recipe gives: trained five times, differing in seed alone, on the real data.

    python -m benchmarks.recipes        or: make recipes

Runs the pipeline for each recipe in build/recipes and writes recipes.md and recipes.json beside this module.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks import measure
from stages import atomic, command
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "recipes"
RESULTS = Path(__file__).parent
REPLICATES = 5

DECAYED = {"learning_rate": 2e-3, "learning_rate_schedule": "linear", "batch_size": 64}
CONVOLUTIONS = {"learning_rate_schedule": "one_cycle", "batch_size": 64, "augmentation_flip": True}

# Name, changes to the committed params (of `train`, but for the data set), published test accuracy.
RECIPES: list[tuple[str, dict[str, Any], str]] = [
    ("R0, R4: softmax, 5 epochs", {"output": "softmax", "epochs": 5}, "0.8741"),
    ("R1: logits, 10 epochs", {}, "0.8848"),
    ("R2: softmax, 10 epochs", {"output": "softmax"}, ""),
    ("R3: MNIST, softmax, dropout 0.2", {"dataset.name": "mnist", "output": "softmax", "dropout": 0.2}, ""),
    ("dense, decayed rate", DECAYED, ""),
    (
        "dense, at its best",
        DECAYED | {"hidden_units": [512], "dropout": 0.3, "epochs": 20, "augmentation_flip": True},
        "",
    ),
    ("cnn_small", CONVOLUTIONS | {"network": "cnn_small", "learning_rate": 4e-3}, ""),
    ("cnn", CONVOLUTIONS | {"network": "cnn", "learning_rate": 4e-3, "weight_decay": 4e-3}, ""),
]


def main() -> None:
    """Run every recipe and write the table."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(FOLDER, {})
    results = [_run(*recipe) for recipe in RECIPES]
    atomic.write_json(RESULTS / "recipes.json", results)
    columns = ["recipe", "parameters", "s to train 5", "test accuracy", "published"]
    rows = [
        [
            result["recipe"],
            f"{result['parameters']:,}",
            f"{result['seconds']:.0f}",
            f"{result['accuracy']:.4f} ± {result['accuracy_std']:.4f}",
            result["published"],
        ]
        for result in results
    ]
    atomic.write_text(RESULTS / "recipes.md", measure.table(columns, rows))


def _run(name: str, changes: dict[str, Any], published: str) -> dict[str, Any]:
    full = {key if "." in key else f"train.{key}": value for key, value in changes.items()}
    scratch.write_params(FOLDER, {"train.replicates": REPLICATES} | full)
    process = measure.run([sys.executable, "-m", "dvc", "repro", "evaluate"], FOLDER)
    (start,), (end,) = process.at("Running stage 'train'"), process.at("Running stage 'evaluate'")
    metrics = json.loads((FOLDER / "reports/metrics.json").read_text(encoding="utf-8"))
    training = json.loads((FOLDER / "reports/training.json").read_text(encoding="utf-8"))
    result = {
        "recipe": name,
        "params": full,
        "parameters": training["parameters"],
        "seconds": round(end - start, 1),
        "accuracy": metrics["test"]["accuracy"],
        "accuracy_std": metrics["test"]["accuracy_std"],
        "untrained_loss": training["untrained_loss"],
        "published": published,
    }
    print(f"{name}: {result['accuracy']:.4f} ± {result['accuracy_std']:.4f} in {result['seconds']:.0f} s")
    return result


if __name__ == "__main__":
    command.run(main)
