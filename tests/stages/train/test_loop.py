import numpy as np
import pytest

from core.networks.runtime import keras, tf
from stages.train.loop import Dropout, with_fast_dropout


def test_dropout_leaves_out_its_share_and_raises_the_rest_in_training_only():
    keras.utils.set_random_seed(1)
    plain = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.2, name="dropout")])
    dropout = with_fast_dropout(plain)
    ones = tf.ones((50, 1000))

    kept = dropout(ones, training=True).numpy()

    assert isinstance(dropout.layers[0], Dropout)
    assert set(np.unique(kept)) == {0, np.float32(1.25)}
    assert np.mean(kept == 0) == pytest.approx(0.2, abs=0.01)  # 5.6 standard deviations
    assert not np.array_equal(kept, dropout(ones, training=True).numpy())
    np.testing.assert_array_equal(dropout(ones, training=False), ones)
    assert [v.shape for v in dropout.variables] == [v.shape for v in plain.variables]
