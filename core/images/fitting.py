"""Bring pictures to the channels and the size of a data set, and say what was done to each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.images import pixels
from core.images.decoding import Picture
from core.sources.datasets import Described, Invert


class Fitted(NamedTuple):
    """values: uint8 of the wanted shape. notes: what was done, as phrases; a detail is in brackets at the end.
    source: the whole picture before it was inverted or resized, uint8 (height, width) or (height, width, 3).
    """

    values: np.ndarray
    notes: tuple[str, ...]
    source: np.ndarray


def fit(picture: Picture, shape: Sequence[int], card: Described) -> Fitted:
    """Return a picture as an image of `shape`, (height, width) or (height, width, 3), as the card says.

    Colours are never inverted.
    """
    channels = 3 if len(shape) == 3 else 1
    source, notes = _converted(picture, channels, card.background)
    values = source
    if channels == 1:
        values, done = inverted(source, card.invert)
        notes += [done] if done else []
    size = (shape[0], shape[1])
    if values.shape[:2] != size:
        inner = cropped(values, size) if card.fit == "crop" else values
        resized = _resized(inner.shape, size)
        steps = ["resized"] * (resized != inner.shape[:2]) + ["cropped"] * (inner.shape != values.shape)
        first, *more = steps + ["padded"] * (resized != size)
        notes += [f"{first} ({source.shape[1]}x{source.shape[0]})", *more]
        values = fitted(inner, size)
    return Fitted(values, (*picture.notes, *notes), source)


def inverted(values: np.ndarray, choice: Invert) -> tuple[np.ndarray, str]:
    """Return uint8 (height, width), with light and dark exchanged if chosen, and a phrase that says so, or no phrase.

    "auto" exchanges them if the border is light.
    """
    value = pixels.border(values)
    if choice == "no" or (choice == "auto" and value <= 127):
        return values, ""
    return 255 - values, "inverted, " + (f"as the border is light ({value} of 255)" if choice == "auto" else "as asked")


def fitted(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, 3) fitted into `size`: never stretched, centred, padded with the
    value of its border. An image that has this size keeps its bytes.
    """
    height, width = _resized(values.shape, size)
    inner = values
    if values.shape[:2] != (height, width):  # before padding: a thin picture would become a huge square
        # When it shrinks an image, this filter averages over all pixels, and it never overshoots.
        image = Image.fromarray(np.ascontiguousarray(values))
        inner = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    ground = [pixels.border(channel) for channel in np.moveaxis(np.atleast_3d(values), 2, 0)]
    canvas = np.full((*size, *values.shape[2:]), ground if values.ndim == 3 else ground[0], np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[top : top + height, left : left + width] = inner
    return canvas


def cropped(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the largest part in the middle of a picture that has the proportions of `size`."""
    (height, width), (rows, columns) = values.shape[:2], size
    inner_height = min(height, max(1, round(width * rows / columns)))
    inner_width = min(width, max(1, round(height * columns / rows)))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return values[top : top + inner_height, left : left + inner_width]


def _resized(shape: Sequence[int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of an image that is made as large as it fits into `room`."""
    scale = min(room[0] / shape[0], room[1] / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _converted(picture: Picture, channels: int, background: int) -> tuple[np.ndarray, list[str]]:
    """Return the pixels of a picture with 1 or 3 channels, and notes on what that changed."""
    image, notes = picture.image, []
    convert = pixels.grey if channels == 1 else pixels.colour
    values = convert(image, background)
    if channels == 3 and image.mode in pixels.GREY_MODES:
        notes.append("made colour")
    elif channels == 1 and image.mode not in pixels.GREY_MODES and pixels.is_coloured(pixels.colour(image, background)):
        notes.append("made grey")
    if image.has_transparency_data and (values != convert(image, 255 - background)).any():
        notes.append(f"laid on {background} of 255 where transparent")
    return values, notes
