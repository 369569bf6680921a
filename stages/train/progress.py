"""The scores of a network after each epoch: a row of history.csv, and a printed line."""

import math

from core.cli.errors import InputError, Problem

Row = dict[str, float]

NAMES = {  # by the names that Keras has for them
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "val_loss": "validation_loss",
    "val_accuracy": "validation_accuracy",
}


def row(epoch: int, scores: dict[str, float]) -> Row:
    """Return the scores, which have Keras' names, as a row: more than six decimals are noise of single precision.

    Raises InputError if a score is not finite.
    """
    new = {"epoch": epoch} | {NAMES[name]: round(score, 6) for name, score in scores.items()}
    if not all(map(math.isfinite, new.values())):
        raise diverged(f"the loss is no longer a number after epoch {epoch}")
    return new


def diverged(what: str) -> InputError:
    """Return the error for a training whose numbers have grown beyond all bounds."""
    return InputError(
        Problem("params.yaml: train.learning_rate", what, fix="lower train.learning_rate, then dvc repro")
    )


def line(replicate: int, epochs: int, scores: Row) -> str:
    """Return a row as it is printed."""
    text = f"loss {scores['train_loss']:.4f} accuracy {scores['train_accuracy']:.4f}"
    if "validation_loss" in scores:
        text += f"  validation {scores['validation_loss']:.4f} {scores['validation_accuracy']:.4f}"
    return f"replicate {replicate}  epoch {scores['epoch']:>2}/{epochs}  {text}"
