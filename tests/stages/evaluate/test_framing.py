import numpy as np
import pytest

from stages.evaluate import framing


def drawn(*boxes, size=(8, 10), ground=0.2, subject=1.0):
    """Images of one grey value with a box of another: its first row and column, and the row and column after it."""
    images = np.full((len(boxes), *size), ground, np.float32)
    for image, (top, left, bottom, right) in zip(images, boxes, strict=True):
        image[top:bottom, left:right] = subject
    return images


def test_typical_values_are_medians_worked_by_hand():
    """In 8x10 pixels, subjects of 4x3, 2x8 and 5x9 fill 0.5, 0.8 and 0.9 of the height or the width."""
    images = drawn((2, 1, 6, 4), (3, 1, 5, 9), (1, 1, 6, 10))

    found = framing.measure([images[:1], images[1:]])

    assert (found.background, found.subject, found.lighter, found.plain) == (51, 255, True, True)
    assert found.extent == 0.8
    assert found.limits["extent"] == [0.5, 0.9]
    assert found.limits["darkest"] == found.limits["border"] == [51, 51]


def test_images_are_centred_by_the_place_that_varies_least():
    """Equal dots with faint tails of different lengths are centred by mass; boxes of different brightness by box."""
    dots = np.zeros((21, 28, 28), np.float32)
    for number, image in enumerate(dots):
        image[14, 14 : 17 + number % 7] = 0.15
        image[12:16, 12:16] = 1
    boxes = drawn(*[(6, 8, 22, 20)] * 9, size=(28, 28), ground=0)
    for number, image in enumerate(boxes):
        image[6 : 8 + number, 8:20] *= 0.3

    by_mass, by_box = framing.measure([dots]), framing.measure([boxes])

    assert by_mass.centring == "mass" and by_mass.centre == pytest.approx([0.5, 0.5], abs=0.02)
    assert by_box.centring == "box" and by_box.centre == [0.5, 0.5]


def test_dark_subjects_and_backgrounds_that_are_not_plain_are_noticed():
    dark = framing.measure([drawn((2, 2, 6, 8), ground=1, subject=0.4)])
    photographs = framing.measure([np.random.default_rng(0).random((9, 28, 28), np.float32)])

    assert (dark.background, dark.subject, dark.lighter, dark.plain) == (255, 102, False, True)
    assert not photographs.plain


@pytest.mark.fault("a picture of the size of the training images that is framed or lit in another way")
def test_an_image_fits_if_each_number_is_within_the_limits_of_the_training_images():
    images = (drawn((4, 4, 20, 20), (6, 6, 24, 24), size=(28, 28), ground=0) * 255).astype(np.uint8)
    like = framing.measure([images / np.float32(255)])
    first = images[0]
    smaller = first * (np.indices(first.shape).min(axis=0) >= 8)
    misfits = (smaller, np.roll(first, -3, axis=0), first // 2, np.where(first == 0, 10, first), 255 - first)

    assert all(framing.fits(image, like) for image in images)
    assert not any(framing.fits(image.astype(np.uint8), like) for image in misfits)


def test_blank_images_do_not_count_unless_all_are_blank():
    images = drawn((4, 4, 20, 20), (6, 6, 24, 24), size=(28, 28), ground=0)
    blank = np.stack([np.zeros((28, 28), np.float32), np.ones((28, 28), np.float32)])

    assert framing.measure([np.concatenate([images, blank])]) == framing.measure([images])
    assert framing.measure([blank]).extent == 1
