import numpy as np
import pytest

from core.files.arrays import Split
from stages.render import explorer
from stages.render.document import Illustration

FIGURE = Illustration("matrix.png", "alternative", "caption", lambda: None)


@pytest.fixture
def made(results):
    """A function that makes the explorer of probabilities and labels, with other images if given."""

    def made(probabilities, labels, images=None):
        of_all = results(probabilities, labels)
        if images is not None:
            of_all = of_all._replace(test=Split(images, of_all.test.labels))
        return explorer.explorer(of_all, FIGURE)

    return made


def drawn(count: int, classes: int, replicates: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    probabilities = random.dirichlet(np.full(classes, 0.5), (replicates, count)).astype(np.float32)
    return probabilities, random.integers(0, classes, count).astype(np.uint8)


def test_a_cell_has_all_its_mistakes_or_its_twenty_least_confident_correct_images(made):
    """Of replicate 0; replicate 1 has others."""
    probabilities, labels = drawn(400, 3, replicates=2)

    listed = {image["index"] for image in made(probabilities, labels).data["images"]}

    assert listed == set(explorer.of_cells(probabilities[0], labels).tolist())
    assert listed != set(explorer.of_cells(probabilities[1], labels).tolist())
    predicted, confidence = probabilities[0].argmax(axis=1), probabilities[0].max(axis=1)
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
    size = (400, 300)

    cut = made(probabilities, labels, np.zeros((len(labels), *size), np.float32))

    room = explorer.MOST_PIXELS // (size[0] * size[1])
    assert [len(cut.data["images"]), 9 < room < 20] == [room, True]
    assert len({(image["true"], image["classes"][0]) for image in cut.data["images"]}) == 9
    asked = len(whole.data["images"])
    assert cut.text.endswith(f"{asked - room} of these {asked} images are left out, the last of each cell.")
    assert "left out" not in whole.text
    huge = made(*drawn(3, 3), np.zeros((3, 1000, 1201), np.float32))
    assert len(huge.data["images"]) == 1


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


def test_a_colour_is_the_share_of_the_row_and_for_mistakes_relative_to_the_largest():
    counts = np.array([[90, 10, 0], [1, 196, 3], [0, 0, 0]])

    assert explorer.levels(counts).tolist() == [[9, 10, 0], [1, 10, 2], [0, 0, 0]]
    assert explorer.levels(np.diag([5, 5])).tolist() == [[10, 0], [0, 10]]
