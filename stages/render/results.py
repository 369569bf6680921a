"""What the other stages left, as the report is made from it, and what the report needs of it to be there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from stages import records
from stages.arrays import Split
from stages.datasets import Entry
from stages.schema import Strict

HISTORY = ["replicate", "epoch", "train_loss", "train_accuracy"]
VALIDATION = ["validation_loss", "validation_accuracy"]


class Results(NamedTuple):
    """Everything that the report can say.

    settings: values of params.yaml by their full names; probabilities: float32 (replicates, test images, classes);
    single: the index of a test image and its probabilities when predicted alone, float32 (replicates, classes);
    history: a structured array with the columns of history.csv; training, metrics: what is in the JSON files.
    """

    settings: Mapping[str, object]
    entry: Entry
    classes: list[str]
    train: Split
    test: Split
    probabilities: np.ndarray
    single: tuple[int, np.ndarray]
    history: np.ndarray
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]


Share = Annotated[float, Field(ge=0, le=1)]
MOST_LOSS = float(np.finfo(np.float32).max)  # of a network that learned too fast it may well be enormous
Loss = Annotated[float, Field(ge=0, le=MOST_LOSS)]
Deviation = Loss
Word = Annotated[str, Field(pattern=r"^[!-~]{1,100}$")]


class _Needed(Strict, extra="ignore"):
    """A part of a JSON file: what else stands there is for others."""


class _Train(_Needed):
    accuracy: Share
    loss: Loss


class _Test(_Train):
    accuracy_low: Share
    accuracy_high: Share
    accuracy_std: Deviation
    loss_std: Deviation
    top2_accuracy: Share
    top2_accuracy_std: Deviation
    expected_calibration_error: Share
    expected_calibration_error_std: Deviation
    brier: Annotated[float, Field(ge=0, le=2)]
    brier_std: Deviation


class _Gap(_Needed):
    accuracy: Annotated[float, Field(ge=-1, le=1)]
    loss: Annotated[float, Field(ge=-MOST_LOSS, le=MOST_LOSS)]


class _Class(_Needed):
    recall: Share
    recall_std: Deviation
    precision: Share
    f1: Share


class _Metrics(_Needed):
    train: _Train
    test: _Test
    gap: _Gap
    classes: dict[str, _Class]


class _Training(_Needed):
    versions: dict[Word, Word]
    parameters: Annotated[int, Field(ge=1, le=10**12)]
    untrained_loss: Loss


def read_metrics(path: Path, classes: Sequence[str]) -> dict[str, Any]:
    """Return what metrics.json says of each split and each class. Raises DataError where any of it is missing."""
    metrics = records.read_json(path, _Metrics).model_dump()
    if missing := [name for name in classes if name not in metrics["classes"]]:
        expected, got = "those of each class", f"those of {len(metrics['classes'])}"
        raise records.damaged(path, f"no scores of class {missing[0]}", expected, got)
    return metrics


def read_training(path: Path) -> dict[str, Any]:
    """Return what training.json says. Raises DataError where any of it is missing."""
    return records.read_json(path, _Training).model_dump()


def read_history(path: Path) -> np.ndarray:
    """Return history.csv as a structured array: of replicates 0, 1, ... the epochs 0, 1, ..., at least two of each.

    Raises DataError where it has other rows, or where a score is none.
    """
    history = records.read_csv(path, HISTORY, HISTORY + VALIDATION)
    counts = np.unique(history["replicate"], return_counts=True)[1]
    replicates, epochs = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.arange(n) for n in counts])
    due = np.array_equal(history["replicate"], replicates) and np.array_equal(history["epoch"], epochs)
    if not due or counts.min() < 2:
        expected = "epochs 0, 1, ... of replicates 0, 1, ..."
        raise records.damaged(path, "not a row for each epoch", expected, "other epochs or replicates")
    for name in (history.dtype.names or ())[2:]:
        low, high, most = history[name].min(), history[name].max(), MOST_LOSS if name.endswith("loss") else 1
        if low < 0 or high > most:
            raise records.damaged(path, f"{name} out of range", f"0 <= x <= {most:g}", f"{low:g} to {high:g}")
    return history
