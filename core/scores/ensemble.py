"""The ensemble of the replicates: it predicts the mean of their probabilities, as `tools.predict` does.

ensemble.json holds its scores of the test images.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat

from core.files import arrays, atomic, records
from core.scores import intervals, scores
from core.scores.scores import DECIMALS, Tally


class Ensemble(BaseModel):
    """The scores of the ensemble, and the ends of 95 % intervals for the choice of the test images.

    accuracy: with Wilson's interval. loss, in nats, and brier, 0 to 2: with the intervals of means. The expected
    calibration error and the top-2 accuracy are shares in [0, 1].
    """

    model_config = ConfigDict(strict=True, frozen=True)

    accuracy: FiniteFloat
    accuracy_low: FiniteFloat
    accuracy_high: FiniteFloat
    loss: FiniteFloat
    loss_low: FiniteFloat
    loss_high: FiniteFloat
    brier: FiniteFloat
    brier_low: FiniteFloat
    brier_high: FiniteFloat
    expected_calibration_error: FiniteFloat
    top2_accuracy: FiniteFloat


def average(probabilities: np.ndarray) -> np.ndarray:
    """Return the probabilities of the ensemble, float32 (n, classes), from float32 (replicates, n, classes)."""
    return probabilities.mean(axis=0)


def appended(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield each block, float32 (replicates, m, classes), with the ensemble as one more network at the end."""
    for block in blocks:
        yield np.concatenate([block, average(block)[None]])


def predictions(probabilities: np.ndarray) -> Iterator[int]:
    """Yield the class that the ensemble predicts for each image; probabilities: float32 (replicates, n, classes)."""
    for block in arrays.blocks(probabilities.swapaxes(0, 1)):
        yield from average(block.swapaxes(0, 1)).argmax(axis=1).tolist()


def of(tally: Tally) -> Ensemble:
    """Return the scores from the sums of one network, the ensemble."""
    found = scores.summary(tally, "ensemble")
    ends = {"accuracy": intervals.wilson(found["accuracy"], tally.images)}
    ends |= {name: tally.interval(name) for name in ("loss", "brier")}
    limits = {
        f"{name}_{end}": round(float(np.squeeze(value)), DECIMALS)
        for name, pair in ends.items()
        for end, value in zip(("low", "high"), pair, strict=True)
    }
    return Ensemble(**{name: found[name] for name in Ensemble.model_fields if name in found}, **limits)


def write(path: Path, ensemble: Ensemble) -> None:
    atomic.write_json(path, ensemble.model_dump())


def read(path: Path) -> Ensemble:
    """Return the scores. Raises DataError if the file is damaged."""
    return records.read(path, Ensemble.model_validate_json)
