from itertools import product

import numpy as np

from core.networks.runtime import tf
from stages.train.augmentation import augment

IMAGE = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
COPIES = np.repeat(IMAGE[None], 400, axis=0)


def augmented(seed: int, **options) -> np.ndarray:
    return augment(tf.constant(COPIES), tf.constant([seed, 0]), **options).numpy()


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move by slicing a picture with a wide black frame."""
    framed = np.pad(image, 5)
    return framed[5 - down : 5 - down + image.shape[0], 5 - right : 5 - right + image.shape[1]]


def test_all_shifts_within_the_limit_are_about_equally_frequent():
    moves = {moved(IMAGE, down, right).tobytes(): 0 for down, right in product(range(-1, 2), repeat=2)}

    for image in augmented(1, shift=1, flip=False):
        moves[image.tobytes()] += 1

    assert min(moves.values()) > 20 and sum(moves.values()) == 400  # 44 of each expected, deviation 6


def test_flips_mirror_left_to_right_half_the_time():
    images = augmented(2, shift=0, flip=True)

    mirrored = (images == IMAGE[:, ::-1]).all(axis=(1, 2))
    assert (mirrored | (images == IMAGE).all(axis=(1, 2))).all()
    assert 150 < mirrored.sum() < 250
