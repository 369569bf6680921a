"""What the other stages left, as the report is made from it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from stages.arrays import Split
from stages.datasets import Downloaded, Generated


class Results(NamedTuple):
    """Everything that the report can say.

    settings: values of params.yaml by their full names; probabilities: float32 (replicates, test images, classes);
    single: the index of a test image and its probabilities when predicted alone, float32 (replicates, classes);
    history: a structured array with the columns of history.csv; training, metrics: what is in the JSON files.
    """

    settings: Mapping[str, object]
    entry: Downloaded | Generated
    classes: list[str]
    train: Split
    test: Split
    probabilities: np.ndarray
    single: tuple[int, np.ndarray]
    history: np.ndarray
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
