import numpy as np
import pytest

from stages.evaluate import framing


def drawn(*boxes, size=(8, 10), ground=0.2, subject=1.0):
    """Images of one grey value, a box of another in each: its first row and column, and those after its last."""
    images = np.full((len(boxes), *size), ground, np.float32)
    for image, (top, left, bottom, right) in zip(images, boxes, strict=True):
        image[top:bottom, left:right] = subject
    return images


def test_what_is_typical_is_a_median_worked_by_hand():
    """Of 8x10 pixels, subjects of 4x3, 2x8 and 5x9 take up 0.5, 0.8 and 0.9; their middles are in rows 4, 4 and 3.5 of
    8, and in columns 2.5, 5 and 5.5 of 10.
    """
    images = drawn((2, 1, 6, 4), (3, 1, 5, 9), (1, 1, 6, 10))

    found = framing.measure([images[:1], images[1:]])

    assert (found.background, found.subject, found.lighter, found.plain) == (51, 255, True, True)
    assert found.extent == 0.8
    assert found.limits["extent"] == [0.5, 0.9]
    assert found.limits["darkest"] == found.limits["border"] == [51, 51]


def lopsided(rows, columns):
    """Bright dots with a long faint tail each, the dots' places given: the tail moves the box and hardly the mass."""
    images = np.zeros((len(rows), 28, 28), np.float32)
    for number, (image, row, column) in enumerate(zip(images, rows, columns, strict=True)):
        image[row - 2 : row + 2, column - 2 : column + 2] = 1
        tail = slice(column, column + 3 + number % 7)
        image[row, tail] = np.maximum(image[row, tail], 0.15)
    return images


def test_images_are_centred_by_what_hardly_moves():
    """Equal dots in the middle with tails of any length are centred by mass; boxes of any brightness, by box."""
    middle = [14] * 21
    by_mass = framing.measure([lopsided(middle, middle)])
    assert by_mass.centring == "mass"
    assert by_mass.centre == pytest.approx([0.5, 0.5], abs=0.02)

    boxes = drawn(*[(6, 8, 22, 20)] * 9, size=(28, 28), ground=0)
    for number, image in enumerate(boxes):
        image[6 : 8 + number, 8:20] *= 0.3
    by_box = framing.measure([boxes])
    assert by_box.centring == "box"
    assert by_box.centre == [0.5, 0.5]


def test_a_centre_of_mass_is_worked_by_hand():
    """Weights 1 and 3 in the first and last of four rows: row (0.5 + 3 * 3.5) / 4 of 4; column 1.5 of 2."""
    weights = np.zeros((2, 4, 2))
    weights[0, 0, 1], weights[0, 3, 1] = 1, 3

    assert framing.centre_of_mass(weights).tolist() == [[11 / 16, 0.75], [0.5, 0.5]]


def test_dark_subjects_on_a_light_background_are_told():
    found = framing.measure([drawn((2, 2, 6, 8), ground=1, subject=0.4)])

    assert (found.background, found.subject, found.lighter) == (255, 102, False)


def test_photographs_have_no_plain_background():
    chance = np.random.default_rng(0).random((9, 28, 28), np.float32)

    assert not framing.measure([chance]).plain
    assert framing.measure([drawn((5, 5, 20, 20), size=(28, 28))]).plain


@pytest.mark.fault("a picture of the size of the training images that is framed or lit in another way")
def test_an_image_fits_where_each_fact_is_within_those_of_training_images():
    images = (drawn((4, 4, 20, 20), (6, 6, 24, 24), size=(28, 28), ground=0) * 255).astype(np.uint8)
    like = framing.measure([images / np.float32(255)])
    smaller, moved, dim, grey = (images[0].copy() for _ in range(4))
    smaller[4:8] = 0
    smaller[:, 4:8] = 0
    moved = np.roll(moved, -3, axis=0)
    dim = dim // 2
    grey[grey == 0] = 10

    assert all(framing.fits(image, like) for image in images)
    assert not any(framing.fits(image, like) for image in (smaller, moved, dim, grey, 255 - images[0]))


def test_blank_images_do_not_count():
    images = drawn((4, 4, 20, 20), (6, 6, 24, 24), size=(28, 28), ground=0)
    blank = np.stack([np.zeros((28, 28), np.float32), np.ones((28, 28), np.float32)])

    assert framing.measure([np.concatenate([images, blank])]) == framing.measure([images])


def test_an_image_of_which_nothing_stands_out_counts_as_full():
    assert framing.measure([np.zeros((1, 4, 4), np.float32)]).extent == 1
