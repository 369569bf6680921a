"""What is typical of training images, by a network whose features are the pixels, against sums worked out in numpy."""

import json
from pathlib import Path

import numpy as np
import pytest

from stages import arrays, models
from stages.command import DataError
from stages.evaluate import familiarity
from stages.runtime import keras


def network(weights: np.ndarray, side: int = 2) -> keras.Model:
    """A network whose features are the pixels of square images, its logits these (pixels, classes) of them."""
    logits = keras.layers.Dense(weights.shape[1], use_bias=False, name="logits")
    model = keras.Sequential(
        [keras.Input((side, side), name="images"), keras.layers.Flatten(name="flatten"), logits], name="pixels"
    )
    model.set_weights([weights])
    return models.with_probabilities(model)


def rotated(by: int) -> keras.Model:
    """A network that takes an image for a class by its brightest pixel; of four classes it knows three."""
    weights = np.roll(np.eye(4, dtype=np.float32), by, axis=0)
    weights[:, 3] = -9
    return network(weights)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((500, 2, 2), np.float32)


def test_means_and_thresholds_are_those_of_numpy(images):
    networks = [rotated(0), rotated(1)]

    found = familiarity.measure(networks, images, batch_size=64)

    assert found.means.dtype == found.spreads.dtype == found.thresholds.dtype == np.float32
    pixels = images.reshape(500, 4).astype(np.float64)
    for replicate, by in enumerate((0, 1)):
        named = (pixels @ np.roll(np.eye(4), by, axis=0))[:, :3].argmax(axis=1)
        means = np.array([pixels[named == index].mean(axis=0) for index in range(3)])
        np.testing.assert_allclose(found.means[replicate, :3], means, rtol=1e-6)
        assert np.isinf(found.means[replicate, 3]).all()  # no image was taken for that class
        spreads = np.array([np.sqrt(pixels[named == index].var(axis=0)) for index in range(3)])
        spreads += spreads.mean() / 10
        np.testing.assert_allclose(found.spreads[replicate, :3], spreads, rtol=1e-6)
        away = np.sort([away_from_others(pixels, named, image, means=means, spreads=spreads) for image in range(500)])
        # the 99th percentile of 500: 0.99 * 499 = 494.01 places above the smallest
        assert found.thresholds[replicate] == pytest.approx(away[494] + 0.01 * (away[495] - away[494]), rel=1e-5)


def away_from_others(pixels, named, image, *, means, spreads):
    """Return the distance of an image from the others of its class; to spreads is added what it is for all of them."""
    others = pixels[(named == named[image]) & (np.arange(len(pixels)) != image)]
    added = spreads[named[image]] - np.sqrt(pixels[named == named[image]].var(axis=0))
    return np.linalg.norm((pixels[image] - others.mean(axis=0)) / (others.std(axis=0) + added))


def test_of_few_images_with_many_features_no_more_strangers_are_found_than_of_many():
    """20 images of 144 pixels, and 2,000 more of the same kind: held against means and spreads that they have drawn to
    themselves, the 20 would set a threshold that a third of the others are beyond.
    """
    drawn = np.random.default_rng(1).normal(0.5, 0.1, (2020, 12, 12)).astype(np.float32)
    single = network(np.outer(np.ones(144), [1, -1]).astype(np.float32), side=12)  # all are of class 0

    found = familiarity.measure([single], drawn[:20], batch_size=64)

    features = drawn[20:].reshape(2000, 144)
    away = familiarity.distances(features, np.zeros(2000, int), found.means[0], found.spreads[0])
    assert 0.001 < (away > found.thresholds[0]).mean() < 0.05


def test_an_only_image_of_its_class_sets_no_threshold():
    assert familiarity.left_out(np.ones((1, 3), np.float32), np.ones(3), np.zeros(3), 0.1).tolist() == [0]


@pytest.mark.parametrize("batch_size", [7, 499, 500, 1000])
def test_batches_change_no_byte(images, batch_size):
    networks = [rotated(0)]
    first, second = (familiarity.measure(networks, images, batch_size=size) for size in (64, batch_size))

    assert [each.tobytes() for each in first[:3]] == [each.tobytes() for each in second[:3]]


def test_an_image_taken_for_a_class_that_nothing_is_known_of_is_infinitely_far():
    means = np.array([[0, 0], [np.inf, np.inf]], np.float32)

    spreads = np.array([[1, 2], [1, 1]], np.float32)

    found = familiarity.distances(np.array([[3, 8], [3, 4]], np.float32), np.array([0, 1]), means, spreads)

    assert found.tolist() == [5, np.inf]


def test_equal_images_are_typical_and_any_other_is_not():
    same = np.full((3, 2, 2), 0.5, np.float32)
    same[:, 0, 0] = 1

    found = familiarity.measure([rotated(0)], same, batch_size=2)

    assert found.thresholds.tolist() == [0] and (found.spreads[0, 0] == 1).all()


def test_of_many_images_some_are_taken_that_are_evenly_spaced():
    assert familiarity.spread(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert familiarity.spread(10, 4).tolist() == [0, 2, 5, 7]
    taken = familiarity.spread(65_001, 10_000)
    assert len(set(taken.tolist())) == 10_000 and taken[0] == 0 and set(np.diff(taken)) == {6, 7}


def test_large_images_are_looked_at_a_few_at_a_time(monkeypatch):
    large = np.random.default_rng(2).random((100, 24, 24), np.float32)
    layers = [keras.layers.Flatten(), keras.layers.Dense(4), keras.layers.Dense(3, name="logits")]
    small = models.with_probabilities(keras.Sequential([keras.Input((24, 24), name="images"), *layers]))
    at_once = familiarity.measure([small], large, batch_size=64)
    shapes = []
    monkeypatch.setattr(familiarity, "MOST_NUMBERS", 4 * 576)
    monkeypatch.setattr(arrays, "pick", lambda images, rows: shapes.append(len(rows)) or images[rows])

    found = familiarity.measure([small], large, batch_size=64)

    assert shapes == [4] * 25 * 2  # once for the network, once for the framing
    for each, expected in zip(found[:3], at_once[:3], strict=True):
        np.testing.assert_allclose(each, expected, rtol=1e-4)
    assert found.framing == at_once.framing


def test_only_so_many_images_are_looked_at(images, monkeypatch):
    monkeypatch.setattr(familiarity, "MOST_NUMBERS", 4 * 100)
    every_fifth = familiarity.measure([rotated(0)], images, batch_size=64)

    monkeypatch.undo()
    assert every_fifth.means.tobytes() == familiarity.measure([rotated(0)], images[::5], batch_size=64).means.tobytes()


def test_features_and_probabilities_come_of_one_network(images):
    plain = rotated(1)

    features, probabilities = familiarity.predict(familiarity.with_features(plain), images, 64)

    assert features.tobytes() == images.tobytes()
    np.testing.assert_array_equal(probabilities[:64], plain(images[:64], training=False))


@pytest.fixture
def written(images, tmp_path):
    """A folder, and the networks that it is of."""
    networks = [rotated(0), rotated(1)]
    familiarity.write(tmp_path, familiarity.measure(networks, images, batch_size=64))
    return tmp_path, list(map(familiarity.with_features, networks))


def test_what_is_written_is_read_back(written, images):
    found, expected = familiarity.read(*written), familiarity.measure([rotated(0), rotated(1)], images, batch_size=64)

    np.testing.assert_array_equal(found.means, expected.means)
    np.testing.assert_array_equal(found.spreads, expected.spreads)
    np.testing.assert_array_equal(found.thresholds, expected.thresholds)
    assert found.framing == expected.framing


def test_what_is_of_other_networks_is_refused(written):
    with pytest.raises(DataError, match=r"other networks .*\(1,\)\], got \[\(2, 4, 4\), \(2, 4, 4\), \(2,\)\]\)"):
        familiarity.read(written[0], written[1][:1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("thresholds", np.nan), ("thresholds", np.inf), ("thresholds", -1), ("spreads", 0), ("means", np.nan)],
)
def test_what_are_no_distances_is_refused(written, name, value):
    values = np.load(written[0] / f"{name}.npy")
    values.flat[1] = value
    arrays.write(written[0] / f"{name}.npy", values)

    with pytest.raises(DataError, match="not distances"):
        familiarity.read(*written)


@pytest.mark.parametrize("text", ['{"background": 0}', '{"background": 256, "extent": 1.0}', "[]", '{"extent": NaN}'])
def test_a_damaged_framing_is_refused(written, text):
    assert json.loads((written[0] / "framing.json").read_text(encoding="utf-8")).keys() == {"extent", "background"}
    Path(written[0] / "framing.json").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=r"framing\.json"):
        familiarity.read(*written)
