"""What a network goes through: a row of scores for each epoch."""

import numpy as np

from stages.command import InputError, Problem
from stages.runtime import keras

Row = dict[str, float]


def row(epoch: int, logs: dict[str, float]) -> Row:
    """Return what Keras logs under our names, to six decimals: the rest is noise of single precision."""
    names = {"train_loss": "loss", "train_accuracy": "accuracy"}
    names |= {"validation_loss": "val_loss", "validation_accuracy": "val_accuracy"} if "val_loss" in logs else {}
    return {"epoch": epoch} | {ours: round(logs[its], 6) for ours, its in names.items()}


class Historian(keras.callbacks.Callback):
    """Adds a row an epoch to `history`, prints it, and stops a training that has come to nothing."""

    def __init__(self, history: list[Row], replicate: int, epochs: int):
        super().__init__()
        self.history, self.replicate, self.epochs = history, replicate, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Raise InputError where a score is not finite."""
        new = row(epoch + 1, logs)
        if not all(map(np.isfinite, new.values())):
            what = f"the loss is no longer a number after epoch {epoch + 1}"
            fix, got = "lower train.learning_rate, then dvc repro", str(new["train_loss"])
            raise InputError(Problem("params.yaml: train.learning_rate", what, fix, "a finite loss", got))
        self.history.append(new)
        scores = f"loss {new['train_loss']:.4f} accuracy {new['train_accuracy']:.4f}"
        if "validation_loss" in new:
            scores += f"  validation {new['validation_loss']:.4f} {new['validation_accuracy']:.4f}"
        print(f"replicate {self.replicate}  epoch {epoch + 1:>2}/{self.epochs}  {scores}")
