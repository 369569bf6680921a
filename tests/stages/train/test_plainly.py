"""`trainer.fit` gives what the same training gives that is written plainly with Keras.

Three epochs show whatever continues from one epoch to the next. A training that ignores a param would be noticed: each
param has a value here that changes the result.
"""

from functools import cache

import numpy as np
import pytest

from core.config.params import Train
from core.files.arrays import Split
from stages.train import loop, trainer
from tests.stages.train import plain

CLASSES = 3
PICTURES = Split(
    np.random.RandomState(0).uniform(size=(11, 10, 12)).astype(np.float32), np.arange(11, dtype=np.uint8) % CLASSES
)
COLOURS = Split(
    np.random.RandomState(1).uniform(size=(11, 10, 12, 3)).astype(np.float32), np.arange(11, dtype=np.uint8) % CLASSES
)
# The other params are those of `plain.SETTINGS`. Eleven images are five batches of `adam` and a smaller one.
CASES = {
    "sgd": {
        "network": "cnn_small",
        "dropout": 0.4,
        "learning_rate": 0.03,  # at a higher rate, a difference in the last bit grows past the tolerance
        "weight_decay": 0.2,
        "batch_size": 6,
        "augmentation_shift": 2,
        "augmentation_flip": True,
    },
    "cnn": {
        "network": "cnn",
        "dropout": 0.2,
        "optimizer": "muon",
        "learning_rate": 0.0003,
        "learning_rate_schedule": "linear",
        "label_smoothing": 0.1,
        "weight_decay": 0.9,
        "batch_size": 6,
    },
    "colour": {
        "network": "cnn_small",
        "dropout": 0.2,
        "learning_rate": 0.0005,
        "batch_size": 6,
        "augmentation_shift": 2,
        "augmentation_flip": True,
    },
    "rmsprop": {
        "hidden_units": [6, 4],
        "dropout": 0.2,
        "output": "softmax",
        "optimizer": "rmsprop",
        "learning_rate": 0.01,
        "learning_rate_schedule": "linear",
        "weight_decay": 0.2,
        "batch_size": 11,
        "augmentation_flip": True,
    },
    "adam": {
        "hidden_units": [6],
        "dropout": 0.3,
        "optimizer": "adam",
        "learning_rate": 0.02,
        "learning_rate_schedule": "cosine",
        "weight_decay": 0.2,
        "batch_size": 2,
        "augmentation_shift": 1,
        "replicates": 2,
    },
}
# The value that a training would use if it ignored the param, in each case that shows the difference.
IF_IGNORED = {
    "network": [("sgd", "dense")],
    "hidden_units": [("rmsprop", [6])],
    "dropout": [("adam", 0.0), ("rmsprop", 0.0), ("sgd", 0.0), ("cnn", 0.0)],
    "optimizer": [("rmsprop", "adam"), ("sgd", "adam"), ("cnn", "adam")],
    "learning_rate": [("rmsprop", 0.001)],  # Keras' own
    "learning_rate_schedule": [("adam", "constant"), ("rmsprop", "constant")],
    "label_smoothing": [("cnn", 0.0)],
    "weight_decay": [("adam", 0.0), ("rmsprop", 0.0), ("sgd", 0.0)],
    "batch_size": [("sgd", 11)],
    "epochs": [("sgd", 1)],
    "augmentation_shift": [("adam", 0), ("sgd", 0), ("colour", 0)],
    "augmentation_flip": [("rmsprop", False), ("sgd", False), ("colour", False)],
    "seed": [("sgd", 0)],
}
# `replicates` is how many runs the first test expects. test_held_out.py has the params of validation images,
# test_main.py has `threads`, and test_trainer.py shows that `output` changes no network.
ELSEWHERE = {"replicates", "validation_fraction", "early_stopping_patience", "threads", "output", "precision"}
TOLERANCE = 1e-4  # of float32, after three epochs


def settings(case: str, **changes) -> Train:
    return plain.settings(**{"epochs": 3} | CASES[case] | changes)


def pictures(case: str) -> Split:
    return COLOURS if case == "colour" else PICTURES


@cache
def expected(case: str) -> list[plain.Run]:
    chosen = settings(case)
    return [plain.fit(pictures(case), CLASSES, chosen, replicate) for replicate in range(chosen.replicates)]


def distance(run: plain.Run, other: plain.Run) -> float:
    """Return the largest difference between two weights or scores; infinity if there are more in one run."""
    ours, theirs = ([np.array(each) for each in (*both.weights, both.scores)] for both in (run, other))
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        return float("inf")
    return max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    "case", ["sgd", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cnn", "colour", "rmsprop", "adam"))]
)
@pytest.mark.fault(
    "each epoch starts with new moments of the optimizer, a new schedule, or the random numbers of the epoch before"
)
@pytest.mark.fault("training ignores a param")
@pytest.mark.fault("results that depend on the size of batches or blocks")
def test_networks_and_history_are_those_of_plain_keras(case, monkeypatch):
    """The replicates share one loop. An epoch is a block of three batches, a block of two, and the last batch."""
    monkeypatch.setattr(trainer, "cores", lambda: 1)
    monkeypatch.setattr(loop, "BLOCK", 3)

    runs = trainer.fit(pictures(case), CLASSES, settings(case))

    for run, its in zip(runs, expected(case), strict=True):
        scores = [(row["train_loss"], row["train_accuracy"]) for row in run.history[1:]]
        assert distance(plain.Run(run.model.get_weights(), scores), its) < TOLERANCE
        assert [row["epoch"] for row in run.history] == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "case", "value"), [(name, *each) for name, cases in IF_IGNORED.items() for each in cases]
)
@pytest.mark.fault("training ignores a param")
def test_a_param_that_is_ignored_would_be_noticed(name, case, value):
    ignoring = plain.fit(pictures(case), CLASSES, settings(case, **{name: value}), 0)

    assert distance(ignoring, expected(case)[0]) > 10 * TOLERANCE


def test_each_param_has_a_row():
    assert IF_IGNORED.keys() | ELSEWHERE == Train.model_fields.keys()
