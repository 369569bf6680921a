"""The embedded data set: the same bytes everywhere, and a task that is neither trivial nor hopeless."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from core.sources import datasets
from stages.download import garments
from tests.conftest import ROOT

# Of 200 training images, in grey and in colour. The grey ones are equal with Python 3.10 to 3.13, numpy 2.1 to 2.5 and
# Pillow 11.3 to 13.0, on x86-64.
# Another value means another data set: every number that was measured on it must be measured again.
RECORDED = {
    False: "b050f94362744b845524654c004837d60ef8219db47b7185990217ee185ed77b",
    True: "b75d32e76f2599ddebf15a587c208459ff666fcce1e07d3ada389a5517dc8b1a",
}


@pytest.fixture(scope="module")
def drawn_train():
    return garments.draw(2000, seed=0, split="train")


@pytest.fixture(scope="module")
def drawn_test():
    return garments.draw(1000, seed=0, split="test")


@pytest.mark.parametrize("count", [10, 137])
def test_classes_are_balanced_to_within_one_image_and_shuffled(count):
    _, labels = garments.draw(count, seed=3, split="test")

    counts = np.bincount(labels, minlength=10)

    assert (len(counts), counts.sum()) == (10, count)
    assert counts.max() - counts.min() <= 1
    assert labels[:10].tolist() != sorted(labels[:10])


@pytest.mark.parametrize("colour", RECORDED)
def test_another_process_draws_the_recorded_bytes(colour):
    """With another hash seed, locale, number of threads and state of numpy's global stream."""
    code = (
        "import hashlib, numpy as np; from stages.download import garments; np.random.seed(5); "
        f"images, labels = garments.draw(200, seed=0, split='train', colour={colour}); "
        "print(hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest())"
    )
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | {"PYTHONHASHSEED": "7", "LC_ALL": "C"} | threads

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == RECORDED[colour]


def test_no_image_comes_twice_within_a_split_in_both_or_with_another_seed(drawn_train, drawn_test):
    other, _ = garments.draw(100, seed=1, split="train")
    images = np.concatenate([drawn_train[0], drawn_test[0], other])

    assert len({image.tobytes() for image in images}) == 3100


def test_garments_in_colour_are_the_same_garments_on_light_backgrounds(drawn_test):
    images, labels = garments.draw(500, seed=0, split="test", colour=True)
    grey = drawn_test[0][:500]
    # Not at the edges, whose pixels are mixed.
    behind, within = ndimage.maximum_filter(grey, (1, 3, 3)) == 0, ndimage.minimum_filter(grey, (1, 3, 3)) > 0

    assert np.array_equal(labels, drawn_test[1][:500])
    assert (images.max(axis=3) == grey)[within].mean() > 0.9  # the rest: gaps of less than a pixel
    assert images[behind].min() >= 200 and np.ptp(images[behind].astype(int), axis=1).max() <= 17
    assert np.median(np.ptp(images[within].astype(int), axis=1)) > 100


@pytest.mark.fault("classes or a shape other than those of what is drawn")
def test_the_schema_of_cards_knows_the_classes_and_the_shape(drawn_test):
    """So validate can refuse other ones without drawing."""
    assert len(np.unique(drawn_test[1])) == datasets.DRAWN_CLASSES
    assert drawn_test[0].shape[1:] == (datasets.DRAWN_SIDE, datasets.DRAWN_SIDE)
