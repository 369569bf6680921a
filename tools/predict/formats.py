"""Results as text for a terminal of 80 columns, and as JSON and CSV for programs.

Each format takes results in batches and keeps none of their images. JSON and CSV are yielded batch by batch. Text is
yielded at the end: notes that most pictures share are printed once, below all pictures.
"""

import csv
import io
import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.cli.errors import printable
from core.scores.tables import inert

WIDTH = 80
COLUMNS = ["file", "class", "probability", "runner-up", "agreement"]
CSV_COLUMNS = ["file", "class", "probability", "runner_up", "runner_up_probability", "agreement", "networks"]
CSV_COLUMNS += ["distance", "unlike_training", "notes"]
MOST_CLASSES = 20  # in a summary

UNLIKE = "unlike the training images (out of distribution): do not rely on the class"
BLANK = "nothing stands out from the background: the class means nothing"
SHADOWED = "the edge of a shadow crosses the picture: do not rely on the class"
TRAINED = "a training image, pixel for pixel: a correct class means little"
FLAGS = (UNLIKE, BLANK, SHADOWED, TRAINED)  # notes that are printed below each picture, unless all have them


class Result(NamedTuple):
    """The classification of one picture.

    values: the networks' input, uint8 (height, width) or (height, width, 3). probabilities: float32 (classes,), mean of
    the networks. votes: integer (classes,), how many networks predict each class. distance: the out-of-distribution
    score, below 1 for 99 % of the training images. notes: what was done to the picture, as phrases. A detail of one
    picture is in brackets at the end of its note.
    """

    name: str
    values: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray
    distance: float
    notes: tuple[str, ...]

    @property
    def ranking(self) -> list[int]:
        """The classes, the most probable class first."""
        return np.argsort(-self.probabilities, kind="stable").tolist()

    @property
    def agreement(self) -> int:
        """How many networks predict the most probable class."""
        return int(self.votes[self.ranking[0]])

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and the warning if the picture is unlike the training images."""
        return (*self.notes, UNLIKE) if self.unlike else self.notes

    @property
    def unlike(self) -> bool:
        """Whether the picture is unlike the training images."""
        return self.distance > 1


Batches = Iterable[Sequence[Result]]


class _Row(NamedTuple):
    """A picture without its image. cells: of all columns. label: the index of its class."""

    cells: list[str]
    label: int
    notes: tuple[str, ...]


def text(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield lines of at most 80 columns, unless the name of a file or a class is longer.

    The notes of a single picture are below its line. If there are several pictures, a note that more than half of them
    have is printed once, in a summary at the end.
    """
    names = list(map(printable, classes))
    rows = [_row(result, names, networks) for batch in batches for result in batch]
    if not rows:
        return
    longest = max(map(len, names))
    widths = [longest, 0, longest + len(" <0.0001"), len(f"{networks} of {networks}")]
    widths = [max(width, len(column)) for width, column in zip(widths, COLUMNS[1:], strict=True)]
    widths = [max(WIDTH - sum(widths) - 2 * len(widths), len(COLUMNS[0])), *widths]
    kinds = Counter(kind for row in rows for kind in dict.fromkeys(map(_kind, row.notes)))
    shared, folder = set[str](), ""
    if len(rows) > 1:
        shared = {kind for kind, n in kinds.items() if n == len(rows) or (2 * n > len(rows) and kind not in FLAGS)}
        folder = _common_folder([row.cells[0] for row in rows], widths[0])
    if folder:
        yield f"in {folder}:\n"
    yield _line(COLUMNS, widths)
    for row in rows:
        name, *cells = row.cells
        yield _line([name.removeprefix(folder), *cells], widths)
        notes = [note for note in row.notes if _kind(note) not in shared]
        done = "; ".join(note for note in notes if note not in FLAGS)
        for note in filter(None, [done, *(flag for flag in FLAGS if flag in notes)]):
            yield _wrapped(note, "  ")
    if len(rows) > 1:
        yield "\n" + "".join(_wrapped(line, "") for line in _summary(rows, names, kinds, shared))


def as_json(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield a list of objects, each on a line. An infinite distance is null."""
    lead = "[\n"
    for batch in batches:
        for result in batch:
            yield lead + json.dumps(_object(result, classes, networks), allow_nan=False)
            lead = ",\n"
    yield "\n]\n" if lead != "[\n" else "[]\n"


def as_csv(batches: Batches, classes: Sequence[str], networks: int) -> Iterator[str]:
    """Yield a table with a header. No name in it is a formula for a spreadsheet, or steers a terminal."""
    names = [inert(printable(name)) for name in classes]
    yield ",".join(CSV_COLUMNS) + "\n"
    for batch in batches:
        stream = io.StringIO()
        rows = (_record(_object(result, names, networks)) for result in batch)
        csv.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n").writerows(rows)
        yield stream.getvalue()


FORMATS = {"text": text, "json": as_json, "csv": as_csv}


def _row(result: Result, names: Sequence[str], networks: int) -> _Row:
    first, *others = result.ranking
    probability = result.probabilities
    runner_up = f"{names[others[0]]} {decimals(probability[others[0]])}" if others else ""
    agreement = f"{result.agreement} of {networks}"
    cells = [printable(result.name), names[first], decimals(probability[first]), runner_up, agreement]
    return _Row(cells, first, result.remarks)


def _common_folder(names: Sequence[str], width: int) -> str:
    """Return the folder of all files, with a / at its end, if a name is too long for its column."""
    if max(map(len, names)) <= width:
        return ""
    start = os.path.commonprefix(names)  # noqa: RUF071 - commonpath would change names that are no paths
    return start[: start.rfind(os.sep) + 1]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, label, probability, *others = map(str.ljust, cells, widths)
    # A longer name has a line of its own: two names that are cut might look the same.
    name = f"{name}\n{' ' * widths[0]}" if len(name) > widths[0] else name
    return "  ".join([name, label, probability.strip().rjust(widths[2]), *others]).rstrip() + "\n"


def _summary(rows: Sequence[_Row], names: Sequence[str], kinds: Counter[str], shared: set[str]) -> Iterator[str]:
    """Yield the number of pictures of each class, with each shared note, and with each flag."""
    total = len(rows)
    classes = Counter(row.label for row in rows).most_common()
    counts = [f"{count:,} {names[label]}" for label, count in classes[:MOST_CLASSES]]
    if others := sum(count for _, count in classes[MOST_CLASSES:]):
        counts.append(f"{others:,} of other classes")
    yield f"{total:,} pictures: {', '.join(counts)}"
    for kind, count in kinds.most_common():
        if kind in shared or kind in FLAGS:
            notes = {note for row in rows for note in row.notes if _kind(note) == kind}
            share = f"all {total:,}" if count == total else f"{count:,} of {total:,}"
            yield f"{share}: {notes.pop() if len(notes) == 1 else kind}"
    if not kinds[UNLIKE]:
        yield "no picture is unlike the training images"


def _kind(note: str) -> str:
    """Return a note without the detail in brackets, which differs from picture to picture."""
    return note if note in FLAGS else note.partition(" (")[0]


def _wrapped(line: str, indent: str) -> str:
    return textwrap.fill(printable(line), WIDTH, initial_indent=indent, subsequent_indent="  ") + "\n"


def decimals(probability: float) -> str:
    """Return a probability with four decimals, but 1 and 0 only if they are exact."""
    if 0.99995 <= probability < 1:
        return ">0.9999"
    return "<0.0001" if 0 < probability < 0.00005 else f"{probability:.4f}"


def _object(result: Result, classes: Sequence[str], networks: int) -> dict[str, Any]:
    first, *others = result.ranking
    # The shortest decimals that are these float32 numbers and no others.
    probabilities = [float(str(each)) for each in result.probabilities]
    return {
        "file": result.name,
        "class": classes[first],
        "probability": probabilities[first],
        "runner_up": classes[others[0]] if others else None,
        "runner_up_probability": probabilities[others[0]] if others else None,
        "agreement": result.agreement,
        "networks": networks,
        "distance": round(result.distance, 4) if np.isfinite(result.distance) else None,
        "unlike_training": result.unlike,
        "notes": list(result.notes),
        "probabilities": dict(zip(classes, probabilities, strict=True)),
    }


def _record(found: dict[str, Any]) -> dict[str, Any]:
    file, unlike = inert(printable(found["file"])), str(found["unlike_training"]).lower()
    return found | {"file": file, "unlike_training": unlike, "notes": "; ".join(found["notes"])}
