"""What was found of pictures, as text for a terminal of 80 columns, as JSON and CSV for programs.

Each format takes batches of results, and keeps no image of them. JSON and CSV are yielded as the batches come. The text
is yielded at the end, as it says what holds for most pictures once, and for each picture only what is unusual.
"""

import csv
import io
import json
import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np

from core.cli.errors import printable
from core.scores.tables import inert
from stages.normalize import scaling
from stages.render import duplicates

WIDTH = 80
COLUMNS = ["file", "class", "probability", "runner-up", "agreement"]
CSV_COLUMNS = ["file", "class", "probability", "runner_up", "runner_up_probability", "agreement", "networks"]
CSV_COLUMNS += ["distance", "unlike_training", "notes"]
DECIMALS = 4  # of a distance in files
UNLIKE = "unlike the training images: its class says little"
TRAINED = "one of the training images, pixel for pixel: a right class says little"
BLANK = "nothing stands out from the background: its class says nothing"
SHADOWED = "light and shadow meet in it: its class says little"
FLAGS = {  # what is said of each picture, and in the summary
    UNLIKE: "unlike the training images, so that their classes say little",
    BLANK: "nothing stands out from the background, so that their classes say nothing",
    SHADOWED: "light and shadow meet in them, so that their classes say little",
    TRAINED: "training images, pixel for pixel, so that right classes say little",
}
MOST_CLASSES = 20  # counted in a summary, the most frequent ones


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


class _Row(NamedTuple):
    """What is kept of a picture until all are known: its name, its line after the name, the index of its class, its
    notes, and the digest of what the networks were given.
    """

    name: str
    line: str
    label: int
    notes: tuple[str, ...]
    digest: bytes


def text(
    batches: Batches,
    classes: Sequence[str],
    networks: int,
    trained: Callable[[set[bytes]], set[bytes]] = lambda digests: set(),
) -> Iterator[str]:
    """Yield lines of at most 80 columns, but where the name of a file or of a class is long by itself.

    Of one picture, its notes are below its line. Of several, a note that most of them have is said once at the end, in
    a summary. `trained` returns those of some digests, as `duplicates.digests` makes them of float32 in [0, 1], that
    training images have; it is asked once, and about more than one picture.
    """
    names = list(map(printable, classes))
    longest = max(map(len, names))
    widths = [longest, 0, longest + len(" <0.0001"), len(f"{networks} of {networks}")]
    widths = [max(width, len(column)) for width, column in zip(widths, COLUMNS[1:], strict=True)]
    widths = [max(WIDTH - sum(widths) - 2 * len(widths), len(COLUMNS[0])), *widths]
    rows = [row for batch in batches if batch for row in _kept(batch, names, networks, widths)]
    if not rows:
        return
    several = len(rows) > 1
    if several:
        known = trained({row.digest for row in rows})
        rows = [row._replace(notes=(*row.notes, TRAINED)) if row.digest in known else row for row in rows]
    count, kinds = len(rows), Counter(kind for row in rows for kind in dict.fromkeys(map(_kind, row.notes)))
    usual = {kind for kind, held in kinds.items() if held == count or (2 * held > count and kind not in FLAGS)}
    folder = _common_folder([row.name for row in rows], widths[0]) if several else ""
    if folder:
        yield f"in {folder}:\n"
    yield _row(COLUMNS, widths)
    for row in rows:
        yield from _lines(row._replace(name=row.name.removeprefix(folder)), widths[0], usual if several else set())
    if several:
        yield "\n" + "".join(_wrapped(line, "") for line in _summary(rows, names, kinds, usual))


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


def _kept(batch: Sequence[Result], names: Sequence[str], networks: int, widths: Sequence[int]) -> Iterator[_Row]:
    digests = duplicates.digests(scaling.scale(np.stack([result.values for result in batch])))
    for result, digest in zip(batch, digests, strict=True):
        first, *others = result.ranking
        share = result.probabilities
        runner_up = f"{names[others[0]]} {_share(share[others[0]])}" if others else ""
        cells = [names[first], _share(share[first]), runner_up, f"{result.agreement} of {networks}"]
        notes = (*map(sys.intern, result.notes), *([UNLIKE] if result.unlike else []))  # many are equal
        yield _Row(printable(result.name), _row(["", *cells], widths)[widths[0] :], first, notes, digest)


def _common_folder(names: Sequence[str], width: int) -> str:
    """Return the folder that all files are in, with a / at its end, if a name does not fit its column otherwise."""
    if max(map(len, names)) <= width:
        return ""
    start = os.path.commonprefix(names)  # noqa: RUF071 - not commonpath: some names are of no file
    return start[: start.rfind(os.sep) + 1]


def _lines(row: _Row, width: int, usual: AbstractSet[str]) -> Iterator[str]:
    name = row.name
    if len(name) > width:  # cut, two of them might look the same
        yield f"{name}\n"
        name = ""
    yield name.ljust(width) + row.line
    notes = [note for note in row.notes if _kind(note) not in usual]
    done, flags = [note for note in notes if note not in FLAGS], [note for note in notes if note in FLAGS]
    for line in [*(["; ".join(done)] if done else []), *flags]:
        yield _wrapped(line, "  ")


def _summary(rows: Sequence[_Row], names: Sequence[str], kinds: Counter[str], usual: AbstractSet[str]) -> Iterator[str]:
    """Yield how many pictures have which class, which usual note, and which flag."""
    count = len(rows)
    classes = Counter(row.label for row in rows).most_common()
    named = [f"{held:,} {names[label]}" for label, held in classes[:MOST_CLASSES]]
    if others := sum(held for _, held in classes[MOST_CLASSES:]):
        named.append(f"{others:,} of other classes")
    yield f"{count:,} pictures: {', '.join(named)}"
    for kind, held in kinds.most_common():
        if kind in usual and kind not in FLAGS:
            yield f"{_of(held, count)}: {_without_numbers(kind, rows)}"
    for flag, meaning in FLAGS.items():
        if kinds[flag]:
            yield f"{_of(kinds[flag], count)}: {meaning}"
    if not kinds[UNLIKE]:
        yield "none is unlike the training images"


def _of(held: int, count: int) -> str:
    return f"all {count:,}" if held == count else f"{held:,} of {count:,}"


def _kind(note: str) -> str:
    """Return a note without its numbers, which differ from picture to picture."""
    return note if note in FLAGS else re.sub(r"[0-9]+(?:[x.][0-9]+)*", "...", note)


def _without_numbers(kind: str, rows: Sequence[_Row]) -> str:
    """Return what to print of a kind of note: the note, where all are equal, or else what they have in common."""
    notes = {note for row in rows for note in row.notes if _kind(note) == kind}
    return notes.pop() if len(notes) == 1 else re.sub(r" \([^()]*\.\.\.[^()]*\)", "", kind)


def _wrapped(line: str, indent: str) -> str:
    return textwrap.fill(printable(line), WIDTH, initial_indent=indent, subsequent_indent="  ") + "\n"


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
