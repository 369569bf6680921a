import io

import numpy as np
import pytest
from PIL import Image

from core.files.arrays import Split
from stages.download import garments
from stages.render import explorer


@pytest.fixture
def made(results):
    """A function that makes the explorer of probabilities and labels, with other images if given."""

    def made(probabilities, labels, images=None):
        of_all = results(probabilities, labels)
        if images is not None:
            of_all = of_all._replace(test=Split(images, of_all.test.labels))
        return explorer.explorer(of_all)

    return made


def drawn(count: int, classes: int, replicates: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    probabilities = random.dirichlet(np.full(classes, 0.5), (replicates, count)).astype(np.float32)
    return probabilities, random.integers(0, classes, count).astype(np.uint8)


def test_a_cell_has_all_its_mistakes_or_its_twenty_least_confident_correct_images(made):
    """Of the ensemble; each replicate has others."""
    probabilities, labels = drawn(400, 3, replicates=2)

    listed = {image["index"] for image in made(probabilities, labels).data["images"]}

    mean = probabilities.mean(axis=0)
    assert listed == set(explorer.of_cells(mean, labels).tolist())
    assert all(listed != set(explorer.of_cells(each, labels).tolist()) for each in probabilities)
    predicted, confidence = mean.argmax(axis=1), mean.max(axis=1)
    for true in range(3):
        for named in range(3):
            cell = [i for i in range(400) if (labels[i], predicted[i]) == (true, named)]
            least = sorted(cell, key=lambda i: confidence[i])[:20]
            assert len(cell) > 20
            assert listed & set(cell) == set(least if true == named else cell)


def test_the_first_image_of_every_cell_comes_before_any_second_image():
    """Two mistakes of one cell, 0 and 2, the latter more confident; three correct images, 3 the least confident."""
    probabilities = np.float32([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.2, 0.8]])

    assert explorer.of_cells(probabilities, np.uint8([1, 1, 1, 1, 1])).tolist() == [2, 3, 0, 4, 1]


def test_if_images_are_large_each_cell_keeps_its_first_images_and_the_text_says_how_many_are_left_out(made):
    probabilities, labels = drawn(400, 3)
    whole = made(probabilities, labels)

    cut = made(probabilities, labels, np.zeros((len(labels), 96, 95), np.float32))

    room = 1_200_000 // (96 * 95)
    assert [len(cut.data["images"]), cut.data["size"]] == [room, [95, 96]]
    assert len({(image["true"], image["classes"][0]) for image in cut.data["images"]}) == 9
    asked = len(whole.data["images"])
    assert cut.text.endswith(f"{asked - room} of these {asked} images are left out, the last of each cell.")
    assert "left out" not in whole.text
    assert "their width" not in cut.text


@pytest.mark.parametrize("channels", [(), (3,)])
def test_large_images_are_shown_smaller_as_the_means_of_squares(made, channels):
    """Of 201x100 pixels: each square of 3 pixels a side becomes one, and the last column is of 1 pixel."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (2, 67, 34, *channels))
    images = np.kron(coarse, np.ones((3, 3, *[1] * len(channels))))[:, :, :100]
    images += np.tile([-1, 0, 1], 67).reshape(1, 201, 1, *[1] * len(channels))  # the mean of a square stays
    inside = images.clip(0, 255).astype(np.float32) / 255

    large = made(np.eye(2)[None], [0, 0], inside)

    assert large.data["size"] == [34, 67]
    assert large.text.endswith("The images are shown at 1/3 of their width and height.")
    tiles = [explorer.tile(image, 3) for image in inside]
    assert np.abs(tiles - coarse).max() <= 1


def test_as_many_images_as_the_page_may_have_take_1_3_mb_in_colour():
    tiles, _ = garments.draw(1_500, seed=0, split="test", colour=True)

    assert len(explorer.sprite(tiles, 39)) < 1_300_000


def test_colours_survive_and_do_not_run_from_image_to_image():
    tiles = np.zeros((5, 9, 11, 3), np.uint8)
    tiles[0], tiles[1], tiles[3] = (250, 20, 30), (10, 240, 20), np.arange(11)[:, None] * [20, 5, 10]

    data = explorer.sprite(tiles, 2)

    sheet = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert sheet.shape == (27, 22, 3) and (sheet[18:, 11:] >= 250).all()
    for place, tile in enumerate(tiles):
        row, column = divmod(place, 2)
        shown = sheet[9 * row : 9 * row + 9, 11 * column : 11 * column + 11]
        assert np.abs(shown - tile).mean() < 6


def test_there_is_a_limit_also_if_images_are_small(made):
    many = made(*drawn(4000, 3))

    assert len(many.data["images"]) == explorer.MOST_IMAGES
    assert many.text.endswith("images are left out, the last of each cell.")


def test_an_image_of_many_classes_has_the_most_probable_classes_and_the_true_class(made):
    [image] = made(np.float32(np.arange(200, 0, -1) / 20100)[None, None], [150]).data["images"]

    assert image["classes"] == [*range(10), 150]
    assert image["probabilities"][-1] == pytest.approx(50 / 20100, abs=5e-5)


def test_a_matrix_of_many_classes_has_those_with_the_most_mistakes(made):
    counts = np.diag(np.full(60, 9))
    counts[3, 50] = counts[7, 3] = 4
    counts[20, 21] = 1

    assert explorer.most_mistaken(counts, 3) == [3, 7, 50]  # 3 in its row and its column, 7 in one, 50 in the other
    many = made(*drawn(300, 60))
    assert len(many.shown) == explorer.MOST_CLASSES
    assert "The matrix has the 40 of 60 classes with the most mistakes; the filters have all." in many.text


def test_a_colour_is_the_share_of_the_row_and_for_mistakes_on_a_scale_that_no_other_cell_changes():
    """A quarter of the row, and more, has the strongest colour."""
    counts = np.array([[90, 10, 0], [1, 196, 3], [0, 0, 0]])

    assert explorer.levels(counts).tolist() == [[9, 4, 0], [1, 10, 1], [0, 0, 0]]
    assert explorer.levels(np.array([[75, 25], [60, 40]])).tolist() == [[8, 10], [10, 4]]


def test_the_votes_are_the_classes_that_the_networks_predict_most_votes_first(made):
    """Three networks predict 2, 0 and 2; a fourth 1: votes for equally many networks have the order of the classes."""
    probabilities = np.float32(np.eye(3)[[2, 0, 2, 1]])[:, None] * np.float32(0.9) + np.float32(0.1 / 3)

    [image] = made(probabilities, [1]).data["images"]
    [alone] = made(probabilities[:1], [1]).data["images"]

    assert image["votes"] == [[2, 2], [1, 0], [1, 1]]
    assert image["classes"][0] == 2 and alone["votes"] == []
