"""Fit the networks.

Reads the training images alone, and the number of classes; writes a model a replicate; training.json, which records
their files, their size and the packages that made them; and history.csv with a row for each epoch of each replicate.
"""

import os
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from core.cli import command
from core.config import params
from core.files import arrays, class_names
from core.files import history as histories
from core.files import training as trainings
from core.files.training import Training
from core.networks import models, runtime
from stages.train import cluster, division, trainer

# Whose versions may show in the networks.
PACKAGES = ("keras", "numpy", "tensorflow")


def main(train: Path, classes: Path, model: Path, training: Path, history: Path) -> None:
    """Fit networks that differ in seed alone to the training images."""
    settings = params.section(params.Train)
    runtime.share_operations(settings.threads)
    address = os.environ.get("RAY_ADDRESS")  # where a network is fitted does not change it, so this is no param
    fit = partial(cluster.fit, address=address) if address else trainer.fit
    names = class_names.read(classes)
    split = arrays.read_split(train, len(names))
    division.require_each_class(split.labels, names, settings.validation_fraction)
    runs = fit(split, len(names), settings)
    digests = models.write(model, [run.model for run in runs])
    histories.write(history, [run.history for run in runs])
    record = Training(
        versions={name: version(name) for name in PACKAGES},
        parameters=runs[0].parameters,
        untrained_loss=round(fmean(run.history[0]["train_loss"] for run in runs), 4),
        networks=digests,
        classes=names,
        image_shape=list(split.images.shape[1:]),
    )
    trainings.write(training, record)


if __name__ == "__main__":
    command.run(main)
