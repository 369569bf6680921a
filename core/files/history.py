"""history.csv: the scores of each replicate after each epoch; epoch 0 is the untrained network."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.files import atomic

COLUMNS = ["replicate", "epoch", "train_loss", "train_accuracy"]
VALIDATION = ["validation_loss", "validation_accuracy"]  # present if there are validation images


def write(path: Path, replicates: Sequence[Sequence[Mapping[str, float]]], ended: bool = True) -> None:
    """Write a row for each epoch of each replicate; a row has all columns but `replicate`.

    ended: whether training has ended. Until then, replicates may have too few rows for `parse`, or none, but one of
    them has a row; and the file is not flushed to the disk.
    """
    first = next(filter(None, replicates))[0]
    columns = [*COLUMNS, *(name for name in VALIDATION if name in first)]
    rows = ([number, *map(row.get, columns[1:])] for number, rows in enumerate(replicates) for row in rows)
    atomic.write_csv(path, columns, rows, flush=ended)


def by_replicate(history: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each replicate; with early stopping, their numbers differ."""
    return [history[history["replicate"] == each] for each in np.unique(history["replicate"])]


def parse(data: bytes) -> np.ndarray:
    """Return the table as a structured array, with a float64 field for each column.

    Raises ValueError unless it has the epochs 0, 1, ... of the replicates 0, 1, ..., and finite scores only.
    """
    header, *rows = csv.reader(io.StringIO(data.decode("utf-8"))) if data else [[]]
    if header not in (COLUMNS, COLUMNS + VALIDATION):
        raise ValueError(f"unknown columns {','.join(header):.80}")
    history = np.array([tuple(map(float, row)) for row in rows], [(name, np.float64) for name in header])
    counts = np.unique(history["replicate"], return_counts=True)[1]
    if not len(counts) or counts.min() < 2:
        raise ValueError("fewer than two epochs in a replicate")
    replicates, epochs = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.arange(n) for n in counts])
    if not (np.array_equal(history["replicate"], replicates) and np.array_equal(history["epoch"], epochs)):
        raise ValueError("rows other than the epochs 0, 1, ... of the replicates 0, 1, ...")
    if not all(np.isfinite(history[name]).all() for name in header):
        raise ValueError("a score is not finite")
    return history
