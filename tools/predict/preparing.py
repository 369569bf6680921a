"""From any picture to what networks saw in training: grey, of the background, the size and the margin of those images.

A picture that is of their size already is taken to have their margin too, so that one of theirs comes through as it is,
but for light and dark. Where they were pictures themselves, what was done to those is done to it, and no more.
"""

from typing import NamedTuple

import numpy as np

from stages import datasets, pictures
from stages.download import conversion
from stages.evaluate.framing import Framing

LIGHT = 230  # what is lighter can't be seen on white


class Prepared(NamedTuple):
    """values: uint8 (height, width). notes: what was done to come by them, as phrases to print."""

    values: np.ndarray
    notes: tuple[str, ...]


def prepare(picture: pictures.Picture, shape: tuple[int, int], framing: Framing, invert: pictures.Invert) -> Prepared:
    """Return a picture as the training images are: of height and width `shape`, and framed as `framing` says."""
    grey, notes = _opaque(picture, framing.background, invert)
    values, done = pictures.inverted(grey, invert, framing.background)
    notes = (*notes, done, *_blank(values))
    if values.shape == shape:
        return Prepared(values, notes)
    top, left, bottom, right = pictures.boxes(values[None])[0]
    subject = values[top:bottom, left:right]
    trimmed = [f"trimmed from {_size(values)} to {_size(subject)}"] if subject.shape != values.shape else []
    height, width = (max(1, round(side * framing.extent)) for side in shape)
    placed = pictures.placed(subject, shape, (height, width), pictures.border(values))
    return Prepared(placed, (*notes, *trimmed))


def as_pictured(picture: pictures.Picture, entry: datasets.Pictured) -> Prepared:
    """Return a picture as those of a folder come into its data set."""
    grey = pictures.grey(picture.image, entry.background)
    values, done = conversion.adapted(grey, entry)
    seen_through = (grey != pictures.grey(picture.image, 255 - entry.background)).any()
    laid = [f"what is transparent laid on {entry.background} of 255"] if seen_through else []
    return Prepared(values, (*picture.notes, *laid, done, *_blank(values)))


def _opaque(picture: pictures.Picture, background: int, invert: pictures.Invert) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a picture's grey values, what is transparent laid on black or white, and the notes on it so far.

    Most such pictures are made for white pages; but what is nearly white itself would not be seen there. Where it was
    said whether to invert, the ground is the one that becomes the background of the training images.
    """
    on_black = pictures.grey(picture.image, 0)
    if not picture.image.has_transparency_data:
        return on_black, picture.notes
    on_white = pictures.grey(picture.image, 255)
    shown = on_white[on_white - on_black < 128]  # no ground is darker on white than on black
    if (on_white == on_black).all():
        return on_black, picture.notes
    white = np.median(shown) <= LIGHT if len(shown) else True
    if invert != "auto":
        white = (background > 127) != (invert == "yes")
    note = f"what is transparent laid on {'white' if white else 'black'}"
    return on_white if white else on_black, (*picture.notes, note)


def _blank(values: np.ndarray) -> list[str]:
    """Return a note where a picture shows nothing: some networks find that quite like what they were trained on."""
    ground = pictures.border(values)
    if max(int(values.max()) - ground, ground - int(values.min())) > pictures.STANDS_OUT:
        return []
    return ["nothing stands out from the background, so the class says nothing"]


def _size(values: np.ndarray) -> str:
    return f"{values.shape[1]}x{values.shape[0]}"
