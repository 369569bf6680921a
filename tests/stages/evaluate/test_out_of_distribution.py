"""The out-of-distribution score of networks whose features are the pixels, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from core.cli.errors import DataError
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import framing, out_of_distribution, prediction


def network(classes: int, shape: tuple[int, ...] = (2, 2), seed: int = 0) -> keras.Model:
    """A network whose features are the pixels of its images."""
    logits = keras.layers.Dense(classes, use_bias=False, name="logits")
    layers = [keras.Input(shape, name="images"), keras.layers.Flatten(name="flatten"), logits]
    model = keras.Sequential(layers, name="pixels")
    model.set_weights([np.random.default_rng(seed).normal(size=(math.prod(shape), classes)).astype(np.float32)])
    return models.with_probabilities(model)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((500, 2, 2), np.float32)


def features_of(images: np.ndarray) -> np.ndarray:
    """Pixels over the root of their length, in double precision."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    return pixels / np.sqrt(np.linalg.norm(pixels, axis=1, keepdims=True))


@pytest.mark.fault("a picture of nothing that was trained")
def test_thresholds_are_percentiles_of_distances_to_the_nearest_other_image(images):
    """In scikit-learn the first neighbour of an image is the image itself, and the second is another image."""
    found = out_of_distribution.measure([network(4), network(4, seed=1)], images, batch_size=64)

    assert found.features.dtype == found.thresholds.dtype == np.float32
    features = features_of(images)
    np.testing.assert_allclose(found.features, [features, features], rtol=1e-5)
    away, _ = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(features).kneighbors(features)
    np.testing.assert_allclose(found.thresholds, [np.percentile(away[:, 1], 99)] * 2, rtol=1e-3)


def test_the_features_of_a_network_that_ends_in_pooling_are_its_flattened_channels(images):
    twice = keras.layers.Conv2D(2, 1, use_bias=False, kernel_initializer="ones", name="twice")
    pooling = keras.layers.GlobalAveragePooling2D(name="logits")
    layers = [keras.Input((2, 2), name="images"), keras.layers.Reshape((2, 2, 1), name="channel"), twice, pooling]
    pooled = models.with_probabilities(keras.Sequential(layers, name="pooled"))

    found = out_of_distribution.measure([pooled], images, batch_size=64)

    np.testing.assert_allclose(found.features, [features_of(np.repeat(images, 2, axis=2))], rtol=1e-5)


def test_few_images_with_many_features_flag_about_one_percent_of_new_images():
    """20 images of 144 pixels, and 2,000 more of the same kind; compared with themselves, all would have distance 0."""
    drawn = np.random.default_rng(1).normal(0.5, 0.1, (2020, 12, 12)).astype(np.float32)
    single = network(2, (12, 12))

    found = out_of_distribution.measure([single], drawn[:20], batch_size=64)

    features, _ = out_of_distribution.predict(out_of_distribution.with_features(single), drawn[20:], 64)
    away = out_of_distribution.distances(features, found.features[0])
    assert 0.001 < (away > found.thresholds[0]).mean() < 0.1


@pytest.mark.parametrize("at_once", [2, 2**24])
def test_a_distance_is_to_the_nearest_reference(monkeypatch, at_once):
    monkeypatch.setattr(out_of_distribution, "MOST_NUMBERS_AT_ONCE", at_once)
    references = np.array([[0, 0], [10, 0], [10, 1]], np.float32)
    distances = out_of_distribution.distances

    assert distances(np.array([[3, 4], [10, -2]], np.float32), references).tolist() == [5, 2]
    assert distances(references, references, leave_one_out=True).tolist() == [10, 1, 1]
    assert distances(references[:1], references[:1], leave_one_out=True).tolist() == [0]
    assert distances(np.array([[np.nan, 0]], np.float32), references).tolist() == [np.inf]


def test_batches_change_no_byte(images):
    first, *others = (out_of_distribution.measure([network(4)], images, batch_size=size) for size in (64, 7, 499, 1000))

    for other in others:
        assert [each.tobytes() for each in first[:2]] == [each.tobytes() for each in other[:2]]


def test_equal_images_have_a_threshold_above_zero():
    same = np.full((3, 2, 2), 0.5, np.float32)

    assert 0 < out_of_distribution.measure([network(4)], same, batch_size=2).thresholds[0] < 1e-30


def test_many_images_are_represented_by_evenly_spaced_images(images, monkeypatch):
    assert out_of_distribution.evenly_spaced(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert out_of_distribution.evenly_spaced(10, 4).tolist() == [0, 2, 5, 7]
    few = out_of_distribution.measure([network(4)], images[::5], batch_size=64)
    monkeypatch.setattr(out_of_distribution, "MOST_NUMBERS_KEPT", 4 * 100)
    monkeypatch.setattr(out_of_distribution, "MOST_NUMBERS_AT_ONCE", 4 * 30)

    many = out_of_distribution.measure([network(4)], images, batch_size=64)

    np.testing.assert_allclose(many.features, few.features, rtol=1e-6)
    np.testing.assert_allclose(many.thresholds, few.thresholds, rtol=1e-3)


def test_features_come_with_the_probabilities_of_the_same_network(images):
    plain = network(3)

    features, probabilities = out_of_distribution.predict(out_of_distribution.with_features(plain), images, 64)

    np.testing.assert_allclose(features, features_of(images), rtol=1e-5)
    np.testing.assert_array_equal(probabilities[:64], plain(images[:64], training=False))


def test_colours_are_features_too_and_have_no_framing(images, tmp_path, monkeypatch):
    """Read in parts of 30 images, and predicted in batches of 8."""
    monkeypatch.setattr(out_of_distribution, "MOST_NUMBERS_AT_ONCE", 12 * 30)
    monkeypatch.setattr(prediction, "MOST_PIXELS", 4 * 8)
    colours = np.random.default_rng(2).random((90, 2, 2, 3), np.float32)
    single = network(4, (2, 2, 3))

    written = out_of_distribution.measure([single], colours, batch_size=64)
    out_of_distribution.write(tmp_path, written)
    found = out_of_distribution.read(tmp_path, [out_of_distribution.with_features(single)])

    np.testing.assert_allclose(found.features, [features_of(colours)], rtol=1e-5)
    away, _ = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(features_of(colours)).kneighbors()
    np.testing.assert_allclose(found.thresholds, [np.percentile(away[:, 0], 99)], rtol=1e-3)
    assert written.framing is found.framing is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["references.npy", "thresholds.npy"]


@pytest.mark.fault("a reference of other networks, or a damaged one")
def test_the_reference_is_read_back_and_belongs_to_its_networks(images, tmp_path):
    networks = [network(4), network(4, seed=1)]
    written = out_of_distribution.measure(networks, images, batch_size=64)
    out_of_distribution.write(tmp_path, written)
    featured = list(map(out_of_distribution.with_features, networks))

    found = out_of_distribution.read(tmp_path, featured)

    np.testing.assert_array_equal(found.features, written.features)
    np.testing.assert_array_equal(found.thresholds, written.thresholds)
    assert found.framing == written.framing
    with pytest.raises(DataError, match=r"made with other networks \(expected \(1, 4, 1\), got \(2, 4, 2\)\)"):
        out_of_distribution.read(tmp_path, featured[:1])
    (tmp_path / "framing.json").write_text('{"background": 256}', encoding="utf-8")
    with pytest.raises(DataError, match=r"framing\.json: damaged"):
        out_of_distribution.read(tmp_path, featured)


def test_the_framing_of_many_images_is_that_of_evenly_spaced_ones(images, monkeypatch):
    monkeypatch.setattr(out_of_distribution, "MOST_FRAMED", 200)

    found = out_of_distribution.measure([network(4)], images, batch_size=64)

    assert found.framing == framing.measure([images[::3]]) != framing.measure([images])
