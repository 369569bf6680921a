"""Findings among made-up predictions."""

import numpy as np

from core.files.arrays import Split
from tools.audit import findings
from tools.audit.cross_validation import Predicted


def made(labels, right, unlike=0.5):
    """Return images that are all different and predictions: of the classes `right`, with 0.9."""
    labels, right = np.array(labels, np.uint8), np.array(right)
    images = np.random.RandomState(len(labels)).uniform(size=(len(labels), 4, 4)).astype(np.float32)
    probabilities = np.full((len(labels), 3), 0.05)
    probabilities[np.arange(len(labels)), right] = 0.9
    features = images.reshape(-1, 16)
    return Split(images, labels), Predicted(probabilities, np.full(len(labels), unlike), features)


def found(**splits):
    given = {name: split for name, (split, _) in splits.items()}
    return findings.found(given, {name: predicted for name, (_, predicted) in splits.items()})


def test_labels_that_networks_deny_are_found_the_least_probable_first():
    right = np.tile([0, 1, 2], 20)
    labels = right.copy()
    labels[[7, 30]] = 2, 1
    train = made(labels, right)
    train[1].probabilities[30] = 0.97, 0.01, 0.02

    wrong = [each for each in found(train=train, test=made([0, 1, 2], [0, 1, 1])) if each.kind == findings.LABEL]

    assert [(each.split, each.row, each.label, each.suggested) for each in wrong] == [
        ("train", 30, 1, 0),
        ("train", 7, 2, 1),
        ("test", 2, 2, 1),
    ]
    assert [each.score for each in wrong] == [0.01, 0.05, 0.05]


def test_a_near_duplicate_has_nearly_the_pixels_of_the_training_image():
    train, test = made([0, 1, 2] * 4, [0, 1, 2] * 4), made([0, 1, 2], [0, 1, 2])
    test[0].images[1] = train[0].images[8] + 0.01
    test[1].features[1] = train[1].features[8] + 0.01

    (copy,) = (each for each in found(train=train, test=test) if each.kind == findings.NEAR_DUPLICATE)

    assert copy[:5] == (findings.NEAR_DUPLICATE, "test", 1, 1, 2) and copy.twin == 8
    np.testing.assert_allclose(copy.score, 0.04, rtol=1e-3)  # 16 features, each 0.01 apart


def test_odd_images_are_those_above_1_the_oddest_first():
    train = made([0, 1, 2] * 4, [0, 1, 2] * 4)
    train[1].out_of_distribution[[3, 5, 7]] = 1.5, 1.0, 2.5

    odd = [each for each in found(train=train, test=made([0], [0])) if each.kind == findings.OUT_OF_DISTRIBUTION]
    assert [each.row for each in odd] == [7, 3]
