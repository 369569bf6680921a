"""The subject of a picture, told apart from its background as a phone's scanner does it: by the background nearby.

So uneven light, a shadow or coloured paper is no part of the subject. The background of a pixel is the level to which
water would fill the subject, a hollow in the brightness of the picture, before it ran off over the border: L. Vincent,
"Morphological Grayscale Reconstruction in Image Analysis", IEEE Transactions on Image Processing 2, 1993, section 3.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from core.formats import image_file

LONGEST = 192  # pixels a side of what is looked at; a subject smaller than the page is looked at once more, enlarged
LEAST = 8  # grey values; what differs less from its background is not seen
MARGIN = 0.15  # of the subject's size, kept around it for the second look
STRONG = 0.4  # of the largest contrast: pixels above it set the full strength
FULL = 99  # percentile of the strong pixels' contrast that becomes full strength; the largest one may be noise
FAINT = image_file.STANDS_OUT / 255  # of full strength: what is weaker does not belong to the subject
REST = 98  # percentile of the contrast along the border: what is left there of noise, lines and shadows
ABOVE_REST = 2.2  # times that is more than noise reaches, five of its standard deviations
LARGEST_REST = 0.35  # of full strength: what is stronger along the border is the subject, which may reach it
UNEXPLAINED = 0.1  # of the border's deviations: a smooth surface that leaves more of them does not describe the light
FITS = 10  # of that surface, in each the pixels weighted by how far they were off it: more change little
SHADOWED = 0.15  # of full strength: where light and shadow meet on the border, its quartiles are farther apart
DARKEST_PAPER = 64  # a grey value: a background darker than this is no paper, and is not divided by


class Subject(NamedTuple):
    """strength: float32 (height, width) in [0, 1], by how much each pixel of the part that holds the subject differs
    from its background; 0 is background. dark: whether the subject is darker than that. size: height and width of that
    part in pixels of the picture. shadowed: whether the background has light and dark parts.
    """

    strength: np.ndarray
    dark: bool
    size: tuple[int, int]
    shadowed: bool


def find(values: np.ndarray, dark: bool | None = None) -> Subject | None:
    """Return the subject of uint8 (height, width), None where nothing stands out by LEAST.

    dark: whether it is darker than the background, if that is known.
    """
    part, shadowed = values.astype(np.float32), False
    if dark is None:
        dark = _is_dark(_reduced(part))
    for look in ("at the picture", "at what holds the subject"):
        small = _reduced(part)
        flat = _flat(small, dark)
        contrast = background(flat) - flat
        if contrast.max() < LEAST:
            return None
        full = float(np.percentile(contrast[contrast > STRONG * contrast.max()], FULL))
        if look == "at the picture":
            shadowed = bool(np.subtract(*np.percentile(image_file.edges(flat), [75, 25])) > SHADOWED * full)
        rest = _rest(contrast, full)
        box = _box(contrast > max(min(ABOVE_REST * rest, LARGEST_REST * full), FAINT * full))
        found, part = part, _with_margin(part, box, small.shape)
    strength = np.clip((contrast - rest) / (full - rest), 0, 1)[box]
    size = [round(side * whole / of) for side, whole, of in zip(strength.shape, found.shape, small.shape, strict=True)]
    return Subject(strength.astype(np.float32), dark, (size[0], size[1]), shadowed)


def background(heights: np.ndarray) -> np.ndarray:
    """Return the level up to which each hollow of float32 (height, width) fills before it runs off over the border.

    Hollows that reach the border are filled there too, as far as a side alone tells: up to the lower of what is to
    their left and to their right on it.
    """
    level = np.full_like(heights, heights.max())
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        level[side] = _filled(heights[side])
    # From each side in turn: a pixel is as high as itself or as the lowest way to it, whichever is higher.
    sweeps = [(turned(level), turned(heights)) for turned in (_same, np.flipud, np.transpose, lambda a: np.flipud(a.T))]
    while True:
        before = level.copy()
        for filled, ground in sweeps:  # views of the one array
            for row in range(1, len(filled)):
                np.minimum(filled[row], np.maximum(ground[row], filled[row - 1]), out=filled[row])
        if np.array_equal(level, before):
            return level


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _filled(side: np.ndarray) -> np.ndarray:
    """Return a side of the border with its hollows filled."""
    return np.minimum(np.maximum.accumulate(side), np.maximum.accumulate(side[::-1])[::-1])


def _reduced(values: np.ndarray) -> np.ndarray:
    """Return float32 (height, width) with at most LONGEST pixels a side, each the mean of those it stands for."""
    height, width = values.shape
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return values
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX))


def _is_dark(values: np.ndarray) -> bool:
    """Return whether more of a picture is darker than its background than is lighter."""
    both = (_flat(values, dark) for dark in (True, False))
    dark, light = (float((background(flat) - flat).sum()) for flat in both)
    return dark >= light


def _flat(values: np.ndarray, dark: bool) -> np.ndarray:
    """Return a picture as if it were evenly lit, its background 255 and the subject below, float32 (height, width).

    dark: whether the subject is darker than the background. On paper a pixel is dark by the share of the light that it
    takes.
    """
    heights = values if dark else 255 - values
    light = _light(heights)
    flat = heights / light * 255 if dark and light.min() > DARKEST_PAPER else heights - light + 255
    return np.minimum(flat, 255).astype(np.float32)  # what differs the other way walls nothing in


def _light(heights: np.ndarray) -> np.ndarray:
    """Return how the light falls on the background, float (height, width): a quadratic surface through the border by
    least absolute deviations, which a subject that reaches the border does not move (as iteratively reweighted least
    squares); the border's median where no such surface describes it.
    """
    height, width = heights.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    border, known = image_file.edges(heights), image_file.edges(terms).T
    middle = np.median(border)
    off = deviations = np.abs(border - middle)
    for _ in range(FITS):
        weights = 1 / np.sqrt(np.maximum(off, 1))
        factors = np.linalg.lstsq(known * weights[:, None], border * weights, rcond=None)[0]
        off = np.abs(border - known @ factors)
    if off.sum() > UNEXPLAINED * deviations.sum():
        return np.full(heights.shape, middle)
    return np.tensordot(factors, terms, 1)


def _rest(contrast: np.ndarray, full: float) -> float:
    """Return the contrast that noise, lines and shadows have, as they are seen along the border."""
    depth = max(1, round(min(contrast.shape) / 25))
    inner = np.zeros(contrast.shape, bool)
    inner[depth:-depth, depth:-depth] = True
    border = contrast[~inner]
    return (
        float(np.percentile(border[border <= LARGEST_REST * full], REST))
        if border.min() <= LARGEST_REST * full
        else 0.0
    )


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns from the first in which there is something to the last; pixels on their own, as noise
    leaves them, do not count unless there is nothing else.
    """
    padded = np.pad(mask, 1)
    beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    mask = mask & beside if (mask & beside).any() else mask
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _with_margin(values: np.ndarray, box: tuple[slice, slice], shape: tuple[int, ...]) -> np.ndarray:
    """Return the part of an array that a box, in an array of that shape, stands for, with a margin around it."""
    margin = MARGIN * max(each.stop - each.start for each in box) + 2
    part = []
    for each, whole, of in zip(box, values.shape, shape, strict=True):
        scale = whole / of
        part.append(slice(max(0, int((each.start - margin) * scale)), int(np.ceil((each.stop + margin) * scale))))
    return values[tuple(part)]
