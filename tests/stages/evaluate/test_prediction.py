import numpy as np
import pytest

from core.cli.errors import DataError, InputError
from core.networks.runtime import keras
from stages.evaluate import prediction


def network(kernel: np.ndarray) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", use_bias=False)]
    )
    model.set_weights([kernel.astype(np.float32)])
    return model


IMAGES = np.random.RandomState(0).uniform(size=(11, 2, 3)).astype(np.float32)
KERNEL = np.arange(12, dtype=np.float32).reshape(6, 2) / 6


def test_all_images_are_predicted_the_last_partial_batch_too():
    """Eleven images in batches of four, by two networks of which one has the classes the other way round."""
    exponentials = np.exp(IMAGES.reshape(11, 6) @ KERNEL)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)

    batches = list(prediction.predict([network(KERNEL), network(KERNEL[:, ::-1])], IMAGES, classes=2, batch_size=4))

    assert [batch.shape for batch in batches] == [(2, 4, 2), (2, 4, 2), (2, 3, 2)]
    probabilities = np.concatenate(batches, axis=1)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, [expected, expected[:, ::-1]], atol=1e-6)


def test_a_network_for_other_images_or_classes_is_refused():
    with pytest.raises(DataError, match=r"expected \(None, 2, 3\) to \(None, 3\), got \(None, 2, 3\) to \(None, 2\)"):
        list(prediction.predict([network(KERNEL)], IMAGES, classes=3, batch_size=4))
    with pytest.raises(DataError, match="made for other data"):
        list(prediction.predict([network(KERNEL)], IMAGES[:, :, :2], classes=2, batch_size=4))


def test_a_network_with_nan_weights_is_refused():
    with pytest.raises(DataError, match="network of replicate 1: gives no probabilities"):
        list(prediction.predict([network(KERNEL), network(KERNEL * np.nan)], IMAGES, classes=2, batch_size=4))


def test_an_image_alone_is_a_batch_of_one():
    np.testing.assert_array_equal(prediction.batch_of_one(IMAGES, 10), IMAGES[10].reshape(1, 2, 3))
    with pytest.raises(InputError, match=r"params.yaml: evaluate.single_image: .* \(expected 0 to 10, got 11\)"):
        prediction.batch_of_one(IMAGES, 11)


@pytest.mark.fault("a fault that shows in a late block, when the others are written")
def test_probabilities_are_stored_replicate_by_replicate_and_only_when_all_have_come(tmp_path):
    """As numpy itself writes the whole array; the blocks come in batches of all replicates."""
    whole = np.random.RandomState(1).uniform(size=(2, 11, 3)).astype(np.float32)
    path, blocks = tmp_path / "stored.npy", [whole[:, :4], whole[:, 4:8], whole[:, 8:]]

    with prediction.storing(path, whole.shape) as stored:
        assert all(passed is block for passed, block in zip(stored(iter(blocks)), blocks, strict=True))
        assert not path.exists()

    np.save(tmp_path / "expected.npy", whole)
    assert path.read_bytes() == (tmp_path / "expected.npy").read_bytes()
