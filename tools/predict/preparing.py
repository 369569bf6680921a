"""From any picture to what networks saw in training: grey, with the background, the size and the place of those images.

A picture that has their size and is framed and lit as they are is taken as it is, so that one of theirs comes through
byte for byte. Where they were pictures themselves, what was done to those is done to it, and no more.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from core.config import datasets
from core.formats import image_file
from stages.download import conversion
from stages.evaluate import framing
from stages.evaluate.framing import Framing
from tools.predict import subject
from tools.predict.formats import BLANK, SHADOWED

LIGHT = 230  # what is lighter can't be seen on white


class Prepared(NamedTuple):
    """values: uint8 (height, width). notes: what was done to come by them, as phrases to print."""

    values: np.ndarray
    notes: tuple[str, ...]


def prepare(picture: image_file.Picture, shape: tuple[int, int], like: Framing, invert: image_file.Invert) -> Prepared:
    """Return a picture as the training images are: of height and width `shape`, framed and lit as `like` says."""
    grey, notes = _opaque(picture, like.background, invert)
    if grey.shape == shape:
        for done in {"auto": (False, True), "no": (False,), "yes": (True,)}[invert]:
            values = 255 - grey if done else grey
            if framing.fits(values, like):
                return Prepared(values, (*notes, *_inverted(done, invert, like), *_blank(values)))
    if not like.plain:  # nothing tells what of a picture is its background
        done = invert == "yes"
        values = image_file.fitted(255 - grey if done else grey, shape)
        return Prepared(values, (*notes, *_inverted(done, invert, like), *_blank(values)))
    found = subject.find(grey, None if invert == "auto" else like.lighter == (invert == "yes"))
    if found is None:
        return Prepared(np.full(shape, like.background, np.uint8), (*notes, BLANK))
    notes = (*notes, *_inverted(found.dark == like.lighter, invert, like))
    if found.size != grey.shape:
        notes = (*notes, f"trimmed to the subject ({_size(found.size)} of {_size(grey.shape)})")
    return Prepared(_placed(found.strength, shape, like), (*notes, *([SHADOWED] if found.shadowed else [])))


def as_pictured(picture: image_file.Picture, entry: datasets.Pictured) -> Prepared:
    """Return a picture as those of a folder come into its data set."""
    grey = image_file.grey(picture.image, entry.background)
    values, done = conversion.adapted(grey, entry)
    seen_through = (grey != image_file.grey(picture.image, 255 - entry.background)).any()
    laid = [f"what is transparent laid on {entry.background} of 255"] if seen_through else []
    return Prepared(values, (*picture.notes, *laid, done, *_blank(values)))


def _placed(strength: np.ndarray, shape: tuple[int, int], like: Framing) -> np.ndarray:
    """Return float32 (height, width) in [0, 1] as grey values, uint8 of `shape`: as large as the subjects of training
    images and never stretched, its box or its centre of mass where theirs are.
    """
    scale = min(like.extent * whole / side for whole, side in zip(shape, strength.shape, strict=True))
    height, width = (max(1, round(side * scale)) for side in strength.shape)
    inner = np.asarray(Image.fromarray(strength).resize((width, height), Image.Resampling.BILINEAR))
    centre = framing.centre_of_mass(inner[None])[0] if like.centring == "mass" else (0.5, 0.5)
    starts = [
        min(max(round(place * whole - own * side), 0), whole - side)
        for place, whole, own, side in zip(like.centre, shape, centre, inner.shape, strict=True)
    ]
    canvas = np.zeros(shape)
    canvas[starts[0] : starts[0] + height, starts[1] : starts[1] + width] = inner
    return np.rint(like.background + canvas * (like.subject - like.background)).astype(np.uint8)


def _opaque(
    picture: image_file.Picture, background: int, invert: image_file.Invert
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a picture's grey values, what is transparent laid on black or white, and the notes on it so far.

    Most such pictures are made for white pages; but what is nearly white itself would not be seen there. Where it was
    said whether to invert, the ground is the one that becomes the background of the training images.
    """
    on_black = image_file.grey(picture.image, 0)
    if not picture.image.has_transparency_data:
        return on_black, picture.notes
    on_white = image_file.grey(picture.image, 255)
    shown = on_white[on_white - on_black < 128]  # no ground is darker on white than on black
    if (on_white == on_black).all():
        return on_black, picture.notes
    white = np.median(shown) <= LIGHT if len(shown) else True
    if invert != "auto":
        white = (background > 127) != (invert == "yes")
    note = f"what is transparent laid on {'white' if white else 'black'}"
    return on_white if white else on_black, (*picture.notes, note)


def _inverted(done: bool, invert: image_file.Invert, like: Framing) -> list[str]:
    kind = "light on dark" if like.lighter else "dark on light"
    why = f"as the training images are {kind}" if invert == "auto" else f"as invert is {invert}"
    return [f"inverted, {why}"] if done else []


def _blank(values: np.ndarray) -> list[str]:
    """Return a note where a picture shows nothing: some networks find that quite like what they were trained on."""
    ground = image_file.border(values)
    stands_out = max(int(values.max()) - ground, ground - int(values.min())) > image_file.STANDS_OUT
    return [] if stands_out else [BLANK]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
