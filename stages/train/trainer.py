"""Fitting: from images and labels to networks that give probabilities, and what they went through."""

from typing import NamedTuple

import numpy as np

from stages.arrays import Split
from stages.command import InputError, Problem
from stages.params import Train
from stages.runtime import keras
from stages.train.networks import NETWORKS

# Images scored at once where nothing is learned; the largest that costs no time.
SCORING_BATCH = 1000

Row = dict[str, float]


class Run(NamedTuple):
    """One replicate: a model that gives probabilities (n, classes), its number of parameters, and a row for each epoch.

    A row has epoch, train_loss and train_accuracy, and with validation images also validation_loss and
    validation_accuracy. Row 0 is the untrained network. In the others, as in Keras' own history, the figures on
    training images are the mean over the epoch's batches, each taken before the step that learned from it.
    """

    model: keras.Model
    parameters: int
    history: list[Row]


def fit(split: Split, classes: int, settings: Train) -> list[Run]:
    """Return `settings.replicates` networks that differ in seed alone.

    Raises InputError where a batch is larger than the images left to train on, or where the loss is no longer finite.
    """
    held_out = int(len(split.labels) * settings.validation_fraction)
    kept = len(split.labels) - held_out
    _check_batch(settings, kept)
    train, validation = Split(split.images[:kept], split.labels[:kept]), None
    if held_out:
        validation = Split(split.images[kept:], split.labels[kept:])
    return [_fit_replicate(replicate, train, validation, classes, settings) for replicate in range(settings.replicates)]


def seed_of(seed: int, replicate: int) -> int:
    """Return the seed of one replicate, uint32: that of no other, and the same whatever their number."""
    return int(np.random.SeedSequence([seed, replicate]).generate_state(1)[0])


def _fit_replicate(replicate: int, train: Split, validation: Split | None, classes: int, settings: Train) -> Run:
    keras.utils.set_random_seed(seed_of(settings.seed, replicate))
    logits = NETWORKS[settings.network](
        train.images.shape[1:], classes, hidden_units=settings.hidden_units, dropout=settings.dropout
    )
    softmax = keras.layers.Softmax(name="probabilities")
    probabilities = keras.Model(logits.inputs, softmax(logits.outputs[0]), name=logits.name)
    fitted = logits if settings.output == "logits" else probabilities
    fitted.compile(
        optimizer=keras.optimizers.get(
            {"class_name": settings.optimizer, "config": {"learning_rate": settings.learning_rate}}
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=settings.output == "logits"),
        metrics=["accuracy"],
    )
    history = [_untrained(fitted, train, validation)]
    fitted.fit(
        train.images,
        train.labels,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=validation,
        validation_batch_size=SCORING_BATCH,
        callbacks=[_Historian(history, replicate)],
        verbose=0,
    )
    return Run(probabilities, logits.count_params(), history)


def _untrained(model: keras.Model, train: Split, validation: Split | None) -> Row:
    logs = model.evaluate(*train, batch_size=SCORING_BATCH, verbose=0, return_dict=True)
    if validation:
        scores = model.evaluate(*validation, batch_size=SCORING_BATCH, verbose=0, return_dict=True)
        logs |= {f"val_{name}": value for name, value in scores.items()}
    return _row(0, logs)


def _row(epoch: int, logs: dict[str, float]) -> Row:
    """Return what Keras logs under our names, to six decimals: the rest is noise of single precision."""
    names = {"train_loss": "loss", "train_accuracy": "accuracy"}
    names |= {"validation_loss": "val_loss", "validation_accuracy": "val_accuracy"} if "val_loss" in logs else {}
    return {"epoch": epoch} | {ours: round(logs[its], 6) for ours, its in names.items()}


class _Historian(keras.callbacks.Callback):
    """Adds a row an epoch, prints it, and stops a training that has come to nothing."""

    def __init__(self, history: list[Row], replicate: int):
        super().__init__()
        self.history, self.replicate = history, replicate

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        row = _row(epoch + 1, logs)
        if not all(np.isfinite(value) for value in row.values()):
            raise InputError(
                Problem(
                    "params.yaml: train.learning_rate",
                    f"the loss is no longer a number after epoch {row['epoch']}",
                    "lower train.learning_rate, then dvc repro",
                    "a finite loss",
                    str(row["train_loss"]),
                )
            )
        self.history.append(row)
        scores = f"loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.4f}"
        if "validation_loss" in row:
            scores += f"  validation {row['validation_loss']:.4f} {row['validation_accuracy']:.4f}"
        print(f"replicate {self.replicate}  epoch {row['epoch']:>2}/{self.params['epochs']}  {scores}")


def _check_batch(settings: Train, images: int) -> None:
    if settings.batch_size > images:
        fix = "lower train.batch_size or train.validation_fraction, then dvc repro"
        what = "a batch larger than the images to train on"
        raise InputError(
            Problem("params.yaml: train.batch_size", what, fix, f"at most {images}", str(settings.batch_size))
        )
