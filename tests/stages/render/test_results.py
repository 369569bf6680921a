"""The predictions that the report reads, and its scores."""

import numpy as np
import pytest

from core.cli.errors import DataError
from core.files import arrays
from stages.render import results


@pytest.fixture
def predictions(tmp_path):
    """Probabilities of two networks for four images and a single image, of three classes."""
    arrays.write(tmp_path / "probabilities.npy", np.full((2, 4, 3), 1 / 3, np.float32))
    arrays.write(tmp_path / "single_image.npy", np.full((2, 3), 1 / 3, np.float32))
    return tmp_path


@pytest.mark.parametrize(("images", "classes"), [(5, 3), (4, 2)])
def test_predictions_for_other_images_or_classes_are_refused(predictions, images, classes):
    assert [array.shape for array in results.read_predictions(predictions, 4, 3)] == [(2, 4, 3), (2, 3)]

    shapes = rf"\(expected \(2, {images}, {classes}\), got \(2, 4, 3\)\); fix: python -m tools.verify"
    with pytest.raises(DataError, match=rf"probabilities.npy: not the predictions for these test images {shapes}"):
        results.read_predictions(predictions, images, classes)


def test_a_single_image_predicted_by_other_networks_is_refused(predictions):
    arrays.write(predictions / "single_image.npy", np.full((1, 3), 1 / 3, np.float32))

    with pytest.raises(DataError, match=r"single_image.npy: .* \(expected \(2, 3\), got \(1, 3\)\)"):
        results.read_predictions(predictions, 4, 3)


@pytest.mark.parametrize("name", ["probabilities.npy", "single_image.npy"])
def test_a_probability_that_is_no_number_is_refused(predictions, name):
    array = np.load(predictions / name)
    array[..., 1] = np.nan
    arrays.write(predictions / name, array)

    with pytest.raises(DataError, match=rf"{name}: not probabilities \(expected finite numbers, got NaN or infinity\)"):
        results.read_predictions(predictions, 4, 3)
