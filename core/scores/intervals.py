"""95 % confidence intervals of scores: how far a score may be off because the test images are a sample."""

from statistics import NormalDist

import numpy as np

# 95 % of a normal distribution are within so many standard deviations of the mean.
DEVIATIONS = NormalDist().inv_cdf(0.975)


def wilson(share: np.ndarray | float, count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end, each in [0, 1], of the interval of `share` of `count` images.

    A mean over replicates is treated as the share of one network: all networks are scored on the same images, so more
    networks do not narrow the interval. If `count` is 0, the interval is 0 to 1.
    (Wilson, Journal of the American Statistical Association 22, 1927.)
    """
    share, count = np.asarray(share, np.float64), np.maximum(count, 1e-9)
    weight = DEVIATIONS**2 / count
    centre = (share + weight / 2) / (1 + weight)
    reach = DEVIATIONS * np.sqrt(share * (1 - share) / count + weight / count / 4) / (1 + weight)
    return np.clip(centre - reach, 0, share), np.clip(centre + reach, share, 1)


def of_mean(total: np.ndarray, squares: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end of the normal interval of a mean, from the sum of `count` values and of their squares.

    The interval of a single value has no width.
    """
    mean = total / count
    reach = DEVIATIONS * np.sqrt(np.maximum(squares / count - mean**2, 0) / max(count - 1, 1))
    return mean - reach, mean + reach


def f1(score: np.ndarray | float, count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper end of the interval of an F1 score; `count` images are of the class or predicted as it.

    The share of these images that are both is s = F1 / (2 - F1). The ends of Wilson's interval for s give the ends for
    F1 = 2s / (1 + s). (Wilson indirect method; Lam, Gopal and Qian, arXiv 2309.14621, 2023.)
    """
    score = np.asarray(score, np.float64)
    low, high = wilson(score / (2 - score), count)
    return 2 * low / (1 + low), 2 * high / (1 + high)
