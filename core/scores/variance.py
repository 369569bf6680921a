"""What the noise of a score is made of: a model of the variance between replicates and between test images.

A score of each replicate and each image is modelled as recipe + replicate + image + the interaction of replicate and
image (two-way random effects; Searle, Casella and McCulloch, Variance Components, 1992, chapter 4).
"""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """Variances of the mean score of one replicate.

    replicates: between replicates on these test images. interaction: the part of it that is only there because the test
    images are few; it falls with their number (Jordan, arXiv 2304.01910, 2023). images: the variance from which test
    images were drawn, the same for all replicates.
    """

    replicates: float
    interaction: float
    images: float

    @property
    def seeds(self) -> float:
        """The variance between replicates that unlimited test images would leave; its estimate is at least 0."""
        return max(self.replicates - self.interaction, 0.0)


def components(values: np.ndarray) -> Components:
    """Return the components of values, bool or float (replicates, images), at least two of each."""
    replicates, images = values.shape
    by_replicate, by_image = values.mean(axis=1), values.mean(axis=0)
    residual = values - by_replicate[:, None] - by_image + by_replicate.mean()
    interaction = np.square(residual).sum() / ((replicates - 1) * (images - 1)) / images
    of_images = max(by_image.var(ddof=1) / images - interaction / replicates, 0.0)
    return Components(float(by_replicate.var(ddof=1)), float(interaction), float(of_images))
