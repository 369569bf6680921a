import numpy as np
import pytest

from core.cli.errors import DataError
from core.networks.runtime import keras
from stages.evaluate import prediction

IMAGES = np.random.RandomState(0).uniform(size=(11, 2, 3)).astype(np.float32)
KERNEL = np.arange(12, dtype=np.float32).reshape(6, 2) / 6


def network(kernel: np.ndarray) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", use_bias=False)]
    model = keras.Sequential([keras.Input((2, 3)), *layers])
    model.set_weights([kernel.astype(np.float32)])
    return model


def test_all_images_are_predicted_also_the_last_partial_batch():
    """Eleven images in batches of four, by two networks; the second has the classes in the other order."""
    exponentials = np.exp(IMAGES.reshape(11, 6) @ KERNEL)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)

    batches = list(prediction.predict([network(KERNEL), network(KERNEL[:, ::-1])], IMAGES, batch_size=4))

    assert [batch.shape for batch in batches] == [(2, 4, 2), (2, 4, 2), (2, 3, 2)]
    probabilities = np.concatenate(batches, axis=1)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, [expected, expected[:, ::-1]], atol=1e-6)


@pytest.mark.fault("weights or probabilities that are no numbers")
def test_a_network_that_gives_no_numbers_is_refused():
    """Its weights are finite, but so large that the logits are not."""
    with pytest.raises(DataError, match=r"network of replicate 1: gives no probabilities .* lower train.learning_rate"):
        list(prediction.predict([network(KERNEL), network(KERNEL * np.float32(1e38))], IMAGES * 100, batch_size=4))
