"""What was found of pictures, as text for a terminal of 80 columns, as JSON and CSV for programs.

Each format takes batches of results and yields its text as they come, so that of many pictures a few are in memory.
"""

import csv
import io
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from stages.command import printable
from stages.evaluate.tables import inert

WIDTH = 80
COLUMNS = ["file", "class", "probability", "runner-up", "agreement"]
CSV_COLUMNS = ["file", "class", "probability", "runner_up", "runner_up_probability", "agreement", "networks"]
CSV_COLUMNS += ["distance", "unlike_training", "notes"]
DECIMALS = 4  # of a distance in files


class Result(NamedTuple):
    """One picture. values: uint8 (height, width), as the networks were given it. probabilities: float32 (classes,),
    their mean. agreement: how many of them name the class to which that gives most. distance: from what is typical of
    training images; 99 % of these are below 1. notes: what was done to the picture, as phrases.
    """

    name: str
    values: np.ndarray
    probabilities: np.ndarray
    agreement: int
    distance: float
    notes: tuple[str, ...]

    @property
    def ranking(self) -> list[int]:
        """The classes, the most probable one first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    @property
    def unlike(self) -> bool:
        """Whether the picture is unlike the training images, so that its class says little."""
        return self.distance > 1


Batches = Iterable[Sequence[Result]]


def text(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield lines of at most 80 columns, but where the name of a file or of a class is long by itself."""
    names = list(map(printable, classes))
    longest = max(map(len, names))
    widths = [longest, 0, longest + len(" <0.0001"), len(f"{networks} of {networks}")]
    widths = [max(width, len(column)) for width, column in zip(widths, COLUMNS[1:], strict=True)]
    widths = [max(WIDTH - sum(widths) - 2 * len(widths), len(COLUMNS[0])), *widths]
    yield _row(COLUMNS, widths)
    for batch in batches:
        yield "".join(line for result in batch for line in _lines(result, names, networks, widths))


def as_json(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield a list of objects, each on a line; the distance of what is far beyond all numbers is null."""
    lead = "[\n"
    for batch in batches:
        for result in batch:
            yield lead + json.dumps(_object(result, classes, networks), allow_nan=False)
            lead = ",\n"
    yield "\n]\n" if lead != "[\n" else "[]\n"


def as_csv(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield a table, a header first; no name in it is taken for a formula, or steers a terminal."""
    names = [inert(printable(name)) for name in classes]
    yield _csv([CSV_COLUMNS])
    for batch in batches:
        yield _csv(_record(result, names, networks) for result in batch)


FORMATS: dict[str, Callable[[Batches, Sequence[str], int], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "csv": as_csv,
}


def _lines(result: Result, names: Sequence[str], networks: int, widths: Sequence[int]) -> Iterator[str]:
    first, *others = result.ranking
    share = result.probabilities
    runner_up = f"{names[others[0]]} {_share(share[others[0]])}" if others else ""
    name = printable(result.name)
    if len(name) > widths[0]:  # cut, two of them might look the same
        yield f"{name}\n"
        name = ""
    yield _row([name, names[first], _share(share[first]), runner_up, f"{result.agreement} of {networks}"], widths)
    notes = ["; ".join(result.notes)] if result.notes else []
    if result.unlike:
        times = f"{result.distance:.2g} times" if np.isfinite(result.distance) else "infinitely many times"
        notes.append(
            f"unlike the training images: {times} as far from typical ones as 99 % of those; its class says little"
        )
    for note in notes:
        yield textwrap.fill(printable(note), WIDTH, initial_indent="  ", subsequent_indent="  ") + "\n"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if column == "probability" else cell.ljust(width)
        for cell, width, column in zip(cells, widths, COLUMNS, strict=True)
    ]
    return "  ".join(aligned).rstrip() + "\n"


def _share(probability: float) -> str:
    """Return a probability to four decimals, but never one that is not certain as 1, nor a possible one as 0."""
    if 0.99995 <= probability < 1:
        return ">0.9999"
    return "<0.0001" if 0 < probability < 0.00005 else f"{probability:.4f}"


def _object(result: Result, classes: Sequence[str], networks: int) -> dict[str, object]:
    shares = {name: _exact(share) for name, share in zip(classes, result.probabilities, strict=True)}
    named, *others = (classes[index] for index in result.ranking)
    return {
        "file": result.name,
        "class": named,
        "probability": shares[named],
        "runner_up": others[0] if others else None,
        "runner_up_probability": shares[others[0]] if others else None,
        "agreement": result.agreement,
        "networks": networks,
        "distance": round(result.distance, DECIMALS) if np.isfinite(result.distance) else None,
        "unlike_training": result.unlike,
        "notes": list(result.notes),
        "probabilities": shares,
    }


def _record(result: Result, names: Sequence[str], networks: int) -> list[object]:
    first, *others = result.ranking
    shares = [_exact(share) for share in result.probabilities]
    runner_up = [names[others[0]], shares[others[0]]] if others else ["", ""]
    distance = round(result.distance, DECIMALS) if np.isfinite(result.distance) else ""
    counted = [result.agreement, networks, distance, str(result.unlike).lower()]
    return [inert(printable(result.name)), names[first], shares[first], *runner_up, *counted, "; ".join(result.notes)]


def _exact(share: np.float32) -> float:
    """Return the shortest decimal that is this float32 and no other."""
    return float(str(share))


def _csv(rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
