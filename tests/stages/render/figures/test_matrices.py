import numpy as np

from stages.render.figures import matrices

CLASSES = ["Coat", "Shirt", "Bag"]


def cells(ax) -> list[str]:
    """Return the texts in a matrix, row by row."""
    return [text.get_text() for text in sorted(ax.texts, key=lambda text: text.get_position()[::-1])]


def test_the_confusion_matrix_has_true_rows_and_predicted_columns():
    counts = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])

    ax, bar = matrices.counts(counts, CLASSES).axes
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("predicted class", "true class", "test images")
    assert [label.get_text() for label in ax.get_xticklabels()] == CLASSES
    assert [label.get_text() for label in ax.get_yticklabels()] == CLASSES
    assert cells(ax) == ["6", "2", "0", "1", "3", "0", "0", "0", "0"]
    assert ax.images[0].get_array().tolist() == counts.tolist()


def test_shares_are_drawn_from_0_to_1():
    ax = matrices.shares(np.array([[0.75, 0.25], [0, 1]]), CLASSES[:2]).axes[0]

    assert cells(ax) == ["0.75", "0.25", "0.00", "1.00"]
    assert ax.images[0].get_clim() == (0, 1)


def test_a_matrix_of_very_many_classes_has_colours_and_no_texts_too_small_to_read():
    ax = matrices.counts(np.eye(256, dtype=int), [f"class {index}" for index in range(256)]).axes[0]

    assert not ax.texts
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["class 0", "class 8", "class 16"]
