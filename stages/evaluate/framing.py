"""How the subject stands in the training images, so that `tools.predict` can bring other pictures to the same."""

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


def measure(images: np.ndarray) -> Framing:
    """Return the framing of float32 (n, height, width) in [0, 1], n >= 1."""
    values = np.rint(images * 255).astype(np.uint8)
    top, left, bottom, right = pictures.boxes(values).T
    height, width = images.shape[1:]
    extents = np.maximum((bottom - top) / height, (right - left) / width)
    background = int(np.median(pictures.borders(values)))
    return Framing(extent=round(float(np.median(extents)), 6), background=background)
