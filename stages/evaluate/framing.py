"""How the subjects of the training images are framed and lit. `tools.predict` prepares other pictures accordingly."""

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from core.config.schema import Strict
from core.images import pixels

PLAIN = 0.75  # share of the border that has the value of the background, in at least half of the images

Grey = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0, le=1)]


class Framing(Strict):
    """What is typical of training images that are not blank. Shares are of the height or the width.

    background: the median grey value of the border. subject: the median of the grey values farthest from it. plain:
    whether most of the border has one value. extent: the median share of its image that a subject fills, the larger of
    height and width. centring: whether the bounding boxes or the centres of mass vary less in place. centre: the median
    row and column of these. limits: the smallest and the largest value of each number that `fits` checks.
    """

    background: Grey
    subject: Grey
    plain: bool
    extent: Annotated[float, Field(gt=0, le=1)]
    centring: Literal["box", "mass"]
    centre: Annotated[list[Share], Field(min_length=2, max_length=2)]
    limits: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]

    @property
    def lighter(self) -> bool:
        """Whether the subject is lighter than the background."""
        return self.subject > self.background


def measure(blocks: Iterable[np.ndarray]) -> Framing:
    """Return the framing of images, float32 (n, height, width) in [0, 1], given in blocks, n >= 1."""
    found = [_measured(np.rint(block * 255).astype(np.uint8)) for block in blocks]
    measured = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    shows = measured["darkest"] < measured["lightest"]
    if shows.any():  # a single blank image would widen the limits to anything
        measured = {name: values[shows] for name, values in measured.items()}
    lighter = np.median(measured["lighter"]) > 0
    spread = {name: np.abs(measured[name] - np.median(measured[name], axis=0)).mean() for name in ("box", "mass")}
    centring: Literal["box", "mass"] = "mass" if spread["mass"] < spread["box"] else "box"
    return Framing(
        background=int(np.median(measured["border"])),
        subject=int(np.median(measured["lightest" if lighter else "darkest"])),
        plain=bool(np.median(measured["even"]) >= PLAIN),
        extent=round(float(np.median(measured["extent"])), 6),
        centring=centring,
        centre=[round(float(place), 6) for place in np.median(measured[centring], axis=0)],
        limits={
            name: [float(np.round(end, 6)) for end in (values.min(), values.max())]
            for name, values in _limited(measured, centring).items()
        },
    )


def fits(values: np.ndarray, framing: Framing) -> bool:
    """Return whether an image is framed and lit as the training images are: each number is within their limits.

    values: uint8 (height, width), of the size of the training images.
    """
    numbers = _limited(_measured(values[None]), framing.centring)
    return all(low - 1e-6 <= numbers[name][0] <= high + 1e-6 for name, (low, high) in framing.limits.items())


def centre_of_mass(weights: np.ndarray) -> np.ndarray:
    """Return the weighted mean row and column of the pixels of each image, as shares, float (n, 2).

    weights: (n, height, width), at least 0. Images without weight have their centre in the middle.
    """
    places = []
    for axis, side in ((2, weights.shape[1]), (1, weights.shape[2])):
        line = weights.sum(axis=axis, dtype=np.float64)
        total = line.sum(axis=1)
        mean = (line @ (np.arange(side) + 0.5)) / np.where(total > 0, total, 1) / side
        places.append(np.where(total > 0, mean, 0.5))
    return np.stack(places, axis=1)


def _measured(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return numbers about each image of uint8 (n, height, width): arrays (n,), places (n, 2).

    even: the share of the border that has about its median value. lighter: by how much the pixels are lighter than that
    in total.
    """
    _, height, width = values.shape
    border = pixels.borders(values)
    top, left, bottom, right = pixels.boxes(values).T
    differences = values.astype(np.int16) - border[:, None, None]
    return {
        "border": border,
        "even": (np.abs(pixels.edges(differences)) <= pixels.STANDS_OUT).mean(axis=1),
        "lighter": differences.sum(axis=(1, 2), dtype=np.int64),
        "darkest": values.min(axis=(1, 2)),
        "lightest": values.max(axis=(1, 2)),
        "extent": np.maximum((bottom - top) / height, (right - left) / width),
        "box": np.stack([(top + bottom) / 2 / height, (left + right) / 2 / width], axis=1),
        "mass": centre_of_mass(np.abs(differences)),
    }


def _limited(measured: dict[str, np.ndarray], centring: str) -> dict[str, np.ndarray]:
    """Return the numbers, (n,) each, by which `fits` compares images."""
    compared = {name: measured[name] for name in ("border", "darkest", "lightest", "extent")}
    return compared | {"row": measured[centring][:, 0], "column": measured[centring][:, 1]}
