"""The confusion matrix."""

import numpy as np


def counts(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how many images of each class were predicted as each class, int64 (classes, classes), a row a label.

    predicted, labels: integer (n,), indices into the classes.
    """
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)
