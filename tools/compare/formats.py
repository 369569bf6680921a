"""A comparison as text for a terminal of 80 columns, as Markdown for a pull request, as JSON for programs."""

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

from core.cli.errors import printable
from core.scores.scores import DECIMALS
from stages.render import markdown as md
from tools.compare.comparison import BETTER, NO_EVIDENCE, UNKNOWN, WORSE, Comparison, Score
from tools.compare.differences import Differences, Pair

COLUMNS = ["base", "new", "change", "95 % interval", "verdict"]
SHOWN = 10  # images of a kind; JSON has them all
WIDTH, NAME_WIDTH = 80, 22
UNITS = "Accuracy and recall are in %, their changes in points (1 point: 1 % of the images). The loss is in nats."
MEANING = {
    "recipes": (
        "Each interval covers the noise of other seeds and of other test images. The verdicts on classes use Holm's "
        "correction for several classes. So an interval without 0 may have the verdict no evidence."
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
IMAGES = {
    "recipes": "Test images that most networks of one side alone get right; the largest change first:",
    "networks": "Test images that one of the two networks alone gets right:",
}

Rows = Iterable[Sequence[str]]


def text(comparison: Comparison, differences: Differences) -> str:
    """Return lines of at most 80 columns, except for long names of params and files."""
    blocks = [
        wrapped(_headlines(comparison)),
        wrapped(_sides(comparison, differences.sides)),
        *(aligned([title, *COLUMNS], rows) for title, rows in _tables(comparison)),
        wrapped([f"{UNITS} {MEANING[comparison.covers]}"]),
        wrapped([*_images(comparison), *comparison.notes]),
    ]
    for title, rows in _differing(differences):
        blocks.append("\n".join([title, *(printable(f"  {name}: {base} -> {new}") for name, base, new in rows)]))
    return "\n\n".join(filter(None, blocks)) + "\n"


def markdown(comparison: Comparison, differences: Differences) -> str:
    """Return Markdown (CommonMark with GitHub's tables); no name in it can add markup."""
    blocks = [
        *(f"**{md.escape(line)}**" for line in _headlines(comparison)),
        *map(md.escape, _sides(comparison, differences.sides)),
        *(table([title, *COLUMNS], rows) for title, rows in _tables(comparison)),
        md.escape(f"{UNITS} {MEANING[comparison.covers]}"),
        *map(md.escape, [*_images(comparison), *comparison.notes]),
        *(table([title, "base", "new"], rows) if rows else title for title, rows in _differing(differences)),
    ]
    return "\n\n".join(blocks) + "\n"


def as_json(comparison: Comparison, differences: Differences) -> str:
    """Return JSON: shares in [0, 1], all images that changed, MD5s in full; null for an unknown number."""
    value = comparison._asdict() | {
        "sides": differences.sides._asdict(),
        "replicates": Pair(*comparison.replicates)._asdict(),
        "accuracy": _numbers(comparison.accuracy),
        "loss": _numbers(comparison.loss),
        "recalls": {name: _numbers(score) for name, score in comparison.recalls.items()},
        "params": _pairs(differences.params),
        "files": _pairs(differences.files),
        "packages": None if differences.packages is None else _pairs(differences.packages),
    }
    return json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Comparison, Differences], str]] = {"text": text, "md": markdown, "json": as_json}


def _headlines(comparison: Comparison) -> list[str]:
    lines = [_sentence("accuracy", comparison.accuracy), _sentence("loss", comparison.loss)]
    found = {v: [n for n, score in comparison.recalls.items() if score.verdict == v] for v in (BETTER, WORSE)}
    classes = [f"{verdict} for {', '.join(names)}" for verdict, names in found.items() if names]
    if classes:
        lines.append(f"Recall is {'; '.join(classes)}.")
    elif comparison.covers != "nothing":
        lines.append(f"{NO_EVIDENCE.capitalize()} of a change in the recall of any class.")
    if comparison.covers == "networks":
        lines.insert(0, "One network is compared with one network; this says nothing about their recipes:")
    return lines


def _sentence(name: str, score: Score) -> str:
    _, _, change, interval, verdict = _cells(name, score)
    unit = "" if name == "loss" else " points"
    if verdict == UNKNOWN:
        return f"{name.capitalize()} {change}{unit}: whether this is chance is {UNKNOWN}."
    if verdict == NO_EVIDENCE:
        return f"{NO_EVIDENCE.capitalize()} of a change in {name}: {change}{unit} (95 %: {interval})."
    return f"{name.capitalize()} is {verdict}: {change}{unit} (95 %: {interval})."


def _sides(comparison: Comparison, names: Pair) -> list[str]:
    counts = [f"{count} replicate{'s' if count != 1 else ''}" for count in comparison.replicates]
    if comparison.covers == "networks":
        counts = [f"network 0 of {count}" for count in counts]
    lines = [f"base: {names.base}, {counts[0]}", f"new: {names.new}, {counts[1]}"]
    scored = [f"Both were scored on the same {comparison.images:,} test images."] if comparison.images else []
    return lines + scored


def _tables(comparison: Comparison) -> list[tuple[str, list[list[str]]]]:
    scores = {"accuracy": comparison.accuracy, "loss": comparison.loss}
    return [
        ("score", [[name, *_cells(name, score)] for name, score in scores.items()]),
        ("recall", [[name, *_cells("recall", score)] for name, score in comparison.recalls.items()]),
    ]


def _cells(kind: str, score: Score) -> list[str]:
    """Return a row below COLUMNS: a loss in nats, a share in percent."""
    factor, digits = (1, 4) if kind == "loss" else (100, 2)
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


def _differing(differences: Differences) -> list[tuple[str, list[list[str]]]]:
    """Return titles and rows: name, base, new."""
    titled = {
        "params that differ": [[name, *map(literal, pair)] for name, pair in differences.params.items()],
        "code and data that differ, by MD5": [
            [name, *(f"{value or 'none':.8}" for value in pair)] for name, pair in differences.files.items()
        ],
        "packages that differ": [
            [name, *(value or "none" for value in pair)] for name, pair in (differences.packages or {}).items()
        ],
    }
    if not any(titled.values()):
        kinds = "params, code and data" if differences.packages is None else "params, code, data and packages"
        return [(f"{kinds} that differ: none", [])]
    return [(title, rows) for title, rows in titled.items() if rows]


def literal(value: Any) -> str:
    """Return the value of a param as JSON, None if there is no such param."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _pairs(different: Mapping[str, Pair]) -> dict[str, dict[str, Any]]:
    return {name: pair._asdict() for name, pair in different.items()}


def _numbers(score: Score) -> dict[str, float | str | None]:
    change = score.change
    low, high = change.interval
    values = {"base": change.base, "new": change.new, "difference": change.difference, "low": low, "high": high}
    values["p_value"] = inf if score.verdict == UNKNOWN else score.p_value
    known = {name: round(float(value), DECIMALS) if isfinite(value) else None for name, value in values.items()}
    return {"verdict": score.verdict, **known}


def wrapped(lines: Iterable[str]) -> str:
    """Return lines of at most WIDTH columns."""
    return "\n".join(textwrap.fill(printable(line), WIDTH) for line in lines)


def aligned(columns: Sequence[str], rows: Rows) -> str:
    """Return a table; its first and its last column are aligned left.

    A name that is too long for its column is not cut, as two names may begin alike. It has its own lines above the row.
    """
    lines = []
    for first, *rest in [columns, *rows]:
        name = printable(first)
        if len(name) > NAME_WIDTH:
            lines += [[part] for part in textwrap.wrap(name, WIDTH)]
            name = ""
        lines.append([name, *rest])
    widths = [max(map(len, column)) for column in zip(*(line for line in lines if len(line) > 1), strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in (0, len(widths) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        for line in lines
    )


def table(columns: Sequence[str], rows: Rows) -> str:
    """Return a table in Markdown; no cell can add markup."""
    lines = [map(md.escape, columns), ["---"] * len(columns), *(map(md.escape, row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
