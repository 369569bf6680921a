"""Read, prepare and classify pictures in batches, and write the results.

A picture that can't be read is left out and named at the end. Images are not kept after their batch, unless a figure
needs them.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from core.cli.errors import InputError, Problem, StageError, printable
from core.config import params
from core.files import arrays, atomic
from core.sources.datasets import Invert
from stages.evaluate.prediction import at_once
from stages.normalize import scaling
from stages.render import duplicates
from tools import pipeline
from tools.predict import classify, inputs, sources
from tools.predict.formats import FORMATS, TRAINED, Batches, Result
from tools.predict.preparing import Prepared

MOST_DRAWN = 60  # pictures in one figure

Read = Callable[[str], Prepared]


def run(images: list[str], format: str, invert: Invert | None, show_input: Path | None, figure: Path | None) -> None:
    """Classify pictures and print the results. Raises StageError at the end with all pictures that can't be read."""
    names, problems, left_out = sources.listed(images)
    if figure and len(names) > MOST_DRAWN:
        expected, fix = f"at most {MOST_DRAWN}", "give fewer pictures, or leave --figure out"
        raise InputError(Problem("--figure", "too many pictures", expected=expected, got=str(len(names)), fix=fix))
    batch_size = params.section(params.Evaluate).batch_size
    ensemble = classify.load()
    batch_size = at_once(ensemble.shape, batch_size)
    read = _reader(names, ensemble, invert)
    known = _training_digests() if format == "text" and len(names) > 1 else set()
    unread: list[Problem] = []
    drawn: list[Result] = []

    def results() -> Batches:
        numbers = count(1)
        for batch in _prepared(progress, read, batch_size, unread):
            found = classify.results(ensemble, batch)
            if show_input:
                for result in found:
                    atomic.write_bytes(show_input / _file_name(next(numbers), result.name), inputs.png(result.values))
            if figure:
                drawn.extend(found)
            yield _noted(found, known) if known else found

    with tqdm(names, unit=" pictures", leave=False, disable=None) as progress:  # None: on a terminal only
        for text in FORMATS[format](results(), ensemble.classes, len(ensemble.networks)):
            tqdm.write(text, end="")  # above the progress bar
    if figure and drawn:
        from tools.predict import figure as figures  # matplotlib takes half a second to start

        atomic.write_bytes(figure, figures.png(drawn, ensemble.classes, ensemble.reference.framing))
    if format == "text" and len(names) - len(unread) > 1:
        print("\n".join(_ending(figure, len(names), len(unread))))
    for line in left_out:
        print(line, file=sys.stderr)
    if problems or unread:
        raise StageError(*problems, *unread)


def _ending(figure: Path | None, asked: int, unread: int) -> Iterator[str]:
    """Yield the lines below the summary: what is missing in it, and what to do next."""
    if unread:
        yield f"{unread:,} of {asked:,} pictures could not be read; the errors below name them"
    if figure:
        yield f"drawn beside their probabilities: {figure}"
    elif asked <= MOST_DRAWN:
        yield "to draw them beside their probabilities, add --figure out.png"
    else:
        yield "for a table of all results, add --format csv"


def _reader(names: Sequence[str], ensemble: classify.Ensemble, invert: Invert | None) -> Read:
    """Return the function that reads a picture by its name and makes the networks' input of it."""
    preparation = inputs.preparation(ensemble, invert)
    numbers = {name: number for name in names if (number := sources.test_image(name)) is not None}
    tests = inputs.test_images(numbers)
    return lambda name: tests[name] if name in tests else preparation(sources.read(name))


def _prepared(
    names: Iterable[str], read: Read, batch_size: int, unread: list[Problem]
) -> Iterator[list[tuple[str, Prepared]]]:
    """Yield pictures with their names, in batches. Adds the problems of other pictures to `unread`."""
    batch = []
    for name in names:
        try:
            batch.append((name, read(name)))
        except StageError as error:
            unread.extend(error.problems)
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _training_digests() -> set[bytes]:
    """Return a digest of each training image, if the workspace has them."""
    path = pipeline.path("train") / "images.npy"
    if not path.exists():
        return set()
    return set(duplicates.digests(arrays.read_images(path)))


def _noted(results: Sequence[Result], known: set[bytes]) -> list[Result]:
    """Add a note to each result whose input equals a training image, pixel for pixel."""
    digests = duplicates.digests(scaling.scale(np.stack([result.values for result in results])))
    return [
        result._replace(notes=(*result.notes, TRAINED)) if digest in known else result
        for result, digest in zip(results, digests, strict=True)
    ]


def _file_name(number: int, name: str) -> str:
    """Return a numbered name, because names of pictures may be equal."""
    stem = "stdin" if name == sources.STDIN else Path(name).stem
    return f"{number:05}_{re.sub(r'[^A-Za-z0-9.-]', '_', printable(stem))[:100]}.png"
