"""95 % confidence intervals of shares: how far a score may be off because the test images are a sample."""

from statistics import NormalDist

import numpy as np

# How many standard deviations to either side hold 95 % of a normal distribution.
DEVIATIONS = NormalDist().inv_cdf(0.975)


def wilson(share: np.ndarray | float, count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end, each in [0, 1], of the interval of `share` of `count` images.

    A mean over replicates is taken for the share of one network: the images are the same for all of them, so that more
    networks make the interval no narrower. Where `count` is 0 nothing is known: 0 to 1.
    (Wilson, Journal of the American Statistical Association 22, 1927.)
    """
    share, count = np.asarray(share, np.float64), np.maximum(count, 1e-9)
    weight = DEVIATIONS**2 / count
    centre = (share + weight / 2) / (1 + weight)
    reach = DEVIATIONS * np.sqrt(share * (1 - share) / count + weight / count / 4) / (1 + weight)
    return np.clip(centre - reach, 0, share), np.clip(centre + reach, share, 1)


def f1(score: np.ndarray | float, count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end of the interval of an F1 score; `count` images are of the class or named after it.

    The share of those images that are both is s = F1 / (2 - F1), and a share has Wilson's interval; F1 = 2s / (1 + s)
    leads back. (Wilson indirect method; Lam, Gopal and Qian, arXiv 2309.14621, 2023.)
    """
    score = np.asarray(score, np.float64)
    low, high = wilson(score / (2 - score), count)
    return 2 * low / (1 + low), 2 * high / (1 + high)
