"""The out-of-distribution score, by a network whose features are the pixels, against scikit-learn and by hand."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from core.cli.errors import DataError
from core.files import arrays
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import familiarity


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


def features_of(images: np.ndarray) -> np.ndarray:
    """What `rotated` makes of images, worked out in double precision: pixels over the root of their length."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    return pixels / np.sqrt(np.linalg.norm(pixels, axis=1, keepdims=True))


@pytest.mark.fault("a picture of nothing that was trained")
def test_thresholds_are_distances_to_the_nearest_other_image(images):
    """Against scikit-learn, whose nearest neighbour of an image is the image itself and the second is another."""
    found = familiarity.measure([rotated(0), rotated(1)], images, batch_size=64)

    assert found.references.dtype == found.thresholds.dtype == np.float32
    features = features_of(images)
    np.testing.assert_allclose(found.references, [features, features], rtol=1e-5)
    away, _ = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(features).kneighbors(features)
    np.testing.assert_allclose(found.thresholds, [np.percentile(away[:, 1], 99)] * 2, rtol=1e-3)


def test_of_few_images_with_many_features_no_more_strangers_are_found_than_of_many():
    """20 images of 144 pixels, and 2,000 more of the same kind; held against themselves, all would be at distance 0."""
    drawn = np.random.default_rng(1).normal(0.5, 0.1, (2020, 12, 12)).astype(np.float32)
    single = network(np.outer(np.ones(144), [1, -1]).astype(np.float32), side=12)

    found = familiarity.measure([single], drawn[:20], batch_size=64)

    features, _ = familiarity.predict(familiarity.with_features(single), drawn[20:], 64)
    away = familiarity.distances(features, found.references[0])
    assert 0.001 < (away > found.thresholds[0]).mean() < 0.1


def test_a_distance_is_to_the_nearest_reference():
    references = np.array([[0, 0], [10, 0]], np.float32)

    assert familiarity.distances(np.array([[3, 4], [10, 2]], np.float32), references).tolist() == [5, 2]
    assert familiarity.distances(references, references, others=True).tolist() == [10, 10]
    assert familiarity.distances(references[:1], references[:1], others=True).tolist() == [0]


def test_distances_are_the_same_however_many_are_worked_out_at_once(monkeypatch):
    features = np.random.default_rng(3).random((50, 7), np.float32)
    at_once = familiarity.distances(features, features, others=True)
    monkeypatch.setattr(familiarity, "MOST_NUMBERS", 3 * 50)

    np.testing.assert_allclose(familiarity.distances(features, features, others=True), at_once, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [7, 499, 500, 1000])
def test_batches_change_no_byte(images, batch_size):
    networks = [rotated(0)]
    first, second = (familiarity.measure(networks, images, batch_size=size) for size in (64, batch_size))

    assert [each.tobytes() for each in first[:2]] == [each.tobytes() for each in second[:2]]


def test_equal_images_are_typical_and_any_other_is_not():
    same = np.full((3, 2, 2), 0.5, np.float32)
    same[:, 0, 0] = 1

    found = familiarity.measure([rotated(0)], same, batch_size=2)

    assert 0 < found.thresholds[0] < 1e-30


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

    assert shapes == [4] * 25
    for each, expected in zip(found[:2], at_once[:2], strict=True):
        np.testing.assert_allclose(each, expected, rtol=1e-4)
    assert found.framing == at_once.framing


def test_only_so_many_images_are_looked_at(images, monkeypatch):
    monkeypatch.setattr(familiarity, "MOST_KEPT", 4 * 100)
    every_fifth = familiarity.measure([rotated(0)], images, batch_size=64)

    monkeypatch.undo()
    few = familiarity.measure([rotated(0)], images[::5], batch_size=64)
    assert every_fifth.references.tobytes() == few.references.tobytes()


def test_features_and_probabilities_come_of_one_network(images):
    plain = rotated(1)

    features, probabilities = familiarity.predict(familiarity.with_features(plain), images, 64)

    np.testing.assert_allclose(features, features_of(images), rtol=1e-5)
    np.testing.assert_array_equal(probabilities[:64], plain(images[:64], training=False))


@pytest.fixture
def written(images, tmp_path):
    """A folder, and the networks that it is of."""
    networks = [rotated(0), rotated(1)]
    familiarity.write(tmp_path, familiarity.measure(networks, images, batch_size=64))
    return tmp_path, list(map(familiarity.with_features, networks))


def test_what_is_written_is_read_back(written, images):
    found, expected = familiarity.read(*written), familiarity.measure([rotated(0), rotated(1)], images, batch_size=64)

    np.testing.assert_array_equal(found.references, expected.references)
    np.testing.assert_array_equal(found.thresholds, expected.thresholds)
    assert found.framing == expected.framing


@pytest.mark.fault("what is typical of the images: of other networks, no distances, damaged")
def test_what_is_of_other_networks_is_refused(written):
    with pytest.raises(DataError, match=r"other networks \(expected \(1, 4, 1\), got \(2, 4, 2\)\)"):
        familiarity.read(written[0], written[1][:1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("thresholds", np.nan), ("thresholds", np.inf), ("thresholds", 0), ("references", np.nan)],
)
@pytest.mark.fault("what is typical of the images: of other networks, no distances, damaged")
def test_what_are_no_distances_is_refused(written, name, value):
    values = np.load(written[0] / f"{name}.npy")
    values.flat[1] = value
    arrays.write(written[0] / f"{name}.npy", values)

    with pytest.raises(DataError, match="not distances"):
        familiarity.read(*written)


@pytest.mark.parametrize("text", ['{"background": 0}', '{"background": 256, "extent": 1.0}', "[]", '{"extent": NaN}'])
def test_a_damaged_framing_is_refused(written, text):
    Path(written[0] / "framing.json").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=r"framing\.json"):
        familiarity.read(*written)
