"""Learning rates: how large each step of a training is, worked out before the first."""

import numpy as np

# As in L. N. Smith, N. Topin, "Super-convergence" (2018), and in PyTorch's OneCycleLR: the rate rises for this share of
# the steps, from 1/START of its peak, and then falls to 1/END of where it started.
RISE, START, END = 0.3, 25, 10_000


def learning_rates(schedule: str, peak: float, steps: int) -> np.ndarray:
    """Return the rate of each step, float32 (steps,); `peak` is the largest.

    constant: peak throughout. linear: from peak, in equal steps, so that the rate after the last would be 0.
    cosine: the same ends, along half a cosine (I. Loshchilov, F. Hutter, "SGDR", 2017, without restarts).
    one_cycle: up from peak / 25 and down to peak / 250,000, each along half a cosine.
    """
    done = np.arange(steps) / steps
    if schedule == "one_cycle":
        last = max(steps - 1, 1)
        top = RISE * last
        position = np.arange(steps)
        rise = _half_cosine(peak / START, peak, np.minimum(position / top, 1))
        fall = _half_cosine(peak, peak / START / END, np.maximum(position - top, 0) / (last - top))
        rates = np.where(position <= top, rise, fall)
    else:
        rates = {"constant": np.full(steps, peak), "linear": peak * (1 - done), "cosine": _half_cosine(peak, 0, done)}[
            schedule
        ]
    return rates.astype(np.float32)


def _half_cosine(start: float, end: float, done: np.ndarray) -> np.ndarray:
    """Go from start to end as `done` goes from 0 to 1, slowly at both ends."""
    return end + (start - end) * (1 + np.cos(np.pi * done)) / 2
