import numpy as np

from core.scores import confusion


def test_labels_of_256_classes_do_not_overflow():
    """Labels are uint8: 255 * 256 must not be counted modulo 256."""
    counts = confusion.counts(np.array([3]), np.array([255], np.uint8), 256)

    assert counts[255, 3] == 1 and counts.sum() == 1
