"""The test accuracies that the tutorials published, and the settings of their runs."""

from collections.abc import Mapping
from typing import NamedTuple

# Settings that do not belong to a recipe: they only change its random variation.
CHANCE = ("train.seed", "train.replicates", "train.threads")

CLOTHING: Mapping[str, object] = {
    "dataset.name": "fashion_mnist",
    "train.network": "dense",
    "train.hidden_units": [128],
    "train.dropout": 0.0,
    "train.output": "logits",
    "train.optimizer": "adam",
    "train.learning_rate": 1e-3,
    "train.learning_rate_schedule": "constant",
    "train.weight_decay": 0.0,
    "train.label_smoothing": 0.0,
    "train.batch_size": 32,
    "train.epochs": 10,
    "train.validation_fraction": 0.0,
    "train.early_stopping_patience": 0,
    "train.augmentation_shift": 0,
    "train.augmentation_flip": False,
    "train.precision": "float32",
    "evaluate.mirrored": False,
    "evaluate.shift": 0,
}


class Published(NamedTuple):
    """A run of a tutorial: the name of the recipe here, its settings without CHANCE, and its test accuracy."""

    recipe: str
    settings: Mapping[str, object]
    accuracy: float


RUNS = (
    Published("R1", CLOTHING, 0.8848),
    Published("R0", {**CLOTHING, "train.output": "softmax", "train.epochs": 5}, 0.8741),
)


def run_of(settings: Mapping[str, object]) -> Published | None:
    """Return the published run with these settings, given by their full names, or None if there is none."""
    recipe = {name: value for name, value in settings.items() if name not in CHANCE}
    return next((run for run in RUNS if run.settings == recipe), None)
