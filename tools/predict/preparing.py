"""Make the networks' input of any picture: grey, with the background, size and place of the training images.

A picture that has their size and is framed and lit like them is not changed, so that a training image comes through
byte for byte. If the training images were made of pictures or are in colour, a picture is prepared as they were.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from core.images import fitting, pixels
from core.images.decoding import Picture
from core.networks.architectures import Shape
from core.sources.datasets import Described, Invert
from stages.evaluate import framing
from stages.evaluate.framing import Framing
from tools.predict import subject
from tools.predict.formats import BLANK, SHADOWED

LIGHT = 230  # a lighter grey value can't be seen on white


class Prepared(NamedTuple):
    """values: the networks' input, uint8 (height, width) or (height, width, 3). notes: what was done to the picture, as
    phrases.
    """

    values: np.ndarray
    notes: tuple[str, ...]


def prepare(picture: Picture, shape: tuple[int, int], like: Framing, invert: Invert) -> Prepared:
    """Return a picture with the height and width `shape`, framed and lit like the training images."""
    grey, notes = _opaque(picture, like.background, invert)

    def whole(values: np.ndarray, inverted: bool) -> Prepared:
        return Prepared(values, (*notes, *_inverted(inverted, invert, like), *_blank(values)))

    if grey.shape == shape:
        for inverted in {"auto": (False, True), "no": (False,), "yes": (True,)}[invert]:
            values = 255 - grey if inverted else grey
            if framing.fits(values, like):
                return whole(values, inverted)
    if not like.plain:  # nothing tells the background from the subject
        return whole(fitting.fitted(255 - grey if invert == "yes" else grey, shape), invert == "yes")
    found = subject.find(grey, None if invert == "auto" else like.lighter == (invert == "yes"))
    if found is None:
        return Prepared(np.full(shape, like.background, np.uint8), (*notes, BLANK))
    notes = (*notes, *_inverted(found.dark == like.lighter, invert, like))
    if found.size != grey.shape:
        notes = (*notes, f"trimmed to the subject ({_size(found.size)} of {_size(grey.shape)})")
    return Prepared(_placed(found.strength, shape, like), (*notes, *([SHADOWED] if found.shadowed else [])))


def as_downloaded(picture: Picture, shape: Shape, card: Described) -> Prepared:
    """Return a picture as `download` prepares those of a data set."""
    values, notes, _ = fitting.fit(picture, shape, card)
    return Prepared(values, (*notes, *_blank(values)))


def _placed(strength: np.ndarray, shape: tuple[int, int], like: Framing) -> np.ndarray:
    """Return float32 (height, width) in [0, 1] as grey values, uint8 of `shape`.

    The subject gets the typical size and is never stretched. Its box or its centre of mass gets the typical place.
    """
    scale = min(like.extent * whole / side for whole, side in zip(shape, strength.shape, strict=True))
    height, width = (max(1, round(side * scale)) for side in strength.shape)
    inner = np.asarray(Image.fromarray(strength).resize((width, height), Image.Resampling.BILINEAR))
    centre = framing.centre_of_mass(inner[None])[0] if like.centring == "mass" else (0.5, 0.5)
    top, left = (
        min(max(round(place * whole - own * side), 0), whole - side)
        for place, whole, own, side in zip(like.centre, shape, centre, inner.shape, strict=True)
    )
    canvas = np.zeros(shape)
    canvas[top : top + height, left : left + width] = inner
    return np.rint(like.background + canvas * (like.subject - like.background)).astype(np.uint8)


def _opaque(picture: Picture, background: int, invert: Invert) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a picture's grey values, with transparent parts laid on black or white, and the notes on it so far.

    Most transparent pictures are made for white pages. A subject that is nearly white itself would not be visible
    there. If `invert` is not auto, the ground is the one that becomes the background of the training images.
    """
    on_black, on_white = pixels.grey(picture.image, 0), pixels.grey(picture.image, 255)
    coloured = picture.image.mode not in pixels.GREY_MODES and pixels.is_coloured(pixels.colour(picture.image, 0))
    notes = (*picture.notes, *(["made grey"] if coloured else []))
    if (on_white == on_black).all():
        return on_black, notes
    shown = on_white[on_white - on_black < 128]  # where the alpha is above a half; white is never darker than black
    white = np.median(shown) <= LIGHT if len(shown) else True
    if invert != "auto":
        white = (background > 127) != (invert == "yes")
    note = f"laid on {'white' if white else 'black'} where transparent"
    return on_white if white else on_black, (*notes, note)


def _inverted(done: bool, invert: Invert, like: Framing) -> list[str]:
    kind = "light on dark" if like.lighter else "dark on light"
    why = f"as the training images are {kind}" if invert == "auto" else f"as invert is {invert}"
    return [f"inverted, {why}"] if done else []


def _blank(values: np.ndarray) -> list[str]:
    """Return a note if a picture shows nothing: some networks find it similar to their training images."""
    for channel in np.moveaxis(np.atleast_3d(values), 2, 0):
        ground = pixels.border(channel)
        if max(int(channel.max()) - ground, ground - int(channel.min())) > pixels.STANDS_OUT:
            return []
    return [BLANK]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
