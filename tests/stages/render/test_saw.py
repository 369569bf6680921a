import numpy as np

from core.files.arrays import Split
from stages.render import saw


def test_the_mean_image_of_each_class_is_the_mean_of_its_images_alone():
    images = np.float32([[[0, 1]], [[1, 1]], [[0.5, 0.25]]])

    means = saw.class_means(images, np.uint8([0, 0, 2]), 3)

    assert means.tolist() == [[[0.5, 1]], [[0, 0]], [[0.5, 0.25]]]


def test_images_are_counted_by_class_and_split(results, render):
    made = results([np.eye(3)[[0, 1, 1, 1]]], [0, 1, 1, 1])

    text, table, *_ = saw.section(made, render()).blocks

    assert text.startswith("Images of 4x3 pixels, of each class 0 to 4 to train on and 0 to 3 to test on.")
    assert table.rows == [["class-0", "2", "1"], ["class-1", "4", "3"], ["class-2", "0", "0"]]


def test_of_many_classes_those_with_the_fewest_training_images_are_shown(some, render):
    """Each of 30 classes has another number of training images, and as many test images as the others."""
    counts = np.arange(30) * 7 % 30 + 1
    labels = np.repeat(np.arange(30, dtype=np.uint8), counts)
    made = some(classes=30, images=60)
    made = made._replace(train=Split(np.zeros((len(labels), 3, 4), np.float32), labels))

    _, table, *_ = saw.section(made, render()).blocks

    expected = sorted(range(30), key=lambda label: counts[label])[:25]
    assert table.rows == [[f"class-{label}", str(counts[label]), "2"] for label in expected]
