"""Which images are held out, worked by hand or by hashlib alone."""

import hashlib
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from core.cli.errors import InputError
from core.files import arrays
from stages.train import division
from tests.conftest import write_split
from tests.core.files.test_arrays import resident

RANDOM = np.random.RandomState(0)
# 10, 4 and 5 images of three classes, mixed, no two of them equal.
LABELS = RANDOM.permutation(np.repeat([0, 1, 2], [10, 4, 5])).astype(np.uint8)
IMAGES = RANDOM.uniform(size=(19, 3, 2)).astype(np.float32)
CLASSES = ["bag", "coat", "boot"]


def held_out(images: np.ndarray, labels: np.ndarray, fraction: float) -> list[tuple[int, bytes]]:
    """Return label and bytes of the images held out, sorted."""
    rows = division.divide(images, labels, fraction).held_out
    return sorted((int(labels[row]), images[row].tobytes()) for row in rows)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.0, [0, 0, 0]),
        (0.1, [1, 0, 0]),  # 1.0, 0.4 and 0.5 images: a half goes to the even number
        (0.25, [2, 1, 1]),  # 2.5, 1.0 and 1.25
        (0.35, [4, 1, 2]),  # 3.5, 1.4 and 1.75
        (0.9, [9, 4, 4]),  # 9.0, 3.6 and 4.5
    ],
)
@pytest.mark.fault("validation images that are of the last classes alone, or depend on the order of the images")
def test_each_class_gives_its_share_rounded(fraction, expected):
    kept, out = division.divide(IMAGES, LABELS, fraction)

    assert np.bincount(LABELS[out], minlength=3).tolist() == expected
    assert out.tolist() == sorted(out.tolist())
    assert kept.tolist() == [row for row in range(19) if row not in out]
    assert kept.dtype == out.dtype == np.int32


def test_the_images_held_out_are_those_of_the_smallest_hashes():
    """Two pixels an image, their bytes written out as IEEE 754 has them."""
    images = np.array([[[0.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.5]], [[0.5, 1.0]]], np.float32)
    texts = ["0000000000000000", "000000000000803f", "0000803f0000003f", "0000003f0000803f"]
    hashes = [hashlib.sha256(bytes.fromhex(text)).hexdigest() for text in texts]
    first, second, *_ = sorted(range(4), key=hashes.__getitem__)

    assert division.divide(images, np.zeros(4, np.uint8), 0.25).held_out.tolist() == [first]
    assert division.divide(images, np.zeros(4, np.uint8), 0.5).held_out.tolist() == sorted([first, second])


@pytest.mark.fault("validation images that are of the last classes alone, or depend on the order of the images")
def test_the_order_of_the_images_does_not_matter():
    """Also sorted by class, so that the last images are of one class; also with five copies of each of two images."""
    expected = held_out(IMAGES, LABELS, 0.4)
    assert [label for label, _ in expected] == [0, 0, 0, 0, 1, 1, 2, 2]
    for order in (np.argsort(LABELS), np.argsort(LABELS)[::-1], *map(RANDOM.permutation, [19] * 5)):
        assert held_out(IMAGES[order], LABELS[order], 0.4) == expected

    copies, labels = np.repeat(IMAGES[:2], 5, axis=0), np.zeros(10, np.uint8)
    smaller = min((image.tobytes() for image in IMAGES[:2]), key=lambda data: hashlib.sha256(data).digest())
    for order in map(RANDOM.permutation, [10] * 5):
        assert held_out(copies[order], labels, 0.3) == [(0, smaller)] * 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what is in memory")
@pytest.mark.fault("more training images than memory has room for")
def test_images_are_hashed_from_their_file_a_few_at_a_time(tmp_path, monkeypatch):
    """At most 8 of 32 MiB are in memory at once."""
    images = np.random.RandomState(1).uniform(size=(2048, 64, 64)).astype(np.float32)
    labels = (np.arange(2048) % 7).astype(np.uint8)
    expected = division.divide(images, labels, 0.2)
    write_split(tmp_path, arrays.Split(images, labels))
    mapped = arrays.read_split(tmp_path).images
    before, seen, sha256 = resident(), [], hashlib.sha256
    watched = SimpleNamespace(sha256=lambda data: seen.append(resident()) or sha256(data))
    monkeypatch.setattr(division, "hashlib", watched)

    found = division.divide(mapped, labels, 0.2)

    assert max(seen) - before < 8 << 20 and len(seen) == 2048
    for rows, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, same)


def refusal(counts: list[int], fraction: float) -> str:
    with pytest.raises(InputError) as caught:
        division.require_each_class(np.repeat(np.arange(len(counts)), counts), CLASSES, fraction)
    return str(caught.value)


@pytest.mark.parametrize(
    ("counts", "fraction", "message"),
    [
        # 0.16 of 3 images is no image, 0.16 of 4 images is one; from 0.5 of an image on it is one.
        ([40, 3, 4], 0.16, "no validation image of the class coat, which has 3 images (expected more than 0.1667 and"),
        ([4, 2, 40], 0.9, "no training image of the class coat, which has 2 images (expected more than 0.25 and less"),
        ([100, 1, 100], 0.5, "no validation image of the class coat, which has 1 image (expected 0, got 0.5); fix: "),
        ([100, 1, 100], 0.6, "no training image of the class coat, which has 1 image (expected 0, got 0.6); fix: "),
    ],
)
@pytest.mark.fault("a class left without a training image or a validation image")
def test_a_class_without_images_to_train_on_or_to_validate_is_refused(counts, fraction, message):
    assert refusal(counts, fraction).startswith(f"params.yaml: train.validation_fraction: leaves {message}")
    division.require_each_class(np.zeros(1, np.uint8), ["bag"], 0.0)


@pytest.mark.parametrize("fewest", [2, 3, 4, 999, 60000])
def test_the_fractions_that_the_refusal_names_give_each_class_both_kinds(fewest):
    """At both ends of the range, with larger classes beside the smallest."""
    counts = np.array([fewest, fewest + 1, 3 * fewest])
    labels = np.repeat(np.arange(3), counts)
    low, high = re.findall(r"than ([\d.]+)", refusal(counts.tolist(), 1e-9))

    for fraction in (float(low) + 1e-6, float(high) - 1e-6):
        division.require_each_class(labels, CLASSES, fraction)
        images = np.arange(counts.sum(), dtype=np.float32)[:, None, None]
        for rows in division.divide(images, labels, fraction):
            assert np.bincount(labels[rows], minlength=3).all()
