"""The networks' input: pictures, prepared as the data set of the workspace asks, and test images of the pipeline."""

import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from core.cli.errors import InputError, Problem
from core.config import params
from core.files import arrays
from core.images.decoding import Picture
from core.sources import datasets
from core.sources.datasets import Invert
from tools import pipeline
from tools.predict.classify import Ensemble
from tools.predict.preparing import Prepared, as_downloaded, prepare


def preparation(ensemble: Ensemble, invert: Invert | None) -> Callable[[Picture], Prepared]:
    """Return the function that makes the networks' input of a picture.

    If the training images were made of pictures or are in colour, a picture is prepared as the card of the data set
    says, as they were. Raises InputError if params.yaml names a data set whose images do not fit the networks, or if
    colours are to be inverted.
    """
    name = params.section(params.Dataset).name
    card, shape, like = datasets.load(name), ensemble.shape, ensemble.reference.framing
    if like and not isinstance(card, datasets.FITTED):
        return lambda picture: prepare(picture, (shape[0], shape[1]), like, invert or "auto")
    if card.image_shape and tuple(card.image_shape) != shape:
        what, got = "the networks take images of another shape", f"{tuple(card.image_shape)} of {name}"
        raise InputError(Problem(datasets.PARAM, what, expected=f"{shape}", got=got, fix="dvc repro"))
    if invert == "yes" and not like:
        fix = "leave --invert out"
        raise InputError(Problem("--invert", "colours are never inverted", expected="auto or no", got="yes", fix=fix))
    card = card.model_copy(update={"invert": invert or card.invert})
    return lambda picture: as_downloaded(picture, shape, card)


def test_images(numbers: Mapping[str, int]) -> dict[str, Prepared]:
    """Return the test images of these names and numbers. Raises InputError if one does not exist."""
    if not numbers:
        return {}
    path = pipeline.path("test") / "images.npy"
    if not path.exists():
        raise InputError(Problem(str(path), "missing: the pipeline has to run first", fix="dvc repro"))
    images = arrays.read_images(path)
    expected = f"0 to {len(images) - 1}"
    unknown = [
        Problem(name, "no such test image", expected=expected, got=str(number), fix="give another number")
        for name, number in numbers.items()
        if not 0 <= number < len(images)
    ]
    if unknown:
        raise InputError(*unknown)
    return {name: Prepared(np.rint(images[number] * 255).astype(np.uint8), ()) for name, number in numbers.items()}


def png(values: np.ndarray) -> bytes:
    """Return an image, uint8 (height, width) or (height, width, 3), as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()
