"""Learning rate schedules."""

import numpy as np

# As in L. N. Smith, N. Topin, "Super-convergence" (2018), and in PyTorch's OneCycleLR: for this share of the steps, the
# rate rises from 1/START of its peak; then it falls to 1/END of where it started.
RISE, START, END = 0.3, 25, 10_000


def learning_rates(schedule: str, peak: float, steps: int) -> np.ndarray:
    """Return the learning rate of each step, float32 (steps,); `peak` is the largest.

    constant: always the peak. linear: from the peak down in equal steps; the rate after the last step would be 0.
    cosine: the same ends, along half a cosine (I. Loshchilov, F. Hutter, "SGDR", 2017, without restarts).
    one_cycle: up from peak / 25 and down to peak / 250,000, each along half a cosine.
    """
    step = np.arange(steps)
    done = step / steps
    if schedule == "constant":
        rates = np.full(steps, peak)
    elif schedule == "linear":
        rates = peak * (1 - done)
    elif schedule == "cosine":
        rates = _half_cosine(peak, 0, done)
    else:
        last = max(steps - 1, 1)
        top = RISE * last
        rise = _half_cosine(peak / START, peak, np.minimum(step / top, 1))
        fall = _half_cosine(peak, peak / START / END, np.maximum(step - top, 0) / (last - top))
        rates = np.where(step <= top, rise, fall)
    return rates.astype(np.float32)


def _half_cosine(start: float, end: float, done: np.ndarray) -> np.ndarray:
    """Go from start to end while `done` goes from 0 to 1, slowly at both ends."""
    return end + (start - end) * (1 + np.cos(np.pi * done)) / 2
