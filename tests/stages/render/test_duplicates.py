import numpy as np
import pytest

from stages.render import duplicates

IMAGES = np.random.default_rng(0).integers(0, 3, (200, 2, 2)).astype(np.float32) / 2  # of 81 possible images


@pytest.mark.fault("images that are there twice, or in both splits")
def test_every_repeated_image_is_found_and_no_other():
    """Against a comparison of all pairs."""
    labels = np.random.default_rng(1).integers(0, 2, 200)
    equal = (IMAGES[:, None] == IMAGES[None]).all(axis=(2, 3))
    earlier = np.tril(equal, -1)
    differ = earlier & (labels[:, None] != labels[None])

    copies = duplicates.within(duplicates.digests(IMAGES), labels)

    assert list(copies) == np.flatnonzero(earlier.any(axis=1)).tolist()
    assert list(copies.values()) == (~differ.any(axis=1))[list(copies)].tolist()
    assert 0 < sum(copies.values()) < len(copies)


@pytest.mark.fault("images that are there twice, or in both splits")
def test_every_shared_image_is_found_and_no_other():
    first, others = IMAGES[:40], IMAGES[40:80]
    labels, their_labels = np.zeros(40, int), np.arange(40) % 2
    equal = (first[:, None] == others[None]).all(axis=(2, 3))

    copies = duplicates.shared(duplicates.digests(first), labels, duplicates.digests(others), their_labels)

    assert list(copies) == np.flatnonzero(equal.any(axis=1)).tolist()
    differ = (equal & (their_labels == 1)[None]).any(axis=1)
    assert list(copies.values()) == (~differ)[list(copies)].tolist()
