"""How the subject stands in the training images, so that `tools.predict` can bring other pictures to the same."""

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from core.config.schema import Strict
from core.formats import image_file

PLAIN = 0.75  # of the border, in half of the images: with less of it the background, the background is not plain

Grey = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0, le=1)]


class Framing(Strict):
    """What is typical of training images; shares are of the height or the width.

    background: the grey value of the border, in [0, 255], the median over the images. subject: the grey value in them
    that is farthest from it, likewise. plain: whether most of the border is of one value, as a background is.
    extent: the share that the subject takes up, of its height or its width, whichever is larger: the median. centring:
    what of the subject is in one place in all images, the middle of its bounding box or its centre of mass. centre: the
    row and the column of that place, as shares. limits: the smallest and the largest of each of the facts
    that tell whether an image is framed and lit as these are. Blank images do not count.
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
    found = []
    for block in blocks:
        values = np.rint(block * 255).astype(np.uint8)
        of_block = _measured(values, "box", "mass")
        found.append(of_block | _ground(values, of_block["border"]))
    measured = {name: np.concatenate([each[name] for each in found]) for name in found[0]}
    shows = measured["darkest"] < measured["lightest"]  # one blank image among them would widen the limits to anything
    if shows.any():
        measured = {name: values[shows] for name, values in measured.items()}
    lighter = np.median(measured["lighter"]) > 0
    off = {name: np.abs(measured[name] - np.median(measured[name], axis=0)).mean() for name in ("box", "mass")}
    centring: Literal["box", "mass"] = "mass" if off["mass"] < off["box"] else "box"
    facts = _facts(measured, centring)
    return Framing(
        background=int(np.median(measured["border"])),
        subject=int(np.median(measured["lightest" if lighter else "darkest"])),
        plain=bool(np.median(measured["even"]) >= PLAIN),
        extent=round(float(np.median(measured["extent"])), 6),
        centring=centring,
        centre=[round(float(place), 6) for place in np.median(measured[centring], axis=0)],
        limits={name: [float(np.round(end, 6)) for end in (fact.min(), fact.max())] for name, fact in facts.items()},
    )


def fits(values: np.ndarray, framing: Framing) -> bool:
    """Return whether uint8 (height, width), of the size of the training images, is framed and lit as they are: whether
    each of its facts is within their limits.
    """
    facts = _facts(_measured(values[None], framing.centring), framing.centring)
    return all(low - 1e-6 <= facts[name][0] <= high + 1e-6 for name, (low, high) in framing.limits.items())


def centre_of_mass(weights: np.ndarray) -> np.ndarray:
    """Return the row and the column of each of (n, height, width) >= 0 that is the mean of its pixels, by weight, as
    shares, float (n, 2); the middle where there is no weight.
    """
    places = []
    for axis, side in ((2, weights.shape[1]), (1, weights.shape[2])):
        line = weights.sum(axis=axis, dtype=np.float64)
        total = line.sum(axis=1)
        mean = (line @ (np.arange(side) + 0.5)) / np.where(total > 0, total, 1) / side
        places.append(np.where(total > 0, mean, 0.5))
    return np.stack(places, axis=1)


def _measured(values: np.ndarray, *centrings: str) -> dict[str, np.ndarray]:
    """Return what there is to know of each of uint8 (n, height, width): arrays of n values, or of n places."""
    _, height, width = values.shape
    border = image_file.borders(values)
    top, left, bottom, right = image_file.boxes(values).T
    measured = {
        "border": border,
        "darkest": values.min(axis=(1, 2)),
        "lightest": values.max(axis=(1, 2)),
        "extent": np.maximum((bottom - top) / height, (right - left) / width),
    }
    if "box" in centrings:
        measured["box"] = np.stack([(top + bottom) / 2 / height, (left + right) / 2 / width], axis=1)
    if "mass" in centrings:
        measured["mass"] = centre_of_mass(np.abs(values.astype(np.int16) - border[:, None, None]))
    return measured


def _ground(values: np.ndarray, border: np.ndarray) -> dict[str, np.ndarray]:
    """Return, of each of uint8 (n, height, width), which share of its border has about the value of `border`, (n,), and
    by how much its pixels are lighter than that in all.
    """
    outermost = image_file.edges(values).astype(np.int16)
    return {
        "even": (np.abs(outermost - border[:, None]) <= image_file.STANDS_OUT).mean(axis=1),
        "lighter": values.sum(axis=(1, 2), dtype=np.int64) - border.astype(np.int64) * values[0].size,
    }


def _facts(measured: dict[str, np.ndarray], centring: str) -> dict[str, np.ndarray]:
    """Return the numbers, an array (n,) each, that tell whether a picture is framed and lit as others are."""
    named = {name: measured[name] for name in ("border", "darkest", "lightest", "extent")}
    return named | {"row": measured[centring][:, 0], "column": measured[centring][:, 1]}
