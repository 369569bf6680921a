import numpy as np
import pytest

from core.cli.errors import DataError
from core.config import params
from core.config.params import Evaluate
from core.networks import architectures, models
from core.networks.runtime import keras
from stages.evaluate import prediction
from tests.conftest import ROOT

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


@pytest.mark.parametrize("name", ["dense", "cnn_small"])
@pytest.mark.fault("run twice, on one core and on all")
def test_probabilities_have_the_same_bytes_on_any_number_of_cores(monkeypatch, name):
    settings = params.load(ROOT / "params.yaml").train.model_copy(update={"network": name, "hidden_units": [9]})
    networks = [models.with_probabilities(architectures.build((12, 14), 3, settings)) for _ in range(3)]
    images = np.random.RandomState(2).uniform(size=(40, 12, 14)).astype(np.float32)

    def predicted(cores: int) -> np.ndarray:
        monkeypatch.setattr(prediction, "cores", lambda: cores)
        return np.concatenate(list(prediction.predict(networks, images, batch_size=16)), axis=1)

    one = predicted(1)
    np.testing.assert_array_equal(predicted(4), one)
    np.testing.assert_allclose(one, [network(images) for network in networks], atol=1e-6)  # in the order of replicates


@pytest.mark.parametrize("colour", [(), (3,)])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_network_with_views_gives_the_mean_of_its_predictions_for_them(colour, mirrored, shift):
    """Of an image as it is, and moved to both corners of a black frame; then of the image with its columns reversed."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", name="logits")]
    one_view = keras.Sequential([keras.Input((2, 3, *colour)), *layers])
    images = np.random.RandomState(1).uniform(size=(4, 2, 3, *colour)).astype(np.float32)
    views = []
    for side in [images, np.stack([images[:, :, 2], images[:, :, 1], images[:, :, 0]], axis=2)][: 1 + mirrored]:
        views.append(side)
        if shift:
            views += [np.zeros_like(side), np.zeros_like(side)]
            views[-2][:, shift:, shift:] = side[:, :-shift, :-shift]
            views[-1][:, :-shift, :-shift] = side[:, shift:, shift:]
    settings = Evaluate(batch_size=1, single_image=0, mirrored=mirrored, shift=shift)

    found = prediction.with_views(one_view, settings)(images)

    np.testing.assert_allclose(found, np.mean([one_view(view) for view in views], axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("image_shape", "expected"), [((28, 28), 334), ((32, 32, 3), 256), ((224, 224, 3), 5), ((4096, 4096, 3), 1)]
)
@pytest.mark.fault("a batch of large images that memory has no room for")
def test_a_network_takes_fewer_images_at_once_if_they_are_large(image_shape, expected):
    assert prediction.at_once(image_shape, 1000) == expected
    assert prediction.at_once(image_shape, 7) == min(expected, 7)


@pytest.mark.fault("a batch of large images that memory has no room for")
def test_large_images_are_predicted_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(prediction, "MOST_PIXELS", 5 * 6)
    colours = np.random.RandomState(0).uniform(size=(11, 2, 3, 3)).astype(np.float32)
    layers = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax", name="logits")]

    batches = list(prediction.predict([keras.Sequential([keras.Input((2, 3, 3)), *layers])], colours, batch_size=8))

    assert [batch.shape for batch in batches] == [(1, 5, 2), (1, 5, 2), (1, 1, 2)]


@pytest.mark.fault("weights or probabilities that are no numbers")
def test_a_network_that_gives_no_numbers_is_refused():
    """Its weights are finite, but so large that the logits are not."""
    with pytest.raises(DataError, match=r"network of replicate 1: gives no probabilities .* lower train.learning_rate"):
        list(prediction.predict([network(KERNEL), network(KERNEL * np.float32(1e38))], IMAGES * 100, batch_size=4))
