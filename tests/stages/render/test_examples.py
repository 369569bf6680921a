import numpy as np

from stages.render import examples

# Two networks, six images of three classes, all of label 0 but the last.
LABELS = np.uint8([0, 0, 0, 0, 0, 1])
FIRST = np.float32(
    [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.1, 0.9, 0], [0.2, 0.8, 0], [0.5, 0.3, 0.2], [0.4, 0.35, 0.25]],
)
SECOND = np.float32(
    [[0.8, 0.2, 0], [0.7, 0.3, 0], [0.3, 0.7, 0], [0.0, 1.0, 0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]],
)
BOTH = np.stack([FIRST, SECOND])


def test_the_most_confident_mistakes_come_first_and_equal_ones_in_their_order():
    assert examples.most_confident_mistakes(FIRST, LABELS, 9).tolist() == [2, 1, 3, 5]
    assert examples.most_confident_mistakes(FIRST, LABELS, 2).tolist() == [2, 1]


def test_the_least_certain_right_ones_come_first():
    assert examples.least_certain_right(FIRST, LABELS, 9).tolist() == [4, 0]
    assert examples.least_certain_right(FIRST, LABELS, 1).tolist() == [4]


def test_each_network_has_a_vote_for_each_image():
    assert examples.votes(BOTH).tolist() == [[2, 0, 0], [1, 1, 0], [0, 2, 0], [0, 2, 0], [1, 0, 1], [1, 1, 0]]


def test_images_are_disputed_where_networks_disagree_the_least_probable_favourite_first():
    """Image 4: class 0 with a mean of 0.3; image 5: 0.35; image 1: 0.45."""
    assert examples.disputed(BOTH).tolist() == [4, 5, 1]


def test_fewer_agreeing_networks_are_more_of_a_dispute_than_probability():
    sure = np.eye(3, dtype=np.float32)
    three = np.stack([sure[[0, 0]], sure[[1, 0]] * 0.9, sure[[2, 1]] * 0.1])

    assert examples.disputed(three).tolist() == [0, 1]
    assert examples.disputed(three[:1]).tolist() == []


def test_agreed_mistakes_are_those_of_all_networks_the_surest_first():
    """Image 2 is taken for class 1 with a mean of 0.8, image 3 with one of 0.9; that of 5 is not agreed upon."""
    assert examples.agreed_mistakes(BOTH, LABELS).tolist() == [3, 2]


def test_one_network_has_no_disagreement_and_the_report_says_why(some, render):
    texts = [block for block in examples.section(some(replicates=1), render()).blocks if isinstance(block, str)]

    assert any("One network was trained" in text and "train.replicates" in text for text in texts)


def test_counts_of_disputes_and_agreed_mistakes_are_told(results, render):
    texts = [block for block in examples.section(results(BOTH, LABELS), render()).blocks if isinstance(block, str)]

    (text,) = [text for text in texts if "disagree" in text]
    assert text.startswith("On 3 of 6 test images the 2 networks disagree, so that a seed decides. On 2 others they")


def test_each_example_is_drawn_once_in_the_order_asked_for(some, render):
    blocks = examples.section(some(), render(examples=[3, 0, 3])).blocks
    files = [block.file for block in blocks if hasattr(block, "file")]

    assert files[:4] == ["example_3.png", "example_0.png", "examples_grid.png", "single_image.png"]


def test_alternative_texts_tell_true_and_predicted_class(results, render):
    blocks = examples.section(results(BOTH, LABELS), render(examples=[1])).blocks
    by_file = {block.file: block.alternative for block in blocks if hasattr(block, "file")}

    assert by_file["example_1.png"] == "Probabilities of test image 1, class-0, predicted class-1 with 0.8000"
    assert by_file["agreed_mistakes.png"] == (
        "Test images 3, class-0, predicted class-1 with 0.9000; 2, class-0, predicted class-1 with 0.8000"
    )
    assert by_file["disputed.png"] == "Test images 4, 5, 1, with the votes of 2 networks"
