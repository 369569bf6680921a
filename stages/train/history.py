"""What a network goes through: a row of scores for each epoch."""

import numpy as np

from core.cli.errors import InputError, Problem
from core.networks.runtime import keras

Row = dict[str, float]


def row(epoch: int, logs: dict[str, float]) -> Row:
    """Return what Keras logs under our names, to six decimals: the rest is noise of single precision."""
    names = {"train_loss": "loss", "train_accuracy": "accuracy"}
    names |= {"validation_loss": "val_loss", "validation_accuracy": "val_accuracy"} if "val_loss" in logs else {}
    return {"epoch": epoch} | {ours: round(logs[its], 6) for ours, its in names.items()}


def line(replicate: int, epochs: int, scores: Row) -> str:
    """Return a row as it is printed."""
    text = f"loss {scores['train_loss']:.4f} accuracy {scores['train_accuracy']:.4f}"
    if "validation_loss" in scores:
        text += f"  validation {scores['validation_loss']:.4f} {scores['validation_accuracy']:.4f}"
    return f"replicate {replicate}  epoch {scores['epoch']:>2}/{epochs}  {text}"


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
            raise InputError(
                Problem("params.yaml: train.learning_rate", what, expected="a finite loss", got=got, fix=fix)
            )
        self.history.append(new)
        print(line(self.replicate, self.epochs, new))
