"""The pictures asked for, in batches: read, prepared, classified, printed, written and drawn as it was asked.

What can't be read is left out and named at the end. No image is kept of a picture that was classified, unless a figure
is drawn of it.
"""

import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from core.cli.errors import InputError, Problem, StageError, printable
from core.config import datasets, params
from core.files import arrays, atomic
from core.formats import image_file
from core.formats.image_file import Invert
from stages.normalize import scaling
from stages.render import duplicates
from tools.predict import classify, formats, sources
from tools.predict.formats import FORMATS, Batches, Result
from tools.predict.preparing import Prepared, as_pictured, prepare

TRAIN, TEST = Path("data/normalized/train/images.npy"), Path("data/normalized/test/images.npy")
MOST_DRAWN = 60  # pictures in one figure


def run(
    images: list[str], format: str, invert: Invert | None, show_input: Path | None, figure_path: Path | None
) -> None:
    """Do what the command line asks for. Raises StageError at the end, with all pictures that could not be read."""
    names, problems, left_out = sources.listed(images)
    beforehand = len(problems)
    if figure_path and len(names) > MOST_DRAWN:
        fix = "name fewer of them, or leave --figure out"
        raise InputError(
            Problem("--figure", "too many pictures", expected=f"at most {MOST_DRAWN}", got=str(len(names)), fix=fix)
        )
    batch_size = params.section(params.Evaluate).batch_size
    ensemble = classify.load()
    preparation = _preparation(ensemble, invert)
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
        if show_input:
            batches = _written(batches, show_input)
        if figure_path:
            batches = _kept(batches, drawn)
        lines = FORMATS[format]
        if format == "text":
            lines = partial(formats.text, trained=_training_images)
        for text in lines(batches, ensemble.classes, len(ensemble.networks)):
            tqdm.write(text, end="")  # above the bar
    if figure_path and drawn:
        from tools.predict import figure  # matplotlib takes half a second to start

        atomic.write_bytes(figure_path, figure.png(drawn, ensemble.classes))
    unread = len(problems) - beforehand
    if format == "text" and len(names) - unread > 1:
        print("\n".join(_ending(figure_path, show_input, len(names), unread)))
    for line in left_out:
        print(line, file=sys.stderr)
    if problems:
        raise StageError(*problems)


def _ending(figure_path: Path | None, show_input: Path | None, asked: int, unread: int) -> Iterator[str]:
    """Yield what to say after the summary: what is missing in it, and what to do next."""
    if unread:
        yield f"{unread:,} of {asked:,} could not be read, and are named below"
    if figure_path:
        yield f"drawn beside their probabilities: {figure_path}"
    elif asked <= MOST_DRAWN:
        yield "to see them beside their probabilities: add --figure out.png"
    else:
        yield "to have all that was found of each, as a table: add --format csv"


def _training_images(digests: set[bytes]) -> set[bytes]:
    """Return those of the digests that training images have, if these are there."""
    if not TRAIN.exists():
        return set()
    blocks = arrays.blocks(arrays.read(TRAIN, np.float32, 3))
    return {known for block in blocks for known in digests.intersection(duplicates.digests(block))}


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
        raise InputError(Problem(str(TEST), "not there: the pipeline has to run first", fix="dvc repro"))
    images = arrays.read(TEST, np.float32, 3)
    if images.shape[1:] != shape:
        what = "of another size than the networks take"
        raise InputError(Problem(str(TEST), what, expected=f"{shape}", got=f"{images.shape[1:]}", fix="dvc repro"))
    beyond = [
        Problem(name, "no such test image", expected=f"0 to {len(images) - 1}", got=str(number), fix="name another one")
        for name, number in numbers.items()
        if number >= len(images)
    ]
    if beyond:
        raise InputError(*beyond)
    return {name: Prepared(np.rint(images[number] * 255).astype(np.uint8), ()) for name, number in numbers.items()}


def _preparation(
    ensemble: classify.Ensemble, invert: image_file.Invert | None
) -> Callable[[image_file.Picture], Prepared]:
    """Return what brings a picture to the networks: what was done to the training images, where these were pictures.

    Raises InputError where the data set of params.yaml can't be theirs.
    """
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    if not isinstance(entry, datasets.Pictured):
        return lambda picture: prepare(picture, ensemble.shape, ensemble.typical.framing, invert or "auto")
    if tuple(entry.image_shape) != ensemble.shape:
        what, got = "of another image_shape than the networks take", f"{tuple(entry.image_shape)} of {name}"
        raise InputError(
            Problem("params.yaml: dataset.name", what, expected=f"{ensemble.shape}", got=got, fix="dvc repro")
        )
    asked = entry.model_copy(update={"invert": invert or entry.invert})
    return lambda picture: as_pictured(picture, asked)


def _file_name(number: int, name: str) -> str:
    last = "stdin" if name == sources.STDIN else Path(name).stem
    return f"{number:05}_{re.sub(r'[^A-Za-z0-9.-]', '_', printable(last))[:100]}.png"


def _png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()
