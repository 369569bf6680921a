import io

import numpy as np
import pytest
from PIL import Image

from core.files.arrays import Split
from stages.render import explorer
from stages.render.document import Explorer, Illustration
from stages.render.results import Results

FIGURE = Illustration("matrix.png", "what is seen", "how to read it", lambda: None)
NAMES = ["Coat", "Shirt", "Bag"]


def results(probabilities: np.ndarray, labels: np.ndarray, images: np.ndarray | None = None) -> Results:
    """Only what the explorer looks at."""
    if images is None:
        images = np.zeros((len(labels), 2, 3), np.float32)
    classes = [*NAMES, *(f"class {index}" for index in range(3, probabilities.shape[2]))][: probabilities.shape[2]]
    nothing = Results._make([None] * len(Results._fields))
    return nothing._replace(classes=classes, test=Split(images, labels), probabilities=probabilities)


def made_of(made: Results) -> Explorer:
    return explorer.explorer(made, FIGURE)


def drawn(count: int, classes: int, replicates: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    probabilities = random.dirichlet(np.full(classes, 0.5), (replicates, count)).astype(np.float32)
    return probabilities, random.integers(0, classes, count).astype(np.uint8)


def test_a_cell_has_all_its_mistakes_or_the_twenty_least_certain_right_ones():
    probabilities, labels = drawn(400, 3)

    listed = set(explorer.of_cells(probabilities[0], labels).tolist())

    predicted, confidence = probabilities[0].argmax(axis=1), probabilities[0].max(axis=1)
    for true in range(3):
        for named in range(3):
            cell = [i for i in range(400) if (labels[i], predicted[i]) == (true, named)]
            least = sorted(cell, key=lambda i: confidence[i])[:20]
            assert len(cell) > 20
            assert listed & set(cell) == set(least if true == named else cell)


def test_the_images_listed_are_those_of_the_first_network():
    probabilities, labels = drawn(400, 3, replicates=2)
    first, second = (set(explorer.of_cells(each, labels).tolist()) for each in probabilities)

    listed = {image["index"] for image in made_of(results(probabilities, labels)).data["images"]}

    assert listed == first != second


def test_the_most_telling_image_of_every_cell_comes_before_the_second_of_any():
    """Two mistakes of one cell, 0 and 2, the latter surer; three right ones of another, 3 the least certain."""
    probabilities = np.float32([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.2, 0.8]])
    labels = np.uint8([1, 1, 1, 1, 1])

    assert explorer.of_cells(probabilities, labels).tolist() == [2, 3, 0, 4, 1]


def test_where_the_pictures_need_too_much_room_each_cell_keeps_its_first_and_the_text_says_how_many_are_left_out():
    probabilities, labels = drawn(400, 3)
    whole = made_of(results(probabilities, labels))
    size = (400, 300)
    large = np.zeros((len(labels), *size), np.float32)

    cut = made_of(results(probabilities, labels, large))

    room = explorer.MOST_PIXELS // (size[0] * size[1])
    assert [len(cut.data["images"]), 9 < room < 20] == [room, True]
    of_cells = {(image["true"], image["classes"][0]) for image in cut.data["images"]}
    assert len(of_cells) == 9
    asked = len(whole.data["images"])
    assert cut.text.endswith(f"{asked - room} of these {asked} images are left out, the last of each cell.")
    assert "left out" not in whole.text


def test_of_pictures_that_can_not_be_packed_there_are_as_many_as_the_page_has_room_for():
    probabilities, labels = drawn(2400, 3)
    noise = np.random.default_rng(0).random((2400, 28, 28), np.float32)

    made = made_of(results(probabilities, labels, noise))

    assert 0.9 * explorer.MOST_BYTES < explorer.size(made) <= explorer.MOST_BYTES
    assert made.text.endswith("images are left out, the last of each cell.")


def test_an_image_larger_than_all_the_room_is_shown_alone():
    probabilities, labels = drawn(3, 3)
    huge = np.zeros((3, 1000, 1501), np.float32)

    assert len(made_of(results(probabilities, labels, huge)).data["images"]) == 1


def test_of_each_image_its_index_classes_and_probabilities_are_told_and_how_many_networks_agree():
    probabilities = np.float32(
        [
            [[0.25, 0.5, 0.25], [0.99996, 0.00004, 0]],
            [[0.5, 0.25, 0.25], [0.9, 0.1, 0]],
            [[0.2, 0.8, 0], [0.1, 0.9, 0]],
        ]
    )

    made = made_of(results(probabilities, np.uint8([2, 0])))

    assert made.data == {
        "classes": NAMES,
        "replicates": 3,
        "size": [3, 2],
        "columns": 2,
        "tested": 2,
        "images": [
            {"index": 1, "true": 0, "agree": 2, "classes": [0, 1, 2], "probabilities": [1.0, 0.0, 0.0]},
            {"index": 0, "true": 2, "agree": 2, "classes": [1, 0, 2], "probabilities": [0.5, 0.25, 0.25]},
        ],
    }
    assert made.counts == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert "here of replicate 0 of 3" in made.text
    assert "replicate" not in made_of(results(probabilities[:1], np.uint8([2, 0]))).text


def test_of_many_classes_the_likeliest_are_told_and_the_true_one():
    probabilities = np.float32(np.arange(200, 0, -1) / 20100)[np.newaxis, np.newaxis]

    (image,) = made_of(results(probabilities, np.uint8([150]))).data["images"]

    assert image["classes"] == [*range(10), 150]
    assert image["probabilities"][-1] == pytest.approx(50 / 20100, abs=5e-5)


def test_of_many_classes_the_matrix_has_those_with_most_mistakes():
    counts = np.diag(np.full(60, 9))
    counts[3, 50] = counts[7, 3] = 4
    counts[20, 21] = 1

    assert explorer.most_mistaken(counts, 3) == [3, 7, 50]  # 3 in its row and its column, 7 in one, 50 in the other
    assert explorer.most_mistaken(counts, 60) == list(range(60))

    many = made_of(results(*drawn(300, 60)))
    assert len(many.shown) == explorer.MOST_CLASSES
    assert "The matrix has the 40 of 60 classes with most mistakes; the filters have all." in many.text


def test_colours_follow_the_share_of_the_row_and_of_mistakes_the_largest_is_the_strongest():
    counts = np.array([[90, 10, 0], [1, 196, 3], [0, 0, 0]])

    assert explorer.levels(counts).tolist() == [[9, 10, 0], [1, 10, 2], [0, 0, 0]]
    assert explorer.levels(np.diag([5, 5])).tolist() == [[10, 0], [0, 10]]


def test_the_pictures_lie_side_by_side_in_the_order_of_the_data_dark_where_a_pixel_is_high():
    images = np.float32(np.arange(5 * 2 * 3).reshape(5, 2, 3) / 255 * 8)

    sheet = np.asarray(Image.open(io.BytesIO(explorer.sprite(images, columns=3))))

    assert (sheet.shape, sheet.dtype) == ((2 * 2, 3 * 3), np.uint8)
    assert sheet[2:4, 3:6].tolist() == [[255 - 8 * value for value in row] for row in ([24, 25, 26], [27, 28, 29])]
    assert (sheet[2:4, 6:9] == 255).all()


def test_equal_arrays_give_equal_bytes():
    first, second = (made_of(results(*drawn(50, 3, replicates=2))) for _ in range(2))

    assert first == second
