"""What git and DVC know of the experiments of HEAD, those that `dvc exp show` shows."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from dvc.repo import Repo

from tools.compare import comparison, lock
from tools.compare.sides import Side
from tools.sweep.ranking import Experiment


def of_head(repo: Repo) -> list[Experiment]:
    """Return HEAD, if a run is committed there, and the experiments that started from it.

    Raises DataError where a record or a history is damaged.
    """
    found = repo.experiments.ls(rev="HEAD")
    sides = [Side("HEAD"), *(Side(name, commit) for each in found.values() for name, commit in each)]
    return [_experiment(side) for side in sides if side.files.exists(f"/{lock.HISTORY}")]


def kept(history: Sequence[Mapping[str, float]], patience: int) -> list[float]:
    """Return the validation accuracy of the network that was kept of each replicate; nothing without such accuracies.

    Without patience that is the network after the last epoch, not the best of them: which epoch is best is seen on the
    very images that score it. Early stopping keeps that of the lowest validation loss, the first of several.
    """
    if "validation_loss" not in history[0]:
        return []
    accuracies = []
    for _, rows in groupby(history, key=lambda row: row["replicate"]):
        trained = [row for row in rows if row["epoch"] > 0]
        row = min(trained, key=lambda row: row["validation_loss"]) if patience else trained[-1]
        accuracies.append(row["validation_accuracy"])
    return accuracies


def _experiment(side: Side) -> Experiment:
    params = comparison.params_of(side.record)
    return Experiment(
        name=side.name,
        params=params,
        images=lock.digests(side.record["train"]["deps"])[lock.TRAIN],
        fraction=params.get("train.validation_fraction", 0),
        networks=lock.digests(side.record["train"]["outs"])[lock.MODEL],
        accuracies=np.array(kept(side.history(), params.get("train.early_stopping_patience", 0))),
    )
