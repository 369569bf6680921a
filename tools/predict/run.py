"""The pictures asked for, in batches: read, prepared, classified, printed, written and drawn as it was asked.

What can't be read is left out and named at the end; nothing but its name is kept of a picture that has been printed.
"""

import argparse
import io
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from stages import arrays, atomic, datasets, params, pictures
from stages.command import InputError, Problem, StageError, printable
from stages.normalize import scaling
from tools.predict import classify, sources
from tools.predict.formats import FORMATS, Batches, Result
from tools.predict.preparing import Prepared, as_pictured, prepare

TEST = Path("data/normalized/test/images.npy")
MOST_DRAWN = 60  # pictures in one figure


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for. Raises StageError at the end, with all pictures that could not be read."""
    names, problems = sources.listed(options.images)
    if options.figure and len(names) > MOST_DRAWN:
        fix = "name fewer of them, or leave --figure out"
        raise InputError(Problem("--figure", "too many pictures", fix, f"at most {MOST_DRAWN}", str(len(names))))
    batch_size = params.section(params.Evaluate).batch_size
    ensemble = classify.load()
    preparation = _preparation(ensemble, options.invert)
    tests = _test_images(names, ensemble.shape)
    drawn: list[Result] = []
    with tqdm(total=len(names), unit=" pictures", leave=False, disable=None) as bar:  # on a terminal alone

        def read(name: str) -> Prepared | None:
            bar.update()
            try:
                return tests[name] if name in tests else preparation(sources.read(name))
            except StageError as error:
                problems.extend(error.problems)
                return None

        batches = _classified(names, read, ensemble, batch_size)
        if options.show_input:
            batches = _written(batches, options.show_input)
        if options.figure:
            batches = _kept(batches, drawn)
        for text in FORMATS[options.format](batches, ensemble.classes, len(ensemble.networks)):
            tqdm.write(text, end="")  # above the bar
    if drawn:
        from tools.predict import figure  # matplotlib takes half a second to start

        atomic.write_bytes(options.figure, figure.png(drawn, ensemble.classes))
    if problems:
        raise StageError(*problems)


def _classified(
    names: Sequence[str], read: Callable[[str], Prepared | None], ensemble: classify.Ensemble, batch_size: int
) -> Batches:
    """Yield the results of so many names at once, those apart of which nothing could be read."""
    for start in range(0, len(names), batch_size):
        batch = [(name, prepared) for name in names[start : start + batch_size] if (prepared := read(name))]
        if batch:
            answers = classify.classify(ensemble, scaling.scale(np.stack([prepared.values for _, prepared in batch])))
            yield [
                Result(name, prepared.values, probabilities, int(agreement), float(distance), prepared.notes)
                for (name, prepared), probabilities, agreement, distance in zip(batch, *answers, strict=True)
            ]


def _written(batches: Batches, folder: Path) -> Batches:
    """Yield the batches, what the networks were given of them written to a folder: numbered, as names may be equal."""
    numbers = count(1)
    for batch in batches:
        for result, number in zip(batch, numbers, strict=False):
            atomic.write_bytes(folder / _file_name(number, result.name), _png(result.values))
        yield batch


def _kept(batches: Batches, results: list[Result]) -> Batches:
    for batch in batches:
        results.extend(batch)
        yield batch


def _test_images(names: Sequence[str], shape: tuple[int, int]) -> Mapping[str, Prepared]:
    """Return the test images among `names`. Raises InputError where there are none of these numbers."""
    numbers = {name: number for name in names if (number := sources.test_image(name)) is not None}
    if not numbers:
        return {}
    if not TEST.exists():
        raise InputError(Problem(str(TEST), "not there: the pipeline has to run first", "dvc repro"))
    images = arrays.read(TEST, np.float32, 3)
    if images.shape[1:] != shape:
        what = "of another size than the networks take"
        raise InputError(Problem(str(TEST), what, "dvc repro", f"{shape}", f"{images.shape[1:]}"))
    beyond = [
        Problem(name, "no such test image", "name another one", f"0 to {len(images) - 1}", str(number))
        for name, number in numbers.items()
        if number >= len(images)
    ]
    if beyond:
        raise InputError(*beyond)
    return {name: Prepared(np.rint(images[number] * 255).astype(np.uint8), ()) for name, number in numbers.items()}


def _preparation(ensemble: classify.Ensemble, invert: pictures.Invert | None) -> Callable[[pictures.Picture], Prepared]:
    """Return what brings a picture to the networks: what was done to the training images, where these were pictures.

    Raises InputError where the data set of params.yaml can't be theirs.
    """
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    if not isinstance(entry, datasets.Pictured):
        return lambda picture: prepare(picture, ensemble.shape, ensemble.typical.framing, invert or "auto")
    if tuple(entry.image_shape) != ensemble.shape:
        what, got = "of another image_shape than the networks take", f"{tuple(entry.image_shape)} of {name}"
        raise InputError(Problem("params.yaml: dataset.name", what, "dvc repro", f"{ensemble.shape}", got))
    asked = entry.model_copy(update={"invert": invert or entry.invert})
    return lambda picture: as_pictured(picture, asked)


def _file_name(number: int, name: str) -> str:
    last = "stdin" if name == sources.STDIN else Path(name).stem
    return f"{number:05}_{re.sub(r'[^A-Za-z0-9.-]', '_', printable(last))[:100]}.png"


def _png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()
