"""The report of a comparison."""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

from core.scores.scores import DECIMALS
from tools.blocks import Block, Changes, Lines, Report, Table, literal
from tools.compare.comparison import BETTER, EQUIVALENT, NO_EVIDENCE, UNKNOWN, WORSE, Comparison, Plan, Score
from tools.compare.differences import Differences, Pair
from tools.compare.statistics import MOST

COLUMNS = ["base", "new", "change", "95 % interval", "verdict"]
SHOWN = 10  # images of a kind; JSON has them all
UNITS = (
    "Accuracy and recall are in %, their changes in points (1 point: 1 % of the images). The loss is in nats. The "
    "ensemble predicts the mean probabilities of all networks of a side; other scores are means over the networks."
)
MEANING = {
    "recipes": (
        "Each interval covers the noise of other seeds and of other test images. The verdicts on classes use Holm's "
        "correction for several classes. So an interval without 0 may have the verdict no evidence."
    ),
    "draw": (
        "A side has one replicate only, and is taken to spread as the other side does. If so, each interval covers the "
        "noise of other seeds and of other test images. The recalls of one network give no verdicts on classes."
    ),
    "networks": (
        "A side has one replicate only, so training noise is unknown. Network 0 of each side is compared. Intervals "
        "and verdicts cover the choice of test images alone: another seed may reverse them. Verdicts use McNemar's "
        "exact test, with Holm's correction over the classes, and the paired t-test for the loss. An interval without "
        "0 may have the verdict no evidence, as the exact test decides."
    ),
    "nothing": (
        "The metrics alone don't tell whether a change is chance: there are no intervals, no verdicts and no images "
        "that changed."
    ),
}
MAJORITY = "Test images that most networks of one side alone get right; the largest change first:"
IMAGES = {
    "recipes": MAJORITY,
    "draw": MAJORITY,
    "networks": "Test images that one of the two networks alone gets right:",
}


def report(comparison: Comparison, differences: Differences) -> Report:
    """Return the report of a comparison.

    For programs: shares in [0, 1], all images that changed, MD5s in full; None for an unknown number.
    """
    of_changes = [Lines([meaning(comparison)]), Lines([*_images(comparison), *comparison.notes])]
    blocks = [
        Lines(headlines(comparison), strong=True),
        Lines(sides(comparison, differences.sides)),
        *tables(comparison),
        *([Lines(comparison.notes)] if comparison.identical else of_changes),
        *differing(differences),
    ]
    value = comparison._asdict() | {
        "sides": differences.sides._asdict(),
        "replicates": Pair(*comparison.replicates)._asdict(),
        "accuracy": _numbers(comparison.accuracy),
        "loss": _numbers(comparison.loss),
        "recalls": {name: _numbers(score) for name, score in comparison.recalls.items()},
        "ensemble": {name: _numbers(score) for name, score in comparison.ensemble.items()},
        "plan": None if comparison.plan is None else comparison.plan._asdict(),
        "params": _pairs(differences.params),
        "files": _pairs(differences.files),
        "packages": None if differences.packages is None else _pairs(differences.packages),
    }
    return Report(blocks, value)


def headlines(comparison: Comparison) -> list[str]:
    if comparison.identical:
        return ["identical: the same networks", *_power(comparison)]
    lines = [_sentence("accuracy of one network", comparison.accuracy, comparison.tolerance)]
    if "accuracy" in comparison.ensemble:
        lines.append(_sentence("accuracy of the ensemble", comparison.ensemble["accuracy"], comparison.tolerance))
    lines.append(_sentence("loss of one network", comparison.loss))
    found = {v: [n for n, score in comparison.recalls.items() if score.verdict == v] for v in (BETTER, WORSE)}
    classes = [f"{verdict} for {', '.join(names)}" for verdict, names in found.items() if names]
    if classes:
        lines.append(f"Recall is {'; '.join(classes)}.")
    elif comparison.covers in ("recipes", "networks"):
        lines.append(f"{NO_EVIDENCE.capitalize()} of a change in the recall of any class.")
    if comparison.covers == "networks":
        lines.insert(0, "One network is compared with one network; this says nothing about their recipes:")
    return lines + _power(comparison)


def _sentence(name: str, score: Score, tolerance: float | None = None) -> str:
    _, _, change, interval, verdict = cells(name, score)
    unit = "" if name.startswith("loss") else " points"
    if verdict == UNKNOWN:
        return f"{name.capitalize()} {change}{unit}: whether this is chance is {UNKNOWN}."
    if verdict == NO_EVIDENCE:
        return f"{NO_EVIDENCE.capitalize()} of a change in {name}: {change}{unit} (95 %: {interval})."
    within = f" within ±{100 * (tolerance or 0):g} points" if verdict == EQUIVALENT else ""
    return f"{name.capitalize()} is {verdict}{within}: {change}{unit} (95 %: {interval})."


def _power(comparison: Comparison) -> list[str]:
    """Return which change of the accuracy was to be found, and how to find a smaller one."""
    of = {"one network": comparison.accuracy}
    if "accuracy" in comparison.ensemble:
        of["the ensemble"] = comparison.ensemble["accuracy"]
    found = [f"{name} {100 * score.smallest:.2f} points" for name, score in of.items() if isfinite(score.smallest)]
    lines = [f"Changes in accuracy that are found with 80 % power: {', '.join(found)}."] if found else []
    return lines if comparison.plan is None else [*lines, _plan(comparison.plan)]


def _plan(plan: Plan) -> str:
    wanted, limit = (f"{100 * change:.2f} points" for change in (plan.change, plan.limit))
    if plan.replicates is None:
        return f"Not even {MOST:,} replicates on each side find {wanted}; with so few test images, they find {limit}."
    time = "the time is unknown: this machine has not trained such networks"
    if plan.seconds is not None:
        time = f"about {plan.seconds:.0f} seconds of training here"
    return f"To find {wanted}, train {plan.replicates} replicates on each side: {time}."


def meaning(comparison: Comparison) -> str:
    meaning = f"{UNITS} {MEANING[comparison.covers]}"
    if comparison.tolerance is None:
        return meaning
    points = f"±{100 * comparison.tolerance:g} points"
    return f"{meaning} Accuracies are equivalent if the 90 % interval of their change is within {points}."


def sides(comparison: Comparison, names: Pair) -> list[str]:
    counts = [f"{count} replicate{'s' if count != 1 else ''}" for count in comparison.replicates]
    if comparison.covers == "networks":
        counts = [f"network 0 of {count}" for count in counts]
    lines = [f"base: {names.base}, {counts[0]}", f"new: {names.new}, {counts[1]}"]
    scored = [f"Both were scored on the same {comparison.images:,} test images."] if comparison.images else []
    return lines + scored


def tables(comparison: Comparison) -> list[Block]:
    scores = {}
    for name, score in {"accuracy": comparison.accuracy, "loss": comparison.loss}.items():
        scores[name] = score
        if name in comparison.ensemble:
            scores[f"ensemble {name}"] = comparison.ensemble[name]
    return [
        Table(["score", *COLUMNS], [[name, *cells(name, score)] for name, score in scores.items()]),
        Table(["recall", *COLUMNS], [[name, *cells("recall", score)] for name, score in comparison.recalls.items()]),
    ]


def cells(kind: str, score: Score) -> list[str]:
    """Return a row below COLUMNS: a loss in nats, a share in percent."""
    factor, digits = (1, 4) if "loss" in kind else (100, 2)
    change = score.change
    low, high = (f"{factor * bound:+.{digits}f}" for bound in change.interval)
    values = [f"{factor * value:.{digits}f}" for value in (change.base, change.new)]
    interval = f"{low} to {high}" if isfinite(change.error) else UNKNOWN
    return [*values, f"{factor * change.difference:+.{digits}f}", interval, score.verdict]


def _images(comparison: Comparison) -> list[str]:
    if comparison.covers == "nothing":
        return []
    lines = [IMAGES[comparison.covers]]
    for name, images in {"fixed": comparison.fixed, "broken": comparison.broken}.items():
        shown = ", ".join(map(str, images[:SHOWN])) + ", ..." * (len(images) > SHOWN)
        lines.append(f"{name} {len(images)}" + f": {shown}" * bool(images))
    return lines


def differing(differences: Differences) -> list[Block]:
    changes = [
        Changes("params that differ", [[name, *map(literal, pair)] for name, pair in differences.params.items()]),
        Changes(
            "code and data that differ, by MD5",
            [[name, *(f"{value or 'none':.8}" for value in pair)] for name, pair in differences.files.items()],
        ),
        Changes(
            "packages that differ",
            [[name, *(value or "none" for value in pair)] for name, pair in (differences.packages or {}).items()],
        ),
    ]
    if not any(each.rows for each in changes):
        kinds = "params, code and data" if differences.packages is None else "params, code, data and packages"
        return [Lines([f"{kinds} that differ: none"])]
    return [each for each in changes if each.rows]


def _pairs(different: Mapping[str, Pair]) -> dict[str, dict[str, Any]]:
    return {name: pair._asdict() for name, pair in different.items()}


def _numbers(score: Score) -> dict[str, float | str | None]:
    change = score.change
    low, high = change.interval
    values = {"base": change.base, "new": change.new, "difference": change.difference, "low": low, "high": high}
    values |= {"p_value": inf if score.verdict == UNKNOWN else score.p_value, "smallest": score.smallest}
    known = {name: round(float(value), DECIMALS) if isfinite(value) else None for name, value in values.items()}
    return {"verdict": score.verdict, **known}
