"""The experiments that started from HEAD, as DVC's public API lists them, and what each of them recorded."""

from pathlib import Path
from typing import NamedTuple

import dvc.api
import numpy as np

from core.cli.errors import InputError
from core.sources import datasets
from tools import lock
from tools.compare import sides
from tools.compare.sides import Side
from tools.sweep.ranking import Experiment

UNFINISHED, FAILED = ("Queued", "Running"), "Failed"  # what DVC calls the states of an experiment that is not done


class Found(NamedTuple):
    """experiments: those that ended well, and HEAD if it has a run. failed, unfinished: the names of the rest."""

    experiments: list[Experiment]
    failed: list[str]
    unfinished: list[str]


def of_head() -> Found:
    """Return all experiments of HEAD.

    Raises InputError if there is no project or no commit, DataError if a record or a history is damaged.
    """
    head = Side("HEAD")
    rows = [row for row in dvc.api.exp_show() if row["Experiment"]]
    ended = [Side(row["Experiment"], row["rev"]) for row in rows if row["State"] not in (*UNFINISHED, FAILED)]
    if head.files.exists(f"/{lock.PATH}"):
        ended.insert(0, head)
    return Found(
        experiments=[_experiment(side, head) for side in ended],
        failed=sorted(row["Experiment"] for row in rows if row["State"] == FAILED),
        unfinished=sorted(row["Experiment"] for row in rows if row["State"] in UNFINISHED),
    )


def kept(history: np.ndarray, patience: int) -> np.ndarray:
    """Return the validation accuracy of the network that was kept of each replicate, float (replicates,).

    history: as `core.files.history` reads it. Without patience, the network after the last epoch is kept. It is not the
    best one: the choice of the best epoch uses the images that score it. Early stopping keeps the network with the
    lowest validation loss, the first if several have it. Returns an empty array if there are no validation images.
    """
    if "validation_loss" not in (history.dtype.names or ()):
        return np.empty(0)
    trained = history[history["epoch"] > 0]
    replicates = [trained[trained["replicate"] == number] for number in np.unique(trained["replicate"])]
    rows = [each[each["validation_loss"].argmin() if patience else -1] for each in replicates]
    return np.array([row["validation_accuracy"] for row in rows])


def _experiment(side: Side, head: Side) -> Experiment:
    params = side.record.params()
    return Experiment(
        name=side.name,
        params=params,
        images=str(side.record.dependency("train", side.path("train"))),
        fraction=params.get("train.validation_fraction", 0),
        networks=str(side.record.output(side.path("model"))),
        accuracies=kept(side.history(), params.get("train.early_stopping_patience", 0)),
        elsewhere=_elsewhere(side, head),
    )


def _elsewhere(side: Side, head: Side) -> str:
    """Return the name of the data set of a side, if HEAD can't be compared with it; otherwise nothing."""
    try:
        sides.require_same_test_set(head, side)
    except InputError:  # also if HEAD has no run
        read = [Path(dep.path) for dep in side.record.stages["download"].deps]
        return next((path.stem for path in read if path.parent == datasets.FOLDER), "")
    return ""
