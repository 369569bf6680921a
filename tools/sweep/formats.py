"""A ranking as text for a terminal of 80 columns, as Markdown, as JSON for programs."""

import json
import shlex
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from core.cli.errors import printable
from core.scores.scores import DECIMALS
from stages.render import markdown as md
from tools.compare.comparison import NO_EVIDENCE, UNKNOWN
from tools.compare.formats import WIDTH, aligned, literal, table, wrapped
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
AS_IT_IS = (
    "Next, compare the best once with HEAD on the test images. It is not trained on all training images, as early "
    "stopping needs the validation images:"
)


def text(ranking: Ranking, unfinished: Sequence[str]) -> str:
    """Return lines of at most 80 columns, except for long names of params."""
    blocks = [block for each in ranking.tables for block in (wrapped([_title(each)]), _fitted(each))]
    blocks += [wrapped([line]) for line in _notes(ranking, unfinished)]
    if commands := next_commands(ranking):
        blocks += [wrapped([_to_go_on(commands)]), "\n".join(f"  {command}" for command in commands)]
    return "\n\n".join(blocks) + "\n"


def markdown(ranking: Ranking, unfinished: Sequence[str]) -> str:
    """Return Markdown (CommonMark with GitHub's tables); no name in it can add markup."""
    blocks = []
    for each in ranking.tables:
        blocks += [f"**{md.escape(_title(each))}**", table(_columns(each.params), _rows(each, each.params))]
    blocks += map(md.escape, _notes(ranking, unfinished))
    if commands := next_commands(ranking):
        blocks += [md.escape(_to_go_on(commands)), "\n".join(["```bash", *commands, "```"])]
    return "\n\n".join(blocks) + "\n"


def as_json(ranking: Ranking, unfinished: Sequence[str]) -> str:
    """Return JSON: shares in [0, 1], the accuracy of each network; null for an unknown number."""
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
    return json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Ranking, Sequence[str]], str]] = {"text": text, "md": markdown, "json": as_json}


def next_commands(ranking: Ranking) -> list[str]:
    """Return the command lines that take the best experiment, train it on all training images, and compare it with
    HEAD. With early stopping it needs its validation images, and is not trained again. Several tables have no best.
    """
    if len(ranking.tables) != 1:
        return []
    best = ranking.tables[0].places[0].experiment
    commands = [f"dvc exp apply {shlex.quote(best.name)}"] if best.name != "HEAD" else []
    if not best.params.get("train.early_stopping_patience"):
        commands.append(ON_ALL_IMAGES)
    return [*commands, "python -m tools.compare"] if commands else []


def _to_go_on(commands: Sequence[str]) -> str:
    return ON_ALL if ON_ALL_IMAGES in commands else AS_IT_IS


def _title(each: Table) -> str:
    return f"Validation accuracy on {100 * each.fraction:g} % of the training images of each class ({each.images:.8})"


def _fitted(each: Table) -> str:
    """Return the table; its params are below it if they make it too wide."""
    whole = aligned(_columns(each.params), _rows(each, each.params))
    if max(map(len, whole.splitlines())) <= WIDTH:
        return whole
    lines = []
    for place in each.places:
        params = (f"{name}={literal(place.experiment.params.get(name))}" for name in each.params)
        lines.append(f"{place.experiment.name}: {' '.join(params)}")
    return f"{aligned(_columns([]), _rows(each, []))}\n\n{wrapped(lines)}"


def _columns(params: Sequence[str]) -> list[str]:
    return ["experiment", *(name.rpartition(".")[2] for name in params), *SCORES]


def _rows(each: Table, params: Sequence[str]) -> list[list[str]]:
    return [
        [
            place.experiment.name,
            *(printable(literal(place.experiment.params.get(name))) for name in params),
            f"{100 * place.change.new:.2f}",
            _interval(place),
            place.verdict,
        ]
        for place in each.places
    ]


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
