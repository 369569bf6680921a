"""The report of a comparison."""

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

from core.files import durations
from core.scores.scores import DECIMALS
from tools.blocks import Block, Changes, Lines, Report, Table, literal
from tools.compare.comparison import BETTER, BROKEN, EQUIVALENT, FIXED, NO_EVIDENCE, UNKNOWN, WORSE, Comparison, Score
from tools.compare.differences import Differences, Pair
from tools.compare.revisions import WORKSPACE
from tools.compare.statistics import MOST

COLUMNS = ["verdict", "change", "95 % interval", "base", "new"]
SHOWN = 10  # images of a kind; JSON has them all
NAMED = 5  # classes with a verdict, in the first lines
ECE = "ECE"
# The names of the scores in a report, in their order.
NAMES = {"accuracy": "accuracy", "loss": "loss", "brier": "Brier score", "expected_calibration_error": ECE}
UNITS_OF = {"accuracy": " points", "recall": " points", "loss": " nats"}
TITLES = {
    WORSE: "Worse",
    BETTER: "Better",
    EQUIVALENT: "Equivalent within ±{tolerance:g} points",
    NO_EVIDENCE: "No evidence of a change",
    UNKNOWN: "Unknown whether chance",
}
UNTIMED = " (the time is not known here)"
USE = "Judge tools.predict by the ensemble, and the recipe by one network."
UNITS = (
    "Accuracy and recall are in %, their changes in points. 1 point is 1 % of the test images; of a recall, 1 % of the "
    "images of the class. The loss is in nats. The ensemble predicts the mean probabilities of all networks of a side; "
    "other scores are means over the networks. ECE is the expected calibration error."
)
VERDICTS = (
    "Better: higher than chance explains (loss and Brier score: lower). No evidence does not mean equal: the interval "
    "says which changes are possible. Then decide by cost or simplicity, or train more networks."
)
MORE = "Run both sides with train.replicates of 3 or more, better 5."
MEANING = {
    "recipes": (
        "Each interval covers the noise of other seeds and of other test images. Verdicts on classes use Holm's "
        f"correction, so that an interval without 0 may have no evidence. {VERDICTS}"
    ),
    "draw": (
        "One side has one replicate. The intervals assume that it varies as much as the other side. They cover the "
        f"noise of other seeds and of other test images. The recalls of one network give no verdicts. {VERDICTS} {MORE}"
    ),
    "networks": (
        "A side has one network only, so training noise is unknown. Intervals and verdicts cover the choice of test "
        "images alone: another seed may reverse them. Verdicts use McNemar's exact test, with Holm's correction over "
        f"the classes, so that an interval without 0 may have no evidence. {VERDICTS} {MORE}"
    ),
    "nothing": "The metrics alone don't tell whether a change is chance. So there are no intervals and no verdicts.",
}
RIGHT = "Test images that the {} of one side alone gets right, the largest change of probability first:"


def report(comparison: Comparison, differences: Differences) -> Report:
    """Return the report of a comparison.

    For programs: shares in [0, 1], all images that changed, MD5s in full; None for an unknown number.
    """
    about = [] if comparison.identical else [Lines([meaning(comparison)]), Lines(_images(comparison))]
    blocks = [
        Lines(verdicts(comparison), strong=True),
        Lines([*advice(comparison, UNTIMED), *comparison.notes]),
        Lines(sides(comparison, differences.sides)),
        *tables(comparison),
        *about,
        *differing(differences),
    ]
    value = _plain(comparison) | _plain(differences) | {kind: comparison.of_kind(kind) for kind in (FIXED, BROKEN)}
    value["replicates"] = Pair(*comparison.replicates)._asdict()
    value["accuracy"]["smallest"] = _known(comparison.accuracy.change.smallest)
    del value["changed"]
    return Report(blocks, value)


def verdicts(comparison: Comparison) -> list[str]:
    """Return a line for each verdict that occurs, with its scores."""
    if comparison.identical:
        return ["identical: the same networks"]
    two = "One network is compared with one network, which says nothing about their recipes."
    lines = [two] if comparison.covers == "networks" else []
    for verdict, title in TITLES.items():
        scores = [entry for entry in _scores(comparison) if entry[2].verdict == verdict and entry[0] != ECE]
        entries = [f"{name} of {of}, {change(name, score)}" for name, of, score in scores]
        if entries := entries + _classes(comparison, verdict):
            lines.append(f"{title.format(tolerance=100 * (comparison.tolerance or 0))}: {'; '.join(entries)}.")
    return lines + [USE] * (comparison.covers == "recipes")


def changed(differences: Differences) -> str:
    """Return a line with the params that differ, and how many files of code and data."""
    params = [f"{name} {literal(pair.base)} → {literal(pair.new)}" for name, pair in differences.params.items()]
    parts = params if len(params) <= NAMED else [f"{len(params)} params"]
    if files := len(differences.files):
        parts.append(f"{files} file{'s' * (files > 1)} or folder{'s' * (files > 1)} of code and data")
    return f"Changed: {'; '.join(parts) or 'neither params nor code nor data'}."


def _scores(comparison: Comparison) -> list[tuple[str, str, Score]]:
    """Return each score but the recalls: of what, of whom, and its numbers."""
    of_one = {"accuracy": comparison.accuracy, "loss": comparison.loss}
    whose = {"one network": of_one, "the ensemble": comparison.ensemble}
    return [(name, of, found[key]) for key, name in NAMES.items() for of, found in whose.items() if key in found]


def _classes(comparison: Comparison, verdict: str) -> list[str]:
    """Return the recalls with a verdict; without evidence of a change, none is named."""
    found = [(name, score) for name, score in comparison.recalls.items() if score.verdict == verdict]
    if found and verdict not in (BETTER, WORSE):
        return ["recall of any class" if len(found) == len(comparison.recalls) else "recall of any other class"]
    found.sort(key=lambda each: -abs(each[1].change.difference))
    more = [f"recall of {len(found) - NAMED} more of the classes"] if len(found) > NAMED else []
    return [f"recall of {name}, {change('recall', score)}" for name, score in found[:NAMED]] + more


def change(name: str, score: Score) -> str:
    """Return the change of a score with its unit."""
    return cells(name, score)[1] + UNITS_OF.get(name, "")


def advice(comparison: Comparison, untimed: str = "") -> list[str]:
    """Return which change was to be found, and how to find a smaller one.

    untimed: what to say if it is unknown how long that takes.
    """
    lines = []
    smallest = comparison.accuracy.change.smallest
    if isfinite(smallest):
        found = f"a true change of {100 * smallest:.2f} points in the accuracy of one network"
        lines.append(f"With {_networks(comparison)}, 4 of 5 comparisons detect {found}.")
    if (plan := comparison.plan) is not None:
        wanted, limit = (f"{100 * each:.2f} points" for each in (plan.change, plan.limit))
        if plan.replicates is None:
            lines.append(f"Not even {MOST:,} networks a side detect {wanted}: these test images limit it to {limit}.")
        else:
            goal = "half of that" if plan.change == smallest / 2 else wanted
            time = untimed if plan.seconds is None else f": {durations.worded(plan.seconds)} of training here"
            lines.append(f"To detect {goal}, train {plan.replicates} networks a side{time}.")
    return lines


def meaning(comparison: Comparison) -> str:
    return f"{UNITS} {MEANING[comparison.covers]}"


def sides(comparison: Comparison, names: Pair) -> list[str]:
    """Return what the sides are, their networks and their test images."""
    networks = _networks(comparison).capitalize()
    scored = f", scored on the same {comparison.images:,} test images" if comparison.images else ""
    named = (name if name.startswith(WORKSPACE) else f"revision {name}" for name in names)
    return [*map(": ".join, zip(Pair._fields, named, strict=True)), f"{networks} (train.replicates){scored}"]


def _networks(comparison: Comparison) -> str:
    base, new = comparison.replicates
    each = f"{base} network{'s' * (base > 1)} each" if base == new else f"{base} and {new} networks"
    return f"network 0 of {each}" if comparison.covers == "networks" and base != new else each


def tables(comparison: Comparison) -> list[Block]:
    """Return the tables of the scores and of the recalls; identical sides have none."""
    if comparison.identical:
        return []
    names = {"one network": "", "the ensemble": "ensemble "}
    scores = [[f"{names[of]}{name}", *cells(name, score)] for name, of, score in _scores(comparison)]
    recalls = [[name, *cells("recall", score)] for name, score in comparison.recalls.items()]
    return [Table(["score", *COLUMNS], scores), Table(["recall", *COLUMNS], recalls)]


def cells(kind: str, score: Score) -> list[str]:
    """Return a row below COLUMNS: accuracy and recall in percent."""
    factor, digits = (100, 2) if kind in ("accuracy", "recall") else (1, 4)
    change = score.change
    low, high = (f"{factor * bound:+.{digits}f}" for bound in change.interval)
    interval = f"{low} to {high}" if isfinite(change.error) else UNKNOWN
    values = [f"{factor * value:.{digits}f}" for value in (change.base, change.new)]
    return [score.verdict, f"{factor * change.difference:+.{digits}f}", interval, *values]


def _images(comparison: Comparison) -> list[str]:
    if comparison.covers == "nothing":
        return []
    lines = [RIGHT.format("network" if comparison.covers == "networks" else "ensemble")]
    for kind in (FIXED, BROKEN):
        images = comparison.of_kind(kind)
        shown = ", ".join(map(str, images[:SHOWN])) + ", ..." * (len(images) > SHOWN)
        lines.append(f"{kind} {len(images)}" + f": {shown}" * bool(images))
    return lines


def differing(differences: Differences) -> list[Block]:
    params, files, packages = differences[1:]
    found: list[tuple[str, Mapping[str, Pair], Callable[[Any], str]]] = [
        ("params that differ", params, literal),
        ("code and data that differ, by MD5", files, lambda md5: f"{md5 or 'none':.8}"),
        ("packages that differ", packages or {}, lambda version: version or "none"),
    ]
    kinds = "params, code and data" if packages is None else "params, code, data and packages"
    changes = [Changes(title, [[name, *map(text, each[name])] for name in each]) for title, each, text in found if each]
    return [*changes] or [Lines([f"{kinds} that differ: none"])]


def _plain(value: Any) -> Any:
    """Return named tuples as dicts."""
    if isinstance(value, Score):
        return _numbers(value)
    fields = value._asdict() if hasattr(value, "_asdict") else value
    return {name: _plain(each) for name, each in fields.items()} if isinstance(fields, Mapping) else fields


def _numbers(score: Score) -> dict[str, float | str | None]:
    change = score.change
    low, high = change.interval
    values = {"base": change.base, "new": change.new, "difference": change.difference, "low": low, "high": high}
    values |= {"p_value": inf if score.verdict == UNKNOWN else change.p_value}
    return {"verdict": score.verdict, **{name: _known(value) for name, value in values.items()}}


def _known(value: float) -> float | None:
    return round(float(value), DECIMALS) if isfinite(value) else None
