"""Draw synthetic pictures of clothing from a seed: the data set that needs no network.

They are outlines of made-up proportions, shades and patterns, not photographs. They replace Fashion-MNIST in a first
run, a test or a demonstration. The ten classes are of the same kinds in the same order, and as hard to tell apart: a
shirt from a coat, a sneaker from an ankle boot. A score on them shows that the pipeline works, and nothing about
photographs of clothes.
"""

from collections.abc import Callable, Iterator
from colorsys import hsv_to_rgb
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from core.formats.blocks import Block, Contents
from core.sources import datasets

SIDE = datasets.DRAWN_SIDE
OVERSAMPLING = 4  # times larger, then averaged, which smooths the edges

Random = np.random.RandomState
Point = tuple[float, float]


def read(card: datasets.Garments) -> Contents:
    """Return the images that a card describes."""
    colour = len(card.image_shape) == 3
    drawn = (
        Block(split, *draw(getattr(card.images, split), seed=card.seed, split=split, colour=colour), "")
        for split in ("train", "test")
    )
    return Contents(drawn, images=card.images.train + card.images.test)


def draw(count: int, *, seed: int, split: str, colour: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels uint8 (count,) in [0, 9].

    Images are uint8 (count, 28, 28), white on black, or the same garments in colour on light backgrounds, uint8 (count,
    28, 28, 3). Each ten images are the ten classes in random order, so class counts differ by at most one. A smaller
    count gives the first images of a larger one. The bytes depend on the arguments alone. Raises ValueError for a split
    other than "train" and "test".
    """
    images = np.empty((count, SIDE, SIDE, *([3] * colour)), np.uint8)
    labels = np.empty(count, np.uint8)
    for start in range(0, count, len(WARDROBE)):
        key = (seed, ("train", "test").index(split), start // len(WARDROBE))
        random, dyes = _stream(*key), _stream(*key, 1)
        order = random.permutation(len(WARDROBE))[: count - start]
        for index, label in enumerate(order, start):
            image, coverage = _picture(WARDROBE[label], random)
            images[index], labels[index] = _dyed(image, coverage, dyes) if colour else image, label
    return images, labels


def _stream(*key: int) -> Random:
    # RandomState, not default_rng: numpy never changes the streams of RandomState (NEP 19). SeedSequence makes the
    # streams of close keys independent.
    return Random(np.random.MT19937(np.random.SeedSequence(key)))


class Pen:
    """Draw on a black square in a random pose: slightly scaled, moved and sheared.

    The origin is the middle of the picture, x runs to the right, y down; the unit is a pixel of the finished picture. A
    tone is a share in [0, 1] of the garment's brightness.
    """

    def __init__(self, random: Random):
        self.image = Image.new("L", (SIDE * OVERSAMPLING, SIDE * OVERSAMPLING))
        self._canvas = ImageDraw.Draw(self.image)
        width, height = random.uniform(0.95, 1.06, 2)
        self._pose = OVERSAMPLING * np.array([[width, 0], [random.uniform(-0.05, 0.05), height]])
        self._middle = OVERSAMPLING * (SIDE / 2 + random.uniform(-0.7, 0.7, 2))

    def fill(self, outline: list[Point], tone: float) -> None:
        """Fill a polygon."""
        self._canvas.polygon(self._placed(outline), round(255 * tone))

    def line(self, points: list[Point], tone: float, width: float = 0.75) -> None:
        """Draw lines from point to point, `width` pixels thick."""
        self._canvas.line(self._placed(points), round(255 * tone), round(OVERSAMPLING * width))

    def _placed(self, points: list[Point]) -> list[tuple[int, int]]:
        # Integers, so that the last bit of a platform's float never moves an edge.
        return list(map(tuple, np.rint(np.array(points) @ self._pose + self._middle).astype(int).tolist()))


def _reflected(points: list[Point]) -> list[Point]:
    return [(-x, y) for x, y in points]


def _mirrored(right: list[Point]) -> list[Point]:
    """Return the symmetric outline of a right half, which is given from top to bottom."""
    return right + _reflected(right)[::-1]


def _rounded(outline: list[Point]) -> list[Point]:
    """Cut each corner of a closed outline at a quarter of its edges, twice (Chaikin's algorithm, 1974)."""
    for _ in range(2):
        edges = zip(outline, outline[1:] + outline[:1], strict=True)
        outline = [
            (near * x + (1 - near) * next_x, near * y + (1 - near) * next_y)
            for (x, y), (next_x, next_y) in edges
            for near in (0.75, 0.25)
        ]
    return outline


def _torso(
    pen: Pen, random: Random, *, shoulder, chest, waist, hem, length, sleeve, reach, cuff, neck, depth,
    collar, buttons, hood, motif,
) -> None:  # fmt: skip
    """Draw an upper garment: half-widths from top to bottom, the sleeves' drop and reach, the neckline."""
    top, yoke, armpit, bottom = -13.0, -11.6, -6.0, length - 13.0
    fabric = random.uniform(0.85, 1)
    if sleeve > 0:
        across, down = cuff * np.array([sleeve, reach]) / np.hypot(sleeve, reach)
        end, elbow = (shoulder + reach, yoke + sleeve), (shoulder + 0.65 * reach, yoke + 0.4 * sleeve)
        arm = [(neck, top), (shoulder, yoke), elbow, end, (end[0] - across, end[1] + down), (chest, armpit)]
        for outline in (arm, _reflected(arm)):
            pen.fill(outline, fabric * random.uniform(0.75, 1))
    middle = (waist, (armpit + bottom) / 2)
    pen.fill(_mirrored([(neck, top), (shoulder, yoke), (chest, armpit), middle, (hem, bottom)]), fabric)
    if motif:
        for x, y, wide in random.uniform([-3, -5, 0.5], [3, 0, 2.5], (5, 3)):
            pen.line([(x - wide, y), (x + wide, y)], random.uniform(0.1, 1), 1)
    if hood:
        pen.fill(_rounded(_mirrored([(neck + 2, top - 1), (neck + 2, top + depth + 2), (0, top + depth + 4)])), 0.7)
    pen.fill(_mirrored([(neck, top - 0.5), (0.7 * neck, top + 0.7 * depth), (0.2 * neck, top + depth)]), 0.3)
    if buttons:
        pen.line([(0, top + depth), (0, bottom)], 0.35)
        for y in np.arange(top + depth + 2, bottom - 1, 3.5):
            pen.line([(0.9, y), (0.9, y + 0.5)], 0.3, 0.5)
    if collar:
        flap = [(neck, top - 1), (0, top + depth + 0.5), (neck + 1, top + depth + 1.5)]
        for outline in (flap, _reflected(flap)):
            pen.fill(outline, 1)


def _trouser(pen: Pen, random: Random, *, waist, hip, crotch, knee, hem, gap, length) -> None:
    """Draw trousers: half-widths at waist and hip, widths of a leg at knee and hem, half the gap between the legs."""
    top, bottom, fabric = -13.3, length - 13.3, random.uniform(0.85, 1)
    leg = [(0, top), (waist, top), (hip, -8), (0.5 * hip + knee, 1), (gap + hem, bottom), (gap, bottom), (0, crotch)]
    for outline in (leg, _reflected(leg)):
        pen.fill(outline, fabric * random.uniform(0.9, 1))
    pen.line([(-waist, top + 0.7), (waist, top + 0.7)], 0.7)
    pen.line([(0, top + 1.3), (0, crotch)], 0.7, 0.5)


def _footwear(pen: Pen, random: Random, *, length, shaft, vamp, instep, throat, heel, sole, straps, laces) -> None:
    """Draw a shoe with its toe to the left: heights, and the start of instep and throat as shares from toe to heel."""
    heel, block, fabric = max(heel, 0), random.uniform(1.2, 5), random.uniform(0.75, 1)
    ground = (shaft + sole + heel) / 2

    def at(along: float, height: float) -> Point:
        """Return the point at a share of the way from toe to heel, and at a height over the bed."""
        rise = heel * min(max((along - 0.35) / 0.4, 0), 1)
        return (along - 0.5) * length, ground - sole - rise - height

    if straps:
        for strap in _straps(at, random, vamp, shaft):
            pen.line(strap, fabric, random.uniform(0.8, 1.8))
    else:
        front = [at(0, 0), at(0, 0.5 * vamp), at(0.12, vamp), at(instep, 1.2 * vamp), at(throat, shaft)]
        back = [at(throat, shaft), at(0.97, shaft), at(0.97, shaft), at(1, 0), at(1, 0)]
        pen.fill(_rounded(front + back), fabric)
    if laces and not straps:
        for share in (0.25, 0.5, 0.75):
            along, height = instep + share * (throat - instep), vamp + share * (shaft - vamp)
            pen.line([at(along, height), at(along + 0.06, height - 1.5)], 0.4, 0.5)
    bed, tread = [at(along, 0) for along in (0, 0.35, 0.75, 1)], random.choice([0.3, 0.7, 1])
    pen.fill(bed + [(x, y + sole) for x, y in reversed(bed)], tread)
    if heel > 0:
        right, up = length / 2, ground - heel
        pen.fill([(right - block - 1, up), (right, up), (right, ground), (right - block, ground)], tread)


def _straps(at: Callable[[float, float], Point], random: Random, vamp: float, shaft: float) -> Iterator[list[Point]]:
    """Yield arches over the foot and, in most cases, one round the ankle."""
    for _ in range(random.randint(2, 5)):
        start, wide, high = random.uniform([0, 0.15, 0.8 * vamp], [0.6, 0.4, 1.5 * vamp])
        yield [at(start, 0), at(start + 0.3 * wide, high), at(start + 0.8 * wide, high), at(start + wide, 0)]
    if random.uniform() < 0.6:
        yield [at(0.98, 0), at(0.95, shaft), at(0.72, 0.8 * shaft), at(0.8, 0)]


def _bag(pen: Pen, random: Random, *, top, bottom, height, handle, grip, flap, clasp, soft) -> None:
    """Draw a bag: half-widths at top and bottom, its height, the handle's height and half-width."""
    low = (height + 0.7 * max(handle, 0)) / 2
    high, fabric = low - height, random.uniform(0.8, 1)
    if handle > 0:
        arc = [(0.4 * grip, high - handle), (0.85 * grip, high - 0.6 * handle), (grip, high + 1)]
        pen.line(_reflected(arc)[::-1] + arc, 0.8, random.uniform(0.6, 1.3))
    body = _mirrored([(top, high), (bottom, low)])
    pen.fill(_rounded(body) if soft else body, fabric)
    if flap:
        pen.fill(_mirrored([(top, high), (0.95 * top, high + 0.4 * height), (0, high + 0.55 * height)]), 0.75 * fabric)
    if clasp:
        pen.fill(_mirrored([(1.2, high + 0.45 * height), (1.2, high + 0.6 * height)]), 0.3)


class Garment(NamedTuple):
    """A class: the function that draws it, the probability of a pattern, and the function's arguments.

    A pair is the range of a measure, in pixels or shares; a single number is the probability of a part. A part with a
    negative measure is left out.
    """

    shape: Callable[..., None]
    patterned: float
    style: dict[str, tuple[float, float] | float]


# In the order of the labels; the class names are on the cards.
# fmt: off
WARDROBE = (
    Garment(_torso, 0.35, dict(  # T-shirt/top
        shoulder=(5.8, 8.3), chest=(5.2, 7.6), waist=(5, 7.6), hem=(5.2, 8), length=(23.5, 26.2), sleeve=(-1, 11),
        reach=(2.3, 4), cuff=(2.5, 4), neck=(2.3, 4), depth=(1, 4), collar=0.1, buttons=0.06, hood=0.01, motif=0.3)),
    Garment(_trouser, 0.2, dict(  # Trouser
        waist=(3.5, 5.5), hip=(4, 6), crotch=(-7, -3), knee=(1.5, 3), hem=(2, 3.5), gap=(0.2, 2.7), length=(24, 26.7))),
    Garment(_torso, 0.3, dict(  # Pullover
        shoulder=(6.5, 8.5), chest=(6, 8), waist=(6, 8), hem=(5.5, 8), length=(22.5, 26), sleeve=(15, 23),
        reach=(2.5, 4.8), cuff=(2, 3.2), neck=(2, 4), depth=(0.8, 4), collar=0.15, buttons=0.15, hood=0.1, motif=0.2)),
    Garment(_torso, 0.35, dict(  # Dress
        shoulder=(3.5, 7.8), chest=(3.5, 7), waist=(3, 6.5), hem=(3.5, 8.5), length=(24.5, 26.5), sleeve=(-8, 18),
        reach=(1, 4), cuff=(1.5, 3), neck=(1.5, 3.5), depth=(1, 5), collar=0.1, buttons=0.12, hood=0.01, motif=0.05)),
    Garment(_torso, 0.25, dict(  # Coat
        shoulder=(6, 8.5), chest=(5.5, 8), waist=(5.3, 8), hem=(5.7, 8.5), length=(23, 26.5), sleeve=(17, 25),
        reach=(2, 4.5), cuff=(2, 3.5), neck=(2, 3.5), depth=(1.5, 5), collar=0.6, buttons=0.8, hood=0.35, motif=0.05)),
    Garment(_footwear, 0.2, dict(  # Sandal
        length=(24, 26.5), shaft=(2.5, 9), vamp=(2, 4.5), instep=(0.2, 0.4), throat=(0.5, 0.7),
        heel=(-6, 9), sole=(1, 2.2), straps=0.85, laces=0.05)),
    Garment(_torso, 0.35, dict(  # Shirt
        shoulder=(6.3, 8.5), chest=(5.5, 8), waist=(5.3, 8), hem=(5.5, 8.2), length=(23, 26.2), sleeve=(5, 21),
        reach=(2, 4.5), cuff=(2, 3.7), neck=(2, 3.7), depth=(1, 4.5), collar=0.65, buttons=0.75, hood=0.05, motif=0.1)),
    Garment(_footwear, 0.15, dict(  # Sneaker
        length=(24.5, 26.5), shaft=(5, 11), vamp=(2.5, 4.5), instep=(0.2, 0.4), throat=(0.5, 0.7),
        heel=(-2, 1), sole=(1.2, 3), straps=0.03, laces=0.6)),
    Garment(_bag, 0.25, dict(  # Bag
        top=(8, 12.5), bottom=(8.5, 13), height=(9, 21), handle=(-4, 11), grip=(3, 8), flap=0.4, clasp=0.4, soft=0.4)),
    Garment(_footwear, 0.1, dict(  # Ankle boot
        length=(22.5, 26.5), shaft=(9, 20), vamp=(4, 6), instep=(0.3, 0.42), throat=(0.42, 0.56),
        heel=(-2, 6), sole=(0.8, 2.5), straps=0.02, laces=0.3)),
)
# fmt: on


def _picture(garment: Garment, random: Random) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of a garment, uint8 (28, 28), and the share of each pixel that it covers, float (28, 28)."""
    pen = Pen(random)
    chosen = {
        name: random.uniform(*value) if isinstance(value, tuple) else random.uniform() < value
        for name, value in garment.style.items()
    }
    garment.shape(pen, random, **chosen)
    tones = np.asarray(pen.image.reduce(OVERSAMPLING), float)
    image = tones * _shading(random) * (1.2 - 0.9 * random.uniform() ** 2)
    if random.uniform() < garment.patterned:
        image *= _pattern(random)
    image += random.uniform(-10, 10, image.shape) * (tones > 0)  # grain, and a background that stays black
    coverage = np.asarray(pen.image.point(lambda tone: 255 * (tone > 0)).reduce(OVERSAMPLING)) / 255
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8), coverage


def _dyed(image: np.ndarray, coverage: np.ndarray, random: Random) -> np.ndarray:
    """Return a picture as `_picture` returns it in a random colour, uint8 (28, 28, 3).

    The background is light, of a faint colour, and darkens smoothly across and down the picture.
    """
    dye = np.array(hsv_to_rgb(random.uniform(), random.uniform(0.8, 1), 1))
    paper = random.uniform(220, 242) + random.uniform(-8, 8, 3)
    across, down = (np.linspace(-slope, slope, SIDE) for slope in random.uniform(-6, 6, 2))
    background = paper + np.add.outer(down, across)[..., None]
    values = image[..., None] * dye + (1 - coverage[..., None]) * background
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _shading(random: Random) -> np.ndarray:
    """Return the shading of folds, float (28, 28) in [0.7, 1.1]: it varies smoothly across and down the picture."""
    knots = np.linspace(0, SIDE - 1, 6)
    across, down = (np.interp(np.arange(SIDE), knots, random.uniform(0.85, 1.05, 6)) for _ in range(2))
    return np.outer(down, across)


def _pattern(random: Random) -> np.ndarray:
    """Return the factors of a pattern, float (28, 28) in [0.1, 1]: stripes, checks or speckles."""
    dark, width = random.uniform(0.4, 0.8), random.uniform(1, 3)
    stripes = np.where(np.arange(SIDE) // width % 2, dark, 1)
    plain = np.ones(SIDE)
    speckles = random.uniform(dark - 0.3, 1, (SIDE, SIDE))
    patterns = (np.outer(stripes, plain), np.outer(plain, stripes), np.outer(stripes, stripes), speckles)
    return patterns[random.choice(4, p=[0.35, 0.15, 0.2, 0.3])]
