import math

import numpy as np
import pytest

from stages.train.schedules import learning_rates


def test_one_cycle_worked_by_hand():
    """Eleven steps: the peak at step 0.3 * 10 = 3, halfway up at 1.5, halfway down at 6.5."""
    rates = learning_rates("one_cycle", 1.0, 11)

    start, end = 1 / 25, 1 / 250_000
    assert rates[0] == pytest.approx(start)
    assert rates[3] == rates.max() == pytest.approx(1)
    assert rates[10] == pytest.approx(end, rel=1e-3)
    assert rates[1] == pytest.approx(start + (1 - start) * (1 - math.cos(math.pi / 3)) / 2)
    assert rates[5] == pytest.approx(end + (1 - end) * (1 + math.cos(math.pi * 2 / 7)) / 2)
    assert (np.diff(rates[:4]) > 0).all() and (np.diff(rates[3:]) < 0).all()


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 1000])
def test_every_rate_is_a_positive_number_no_larger_than_the_peak(schedule, steps):
    rates = learning_rates(schedule, 0.003, steps)

    assert rates.shape == (steps,)
    assert (rates > 0).all() and (rates <= np.float32(0.003)).all()
