"""Train the networks.

Reads the training images, the validation images that the publisher provides, if any, and the class names. Writes a
model for each replicate; training.json, which records the files of the models and how they were made; and history.csv,
with a row for each epoch of each replicate, which grows during training. Records how long training took on this
machine, which is no output.
"""

import os
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from core.cli import command
from core.config import params
from core.files import arrays, class_names, durations
from core.files import history as histories
from core.files import training as trainings
from core.files.training import Training
from stages.train import division

PACKAGES = ("keras", "numpy", "tensorflow")  # another version may change the networks


def main(train: Path, classes: Path, model: Path, training: Path, history: Path) -> None:
    """Train networks that differ in seed only on the training images."""
    settings = params.section(params.Train)
    # TensorFlow takes seconds to start: a wrong param need not wait for it, and Ctrl-C ends it in one line.
    from core.networks import models, runtime
    from stages.train import cluster, trainer
    from stages.train.live import Live

    runtime.share_operations(settings.threads)
    address = os.environ.get("RAY_ADDRESS")  # no param, since a network does not depend on where it is trained
    fit = partial(cluster.fit, address=address) if address else trainer.fit
    names = class_names.read(classes)
    split = arrays.read_split(train, len(names))
    validation = arrays.read_validation(train, len(names))
    params.require_one_source(settings, validation is not None)
    division.require_each_class(split.labels, names, settings.validation_fraction)
    with Live(history, settings) as live:
        start = time.monotonic()
        runs = fit(split, len(names), settings, validation, report=live.report)
        seconds = time.monotonic() - start
        digests = models.write(model, [run.model for run in runs])
        histories.write(history, [run.history for run in runs])
    record = Training(
        networks=digests,
        classes=names,
        image_shape=list(split.images.shape[1:]),
        settings=settings,
        versions={name: version(name) for name in PACKAGES},
        parameters=runs[0].model.count_params(),
        untrained_loss=round(fmean(run.history[0]["train_loss"] for run in runs), 4),
    )
    trainings.write(training, record)
    if not address:
        epochs = sum(len(run.history) - 1 for run in runs)
        durations.write(settings, len(split.labels), split.images.shape[1:], epochs, seconds)


if __name__ == "__main__":
    command.run(main)
