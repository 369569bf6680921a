"""The layers that replace those of Keras in training."""

import numpy as np
import pytest

from core.networks.runtime import keras, tf
from stages.train import loop


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 3, 5, 2), {}),
        ((1, 1, 1, 2), {"momentum": 0.5, "epsilon": 0.1}),
        ((4, 3, 5, 2), {"scale": False}),
        ((4, 3, 5, 2), {"center": False}),
        ((4, 3, 5, 2), {"axis": 1}),
        ((4, 3, 5, 2), {"trainable": False}),
        ((4, 3), {}),
        ((4, 3, 5), {}),
    ],
)
def test_batch_normalization_gives_what_that_of_keras_gives(shape, options):
    inputs = tf.constant(np.random.RandomState(0).normal(3, 2, shape).astype(np.float32))
    found = []
    for kind in (loop.BatchNormalization, keras.layers.BatchNormalization):
        layer = kind(**options)
        layer.build(shape)
        found.append([layer(inputs, training=True), *layer.get_weights(), layer(inputs, training=False)])

    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
