"""Ways in which a test image may be shown to `tools.predict`: as a file of some kind, on some paper, in some light.

Each takes an image, uint8 (height, width), light on black. Light and noise are the same in each run.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Encoded = tuple[bytes, str]  # a file, and the suffix of its name
Light = Callable[[np.ndarray, np.ndarray], np.ndarray]

PAGE = (420, 420)
SIDE = 280  # of the enlarged image
PAPERS = ((255, 0), (250, 0), (242, 0), (242, 38), (230, 40), (210, 40))  # grey values of paper and ink


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: Any) -> Encoded:
    """Return a picture as a file."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue(), kind.lower()


def _enlarged(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def _on_page(image: np.ndarray) -> Image.Image:
    """Draw the image dark on a white page that is not square, not in its middle."""
    page = Image.new("L", (500, 400), 255)
    page.paste(ImageOps.invert(Image.fromarray(_enlarged(image))), (170, 90))
    return page


def _cut_out(image: np.ndarray) -> Image.Image:
    """Draw the image dark, and transparent where it is black; the colours beneath are arbitrary."""
    large = _enlarged(image)
    alpha = np.where(large > 8, 255, 0).astype(np.uint8)
    return Image.merge("RGBA", [Image.fromarray(255 - large)] * 3 + [Image.fromarray(alpha)])


def _turned(image: np.ndarray) -> Encoded:
    """Draw the image on its side, with the orientation tag that says so."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return encoded(_on_page(image).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=tags)


def drawn(
    image: np.ndarray,
    *,
    paper: float | np.ndarray = 235,
    ink: float = 40,
    light: Light = lambda y, x: np.ones_like(x),
    noise: float = 0,
    page: tuple[int, int] = PAGE,
    side: int = SIDE,
    corner: tuple[int, int] = (70, 70),
) -> Image.Image:
    """Draw the image in ink on paper, grey values or a page of them.

    light: in [0, 1], by the place on the page: (0, 0) is the upper left corner, (1, 1) the lower right corner. noise:
    its standard deviation.
    """
    share = np.zeros(page)
    share[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = _enlarged(image, side) / 255
    y, x = np.meshgrid(np.linspace(0, 1, page[0]), np.linspace(0, 1, page[1]), indexing="ij")
    values = (paper - (paper - ink) * share) * light(y, x)
    values += np.random.RandomState(0).normal(0, noise, page) if noise else 0
    return Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8))


def _ruled(step: int, value: float, *, both: bool = False) -> np.ndarray:
    """Return a page with lines two pixels thick, horizontal or both ways."""
    page = np.full(PAGE, 235.0)
    for start in (10, 11):
        page[start::step] = value
        if both:
            page[:, start::step] = value
    return page


def _coloured(image: np.ndarray) -> Image.Image:
    """Draw the image in blue ink on yellow paper."""
    bands = [drawn(image, paper=paper, ink=ink) for paper, ink in ((250, 30), (235, 40), (150, 160))]
    return Image.merge("RGB", bands)


def _rising(middle: float, slope: float) -> Light:
    """Return light that rises from left to right along a slanted edge; a larger slope is a sharper edge."""
    return lambda y, x: 0.5 + 0.5 / (1 + np.exp(np.clip(-(x + 0.3 * y - middle) * slope, -50, 50)))


DRAWINGS: Mapping[str, Callable[[np.ndarray], Image.Image]] = {
    **{f"paper {paper}, ink {ink}": partial(drawn, paper=paper, ink=ink) for paper, ink in PAPERS},
    "light falling to a half": partial(drawn, light=lambda y, x: 1 - (x + y) / 4),
    "light falling to 0.3": partial(drawn, light=lambda y, x: 1 - 0.7 * x),
    "corners darker by half": partial(drawn, light=lambda y, x: 1 - 0.9 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)),
    "dim light": partial(drawn, light=lambda y, x: np.full_like(x, 0.45)),
    "soft shadow over half of it": partial(drawn, light=_rising(0.6, 25)),
    "hard shadow over half of it": partial(drawn, light=_rising(0.6, 1000)),
    "shadow in the middle": partial(
        drawn, light=lambda y, x: 1 - 0.5 * np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.08)
    ),
    "ruled paper": partial(drawn, paper=_ruled(35, 175)),
    "squared paper": partial(drawn, paper=_ruled(25, 190, both=True)),
    "blue ink on yellow paper": _coloured,
    "small on a large page, uneven light, noise": partial(
        drawn, light=lambda y, x: 1 - 0.4 * y, noise=4, page=(1100, 1500), side=84, corner=(700, 200)
    ),
    "much noise": partial(drawn, noise=10),
    "chalk on a blackboard, uneven light, noise": partial(
        drawn, paper=60, ink=230, light=lambda y, x: 1 - (x + y) / 4, noise=4
    ),
}
CORRUPTIONS: Mapping[str, Callable[[np.ndarray], Encoded]] = {
    "none: a grey PNG of 28x28 pixels": encoded,
    "inverted: dark on light": lambda image: encoded(255 - image),
    "ten times as large": lambda image: encoded(_enlarged(image)),
    "in 16 bits": lambda image: encoded(_enlarged(image).astype(np.uint16) * 257),
    "on a white page, in a corner of it": lambda image: encoded(_on_page(image)),
    "the same as WebP": lambda image: encoded(_on_page(image), "WEBP", quality=80),
    "the same as JPEG, on its side with a tag": _turned,
    "cut out, the rest transparent": lambda image: encoded(_cut_out(image)),
} | {name: lambda image, draw=draw: encoded(draw(image)) for name, draw in DRAWINGS.items()}
