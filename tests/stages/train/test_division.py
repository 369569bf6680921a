"""Which images are held out, worked out by hand or by hashlib alone."""

import hashlib
import re
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.cli.errors import InputError
from core.files import arrays
from stages.train import division

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


def test_the_order_of_the_images_does_not_matter():
    """Sorted by class, too, where the last images are of one class."""
    expected = held_out(IMAGES, LABELS, 0.4)
    assert [label for label, _ in expected] == [0, 0, 0, 0, 1, 1, 2, 2]

    for order in (np.argsort(LABELS), np.argsort(LABELS)[::-1], *map(RANDOM.permutation, [19] * 5)):
        assert held_out(IMAGES[order], LABELS[order], 0.4) == expected


def test_copies_of_an_image_are_counted_one_by_one_and_the_order_still_does_not_matter():
    """Five copies of one image and five of another: three are held out, all of the one with the smaller hash."""
    images, labels = np.repeat(IMAGES[:2], 5, axis=0), np.zeros(10, np.uint8)
    smaller = min((image.tobytes() for image in IMAGES[:2]), key=lambda text: hashlib.sha256(text).digest())

    for order in map(RANDOM.permutation, [10] * 5):
        assert held_out(images[order], labels, 0.3) == [(0, smaller)] * 3


def test_without_a_fraction_all_images_are_kept_and_none_is_read():
    kept, out = division.divide(None, LABELS, 0.0)

    assert kept.tolist() == list(range(19)) and out.tolist() == []
    division.require_each_class(np.zeros(1, np.uint8), ["bag"], 0.0)


def resident() -> int:
    """Return how many bytes of this process are in memory, files that it has mapped included."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what is in memory")
def test_images_from_their_file_are_hashed_without_being_held(tmp_path, monkeypatch):
    """32 MiB of images: no more of them than 8 is in memory at a time."""
    images = np.random.RandomState(1).uniform(size=(2048, 64, 64)).astype(np.float32)
    labels = (np.arange(2048) % 7).astype(np.uint8)
    expected = division.divide(images, labels, 0.2)
    arrays.write_split(tmp_path, arrays.Split(images, labels))
    mapped = arrays.read_split(tmp_path).images
    before, seen = resident(), []
    sha256 = hashlib.sha256
    watched = SimpleNamespace(sha256=lambda data: seen.append(resident()) or sha256(data))
    monkeypatch.setattr(division, "hashlib", watched)

    found = division.divide(mapped, labels, 0.2)

    assert max(seen) - before < 8 << 20 and len(seen) == 2048
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


PLACE = "params.yaml: train.validation_fraction"


def refusal(counts: list[int], classes: list[str], fraction: float) -> str:
    with pytest.raises(InputError) as caught:
        division.require_each_class(np.repeat(np.arange(len(counts)), counts), classes, fraction)
    return str(caught.value)


def test_a_class_without_a_validation_image_is_refused():
    """Of 3 images 0.16 are none, of 4 images 0.64 are one; from 0.5 of an image on it is one."""
    assert refusal([40, 3, 4], CLASSES, 0.16) == (
        f"{PLACE}: leaves no validation image of these classes: coat (3 images) "
        "(expected more than 0.1667 and less than 0.8333, got 0.16); "
        "fix: set train.validation_fraction to such a value, or add images of these classes, then dvc repro"
    )


@pytest.mark.fault("a class left without a training image or a validation image")
def test_a_class_without_a_training_image_is_refused():
    assert refusal([4, 2, 40], CLASSES, 0.9) == (
        f"{PLACE}: leaves no training image of these classes: bag (4 images), coat (2 images) "
        "(expected more than 0.25 and less than 0.75, got 0.9); "
        "fix: set train.validation_fraction to such a value, or add images of these classes, then dvc repro"
    )


@pytest.mark.parametrize(("fraction", "split"), [(0.01, "validation"), (0.5, "validation"), (0.6, "training")])
def test_a_class_with_a_single_image_has_no_fraction_and_that_is_said(fraction, split):
    assert refusal([100, 1, 100], CLASSES, fraction) == (
        f"{PLACE}: leaves no {split} image of these classes: coat (1 image) (expected 0, got {fraction}); "
        "fix: set train.validation_fraction and train.early_stopping_patience to 0, "
        "or add images of these classes, then dvc repro"
    )


def test_of_many_classes_the_first_are_named_and_the_others_counted():
    assert refusal([1, 2, 3, 2, 1, 2, 3, 50], list("abcdefgh"), 0.1).startswith(
        f"{PLACE}: leaves no validation image of these classes: "
        "a (1 image), b (2 images), c (3 images), d (2 images), e (1 image) and 2 more (expected 0, got 0.1); fix: "
    )


@pytest.mark.parametrize("fewest", [2, 3, 4, 5, 7, 10, 11, 33, 999, 5000, 60000])
def test_what_the_refusal_expects_is_accepted_and_gives_each_class_both_kinds(fewest):
    """At both ends, with larger classes beside it."""
    counts = np.array([fewest, fewest + 1, 3 * fewest])
    labels = np.repeat(np.arange(3), counts)
    low, high = re.findall(r"than ([\d.]+)", refusal(counts.tolist(), CLASSES, 1e-9))

    for fraction in (float(low) + 1e-6, float(high) - 1e-6):
        division.require_each_class(labels, CLASSES, fraction)
        images = np.arange(counts.sum(), dtype=np.float32)[:, None, None]
        for rows in division.divide(images, labels, fraction):
            assert np.bincount(labels[rows], minlength=3).all()
