"""Augmentation: mirroring and random shifts of the training images."""

from core.networks.runtime import tf


def augment(images: tf.Tensor, mirrored: tf.Tensor, seed: tf.Tensor, *, shift: int, flip: bool) -> tf.Tensor:
    """Return images mirrored left to right where `mirrored` says so, then shifted at random.

    Each image is shifted by up to `shift` pixels along both axes; pixels that come in are 0. Without `flip`, none is
    mirrored. images: float32 (n, height, width) or (n, height, width, 3). mirrored: bool (n,). seed: int32 (2,); equal
    seeds shift images equally.
    """
    count, height, width = images.shape[:3]
    channels = len(images.shape) - 3  # axes of channels: 1 if the images are in colour, else 0
    if flip:
        images = tf.where(tf.reshape(mirrored, [count, 1, 1, *[1] * channels]), tf.reverse(images, [2]), images)
    if shift:
        moves = tf.random.stateless_uniform([count, 2], seed, 0, 2 * shift + 1, tf.int32, alg="philox")
        padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], *[[0, 0]] * channels])
        rows = moves[:, :1] + tf.range(height)
        columns = moves[:, 1:] + tf.range(width)
        images = tf.gather(padded, rows, axis=1, batch_dims=1)
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    return images
