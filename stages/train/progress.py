"""The scores of a network after each epoch: a row of history.csv, and a line for people."""

import math
from collections.abc import Callable
from typing import TypeAlias

from core.cli.errors import InputError, Problem

Row = dict[str, float]
Report: TypeAlias = Callable[[int, Row], None]  # takes the number of a replicate, and its latest row


def row(epoch: int, scores: dict[str, float]) -> Row:
    """Return scores, by their names in history.csv, as a row: more than six decimals are noise of single precision.

    Raises InputError if a score is not finite.
    """
    new = {"epoch": epoch} | {name: round(score, 6) for name, score in scores.items()}
    if not all(map(math.isfinite, new.values())):
        raise diverged(f"the loss is no longer a number after epoch {epoch}")
    return new


def diverged(what: str) -> InputError:
    """Return the error for a training whose numbers have grown beyond all bounds."""
    fix = "lower train.learning_rate, then dvc repro"
    return InputError(Problem("params.yaml: train.learning_rate", what, fix=fix))


def line(replicate: int, epochs: int, scores: Row) -> str:
    """Return a row as it is printed."""
    text = f"{_place(replicate, epochs, scores)}  {_scores(scores, 'train')}"
    if "validation_loss" in scores:
        text += f"  validation {scores['validation_loss']:.4f} {scores['validation_accuracy']:.4f}"
    return text


def short_line(replicate: int, epochs: int, scores: Row) -> str:
    """Return a row with scores of one kind, which leaves room beside it: those of the validation images, if any."""
    if "validation_loss" in scores:
        return f"{_place(replicate, epochs, scores)}  validation {_scores(scores, 'validation')}"
    return line(replicate, epochs, scores)


def _place(replicate: int, epochs: int, scores: Row) -> str:
    return f"replicate {replicate}  epoch {scores['epoch']:>2}/{epochs}"


def _scores(scores: Row, kind: str) -> str:
    return f"loss {scores[f'{kind}_loss']:.4f} accuracy {scores[f'{kind}_accuracy']:.4f}"
