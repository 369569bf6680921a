"""The report of a ranking."""

import shlex
from collections.abc import Sequence
from math import isfinite
from typing import Any

from core.scores.scores import DECIMALS
from tools import blocks
from tools.blocks import Block, Commands, Lines, Report, literal
from tools.compare.comparison import NO_EVIDENCE, UNKNOWN
from tools.sweep.ranking import BEST, Place, Ranking, Table

ON_ALL_IMAGES = "dvc exp run -S train.validation_fraction=0.0"
SCORES = ["accuracy", "change, 95 %", "verdict"]
MEANING = (
    "Accuracy is the mean over an experiment's networks on images that were kept out of training, in %. Changes are "
    "from the best experiment, in points. An interval covers the noise of other seeds on these images, but not that of "
    "other images. Verdicts use Holm's correction over all pairs, as the best was chosen after the fact. So an "
    f"interval without 0 may have the verdict {NO_EVIDENCE}."
)
WITHHELD = "Test accuracy is not shown. If it took part in the choice, it would no longer tell how good the choice is."
ON_ALL = "Next, train the best on all training images, and compare it once with HEAD on the test images:"
AS_IT_IS = "Next, compare the best once with HEAD on the test images:"
ELSEWHERE = (
    "HEAD has no run on these test images. Next, train once with params.yaml as it is, and compare the best once with "
    "that run on the test images:"
)
STOPPED = (
    "Next, compare the best once with HEAD on the test images. It is not trained on all training images, as early "
    "stopping needs the validation images:"
)


def report(ranking: Ranking, unfinished: Sequence[str]) -> Report:
    """Return the report of a ranking.

    For programs: shares in [0, 1], the accuracy of each network; None for an unknown number.
    """
    shown: list[Block] = []
    for each in ranking.tables:
        shown += [Lines([_title(each)], strong=True), _table(each)]
    shown += [Lines([line]) for line in _notes(ranking, unfinished)]
    if commands := next_commands(ranking):
        lead = ON_ALL if ON_ALL_IMAGES in commands else STOPPED if ranking.tables[0].fraction else AS_IT_IS
        lead = ELSEWHERE if ranking.tables[0].places[0].experiment.elsewhere else lead
        shown += [Lines([lead]), Commands(commands)]
    tables = [
        {
            "validation_fraction": each.fraction,
            "training_images": each.images,
            "experiments": [_numbers(place, each.params) for place in each.places],
        }
        for each in ranking.tables
    ]
    value = {
        "tables": tables,
        "without_validation_images": ranking.unscored,
        "same_networks": ranking.repeated,
        "unfinished": list(unfinished),
    }
    return Report(shown, value)


def next_commands(ranking: Ranking) -> list[str]:
    """Return the command lines that take the best experiment, train it on all training images, and compare it with
    HEAD. With early stopping it needs its validation images, and is not trained again; nor if it was trained on all
    training images already. Several tables have no best.

    If HEAD was scored on other test images, another run takes its place.
    """
    if len(ranking.tables) != 1:
        return []
    best = ranking.tables[0].places[0].experiment
    commands = [f"dvc exp apply {shlex.quote(best.name)}"] if best.name != "HEAD" else []
    if best.fraction and not best.params.get("train.early_stopping_patience"):
        commands.append(ON_ALL_IMAGES)
    if best.elsewhere:
        on_all = ON_ALL_IMAGES.removeprefix("dvc exp run") if ON_ALL_IMAGES in commands else ""
        base = f"baseline-{best.elsewhere}"
        first = f"dvc exp run --name {base} -S dataset.name={best.elsewhere}{on_all}"
        return [first, *commands, f"python -m tools.compare {base}"]
    return [*commands, "python -m tools.compare"] if commands else []


def _title(each: Table) -> str:
    held_out = f"{100 * each.fraction:g} % of the training images of each class"
    images = held_out if each.fraction else "the validation images of the data set"
    return f"Validation accuracy on {images} ({each.images:.8})"


def _table(each: Table) -> blocks.Table:
    """Return the table. In text, the params are below it if they would make it too wide."""
    rows, wide, params = [], [], []
    for place in each.places:
        name = place.experiment.name
        values = [literal(place.experiment.params.get(param)) for param in each.params]
        scores = [f"{100 * place.change.new:.2f}", _interval(place), place.verdict]
        rows.append([name, *scores])
        wide.append([name, *values, *scores])
        params.append(f"{name}: {' '.join(map('='.join, zip(each.params, values, strict=True)))}")
    columns = ["experiment", *(param.rpartition(".")[2] for param in each.params), *SCORES]
    return blocks.Table(columns, wide, [blocks.Table(["experiment", *SCORES], rows), Lines(params)])


def _interval(place: Place) -> str:
    if place.verdict == BEST:
        return ""
    low, high = place.change.interval
    return f"{100 * low:+.2f} to {100 * high:+.2f}" if isfinite(low) else UNKNOWN


def _notes(ranking: Ranking, unfinished: Sequence[str]) -> list[str]:
    notes = [MEANING, WITHHELD]
    if len(ranking.tables) > 1:
        notes.append("Experiments in different tables were scored on different images, and can't be compared.")
    if ranking.unscored:
        notes.append(f"Not ranked, as they have no validation images: {', '.join(ranking.unscored)}.")
    notes += [f"{name} has the same networks as {other}, to the byte." for name, other in ranking.repeated.items()]
    if unfinished:
        notes.append(f"Not yet done: {', '.join(unfinished)}.")
    return notes


def _numbers(place: Place, params: Sequence[str]) -> dict[str, Any]:
    low, high = place.change.interval
    known = isfinite(low) and place.verdict != BEST
    scores = {"accuracy": place.change.new, "difference": place.change.difference}
    scores |= {"low": low, "high": high, "p_value": place.p_value} if known else {}
    return {
        "name": place.experiment.name,
        "params": {name: place.experiment.params.get(name) for name in params},
        "accuracies": [round(float(accuracy), DECIMALS) for accuracy in place.experiment.accuracies],
        "verdict": place.verdict,
        **dict.fromkeys(("low", "high", "p_value")),
        **{name: round(float(value), DECIMALS) for name, value in scores.items()},
    }
