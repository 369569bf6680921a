import numpy as np

from stages.evaluate import framing


def test_extent_and_background_are_medians_worked_by_hand():
    """Of 8x10 pixels, subjects of 4x3, 2x8 and 8x10 take up 0.5, 0.8 and 1 of their images."""
    images = np.full((3, 8, 10), 0.2, np.float32)
    images[0, 2:6, 1:4] = 1
    images[1, 3:5, 1:9] = 0.6
    images[2] = 0.4
    images[2, ::7] = images[2, :, ::9] = 0.2
    images[2, 0, 0] = images[2, 7, 9] = 1

    found = framing.measure([images[:1], images[1:]])

    assert found.extent == 0.8
    assert found.background == 51


def test_an_image_of_which_nothing_stands_out_counts_as_full():
    assert framing.measure([np.zeros((1, 4, 4), np.float32)]).extent == 1
