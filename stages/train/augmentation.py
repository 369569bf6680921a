"""Augmentation: random shifts and mirroring of the training images."""

from core.networks.runtime import tf
from stages.train.loop import RANDOM


def augment(images: tf.Tensor, seed: tf.Tensor, *, shift: int, flip: bool) -> tf.Tensor:
    """Return images mirrored left to right with a chance of one half, then shifted.

    Each image is shifted by up to `shift` pixels along both axes; pixels that come in are 0. Without `flip`, none is
    mirrored. images: float32 (n, height, width) or (n, height, width, 3). seed: int32 (2,); equal seeds change equal
    images in the same way.
    """
    seeds = tf.random.split(seed, 2, alg=RANDOM)
    count, height, width = images.shape[:3]
    channels = len(images.shape) - 3  # axes of channels: 1 if the images are in colour, else 0
    if flip:
        mirrored = tf.random.stateless_uniform([count, 1, 1, *[1] * channels], seeds[0], alg=RANDOM) < 0.5
        images = tf.where(mirrored, tf.reverse(images, [2]), images)
    if shift:
        moves = tf.random.stateless_uniform([count, 2], seeds[1], 0, 2 * shift + 1, tf.int32, alg=RANDOM)
        padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], *[[0, 0]] * channels])
        rows = moves[:, :1] + tf.range(height)
        columns = moves[:, 1:] + tf.range(width)
        images = tf.gather(padded, rows, axis=1, batch_dims=1)
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    return images
