"""Separate the subject of a picture from its background, as document scanners do: by the background nearby.

Uneven light, a shadow or coloured paper do not become part of the subject. The picture is taken as a landscape of
brightness in which the subject is a hollow. The background of a pixel is the level up to which water would fill the
hollow before it runs off over the border: L. Vincent, "Morphological Grayscale Reconstruction in Image Analysis", IEEE
Transactions on Image Processing 2, 1993, section 3.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from core.images import pixels

LONGEST = 192  # pixels a side; a subject smaller than the page is enlarged to this and looked at once more
LEAST = 8  # grey values; a smaller difference from the background is not visible
MARGIN = 0.15  # around the subject in the second look, as a share of its size
STRONG = 0.4  # of the largest contrast; the stronger pixels set the full strength
FULL = 99  # percentile of their contrast that becomes full strength; the largest contrast may be noise
FAINT = pixels.STANDS_OUT / 255  # of full strength; weaker pixels do not belong to the subject
REST = 98  # percentile of the contrast along the border: noise, lines and shadows that remain there
ABOVE_REST = 2.2  # times REST: five standard deviations of noise, which noise does not reach
LARGEST_REST = 0.35  # of full strength; stronger pixels along the border belong to the subject, which may reach it
UNEXPLAINED = 0.1  # of the border's deviations; a surface that leaves more does not describe the light
FITS = 10  # iterations of the surface's fit; further iterations change little
SHADOWED = 0.15  # of full strength: the border's interquartile range is larger if the edge of a shadow crosses it
DARKEST_PAPER = 64  # a grey value; a darker background is no paper, and is not divided by


class Subject(NamedTuple):
    """strength: float32 (height, width) in [0, 1], how much each pixel differs from its background, in the part of the
    picture that holds the subject. dark: whether the subject is darker than its background. size: height and width of
    that part in pixels of the picture. shadowed: whether the background has bright and dark parts.
    """

    strength: np.ndarray
    dark: bool
    size: tuple[int, int]
    shadowed: bool


class _Look(NamedTuple):
    """flat: the evenly lit picture. contrast: of each pixel with its background. full, rest: contrasts of full strength
    and of noise. box: the rows and columns of the subject.
    """

    flat: np.ndarray
    contrast: np.ndarray
    full: float
    rest: float
    box: tuple[slice, slice]


def find(values: np.ndarray, dark: bool | None = None) -> Subject | None:
    """Return the subject of uint8 (height, width), or None if nothing differs from the background by LEAST.

    dark: whether the subject is darker than the background, if this is known.
    """
    picture = values.astype(np.float32)
    if dark is None:
        dark = _is_dark(_reduced(picture))
    if (whole := _look(picture, dark)) is None:
        return None
    part = _with_margin(picture, whole.box, whole.flat.shape)
    if (close := _look(part, dark)) is None:
        return None
    upper, lower = np.percentile(pixels.edges(whole.flat), [75, 25])
    strength = np.clip((close.contrast - close.rest) / (close.full - close.rest), 0, 1)[close.box]
    height, width = (
        round(side * of_part / seen)
        for side, of_part, seen in zip(strength.shape, part.shape, close.flat.shape, strict=True)
    )
    return Subject(strength.astype(np.float32), dark, (height, width), bool(upper - lower > SHADOWED * whole.full))


def background(heights: np.ndarray) -> np.ndarray:
    """Return the level up to which each hollow of float32 (height, width) fills before it runs off over the border.

    Hollows that reach the border are filled there by the values of that side alone: up to the lower of the highest
    values to their left and to their right.
    """
    level = np.full_like(heights, heights.max())
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        from_left, from_right = (np.maximum.accumulate(heights[side][::step])[::step] for step in (1, -1))
        level[side] = np.minimum(from_left, from_right)
    # From each side in turn: a pixel is as high as itself or as the lowest way to it, whichever is higher.
    turns = (lambda a: a, np.flipud, np.transpose, lambda a: np.flipud(a.T))
    sweeps = [(turn(level), turn(heights)) for turn in turns]  # views, not copies
    while True:
        before = level.copy()
        for filled, ground in sweeps:
            for row in range(1, len(filled)):
                np.minimum(filled[row], np.maximum(ground[row], filled[row - 1]), out=filled[row])
        if np.array_equal(level, before):
            return level


def _look(picture: np.ndarray, dark: bool) -> _Look | None:
    """Look at float32 (height, width), reduced to LONGEST. Returns None if nothing differs by LEAST."""
    flat = _flat(_reduced(picture), dark)
    contrast = background(flat) - flat
    if contrast.max() < LEAST:
        return None
    full = float(np.percentile(contrast[contrast > STRONG * contrast.max()], FULL))
    rest = _rest(contrast, full)
    box = _box(contrast > max(min(ABOVE_REST * rest, LARGEST_REST * full), FAINT * full))
    return _Look(flat, contrast, full, rest, box)


def _reduced(values: np.ndarray) -> np.ndarray:
    """Return float32 (height, width) with at most LONGEST pixels a side, each the mean of the pixels it covers."""
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
    """Return a picture as if it were evenly lit, float32 (height, width): background 255, the subject below.

    dark: whether the subject is darker than the background. Ink on paper takes a share of the light.
    """
    heights = values if dark else 255 - values
    light = _light(heights)
    flat = heights / light * 255 if dark and light.min() > DARKEST_PAPER else heights - light + 255
    return np.minimum(flat, 255).astype(np.float32)  # a wall that is higher would enclose part of the background


def _light(heights: np.ndarray) -> np.ndarray:
    """Return the light on the background, float (height, width).

    It is a quadratic surface through the border, fitted by least absolute deviations (iteratively reweighted least
    squares), so that a subject that reaches the border does not move it. If it does not describe the border, the light
    is the border's median.
    """
    height, width = heights.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    border, known = pixels.edges(heights), pixels.edges(terms).T
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
    """Return the contrast of noise, lines and shadows, as seen along the border."""
    depth = max(1, round(min(contrast.shape) / 25))
    inner = np.zeros(contrast.shape, bool)
    inner[depth:-depth, depth:-depth] = True
    weak = contrast[~inner & (contrast <= LARGEST_REST * full)]
    return float(np.percentile(weak, REST)) if len(weak) else 0.0


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last that is set. Single pixels are noise, and do not count
    unless there is nothing else.
    """
    padded = np.pad(mask, 1)
    beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    mask = mask & beside if (mask & beside).any() else mask
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _with_margin(values: np.ndarray, box: tuple[slice, slice], shape: tuple[int, ...]) -> np.ndarray:
    """Return the part of `values` that a box in an array of `shape` covers, with a margin around it."""
    margin = MARGIN * max(each.stop - each.start for each in box) + 2
    part = []
    for each, whole, of in zip(box, values.shape, shape, strict=True):
        scale = whole / of
        part.append(slice(max(0, int((each.start - margin) * scale)), int(np.ceil((each.stop + margin) * scale))))
    return values[tuple(part)]
