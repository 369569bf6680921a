import numpy as np
import pytest

from core.scores import variance


def test_components_worked_by_hand():
    """Two replicates, three images: the means are 2 and 3, the residuals are 1/2, 0, -1/2 and their opposites."""
    values = np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 3.0]])

    found = variance.components(values)

    interaction = (4 * 0.25) / (1 * 2) / 3
    assert found.interaction == pytest.approx(interaction)
    assert found.replicates == pytest.approx(0.5)
    assert found.seeds == pytest.approx(0.5 - interaction)
    assert found.images == pytest.approx(max(0.25 / 3 - interaction / 2, 0))


def test_replicates_that_differ_less_than_their_images_explain_leave_nothing_to_the_seeds():
    found = variance.components(np.array([[True, False, True], [False, True, True]]))

    assert found.replicates == found.seeds == 0 < found.interaction


def test_simulated_components_are_found_again():
    """Replicates, images and interaction with standard deviations 0.02, 0.4 and 0.3: means over 200 simulations."""
    random = np.random.default_rng(0)
    found = np.mean(
        [
            variance.components(
                random.normal(0, 0.02, (5, 1)) + random.normal(0, 0.4, (1, 400)) + random.normal(0, 0.3, (5, 400))
            )
            for _ in range(200)
        ],
        axis=0,
    )

    assert found == pytest.approx([0.02**2 + 0.3**2 / 400, 0.3**2 / 400, 0.4**2 / 400], rel=0.15)
