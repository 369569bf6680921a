"""How the subject stands in the training images, so that `tools.predict` can bring other pictures to the same."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field

from stages import pictures
from stages.schema import Strict


class Framing(Strict):
    """extent: how much of the image the subject takes up, of its height or its width, whichever share is larger: the
    median over training images. background: the grey value around it, in [0, 255], likewise.
    """

    extent: Annotated[float, Field(gt=0, le=1)]
    background: Annotated[int, Field(ge=0, le=255)]


def measure(blocks: Iterable[np.ndarray]) -> Framing:
    """Return the framing of images, float32 (n, height, width) in [0, 1], given in blocks, n >= 1."""
    extents, grounds = (np.concatenate(parts) for parts in zip(*map(_subjects, blocks), strict=True))
    return Framing(extent=round(float(np.median(extents)), 6), background=int(np.median(grounds)))


def _subjects(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of each image its subject takes up, in [0, 1], and the grey value of its border."""
    values = np.rint(images * 255).astype(np.uint8)
    top, left, bottom, right = pictures.boxes(values).T
    height, width = images.shape[1:]
    return np.maximum((bottom - top) / height, (right - left) / width), pictures.borders(values)
