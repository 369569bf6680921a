import numpy as np
import pytest

from stages.render.figures import matrices

CLASSES = ["Coat", "Shirt", "Bag"]


@pytest.mark.parametrize("mistakes", [10, 60])
def test_colours_are_shares_of_the_row_on_scales_that_are_equal_for_all_runs(mistakes):
    counts = np.array([[90, 10, 0], [0, 20, 0], [mistakes, 0, 200 - mistakes]])
    wrong, right = matrices.confusion(counts, CLASSES).axes[0].images

    assert right.get_array().filled(-1).tolist() == [[0.9, -1, -1], [-1, 1, -1], [-1, -1, 1 - mistakes / 200]]
    assert wrong.get_array().filled(-1).tolist() == [[-1, 0.1, -1], [-1, -1, -1], [mistakes / 200, -1, -1]]
    assert (right.get_clim(), wrong.get_clim()) == ((0, 1), (0, 0.25))
    assert (right.get_cmap().name, wrong.get_cmap().name) == ("Blues", "Oranges")
    assert [[label.get_text() for label in mesh.colorbar.ax.get_yticklabels()] for mesh in (right, wrong)] == [
        ["0", "100%"],
        ["0", "≥25%"],
    ]
    labels = [mesh.colorbar.ax.get_ylabel() for mesh in (right, wrong)]
    assert labels == ["right", "wrong"]


@pytest.mark.parametrize(
    ("matrix", "texts"),
    [(np.diag([3, 2, 1]), "123"), (np.array([[0, 3, 0], [0, 0, 2], [1, 0, 0]]), "123"), (np.array([[3]]), "3")],
)
def test_a_matrix_without_mistakes_or_with_mistakes_only_is_drawn(matrix, texts):
    ax, *bars = matrices.confusion(matrix, CLASSES[: len(matrix)]).axes

    assert "".join(sorted(text.get_text() for text in ax.texts)) == texts and len(bars) == 2


def test_a_matrix_of_very_many_classes_has_no_texts_too_small_to_read():
    ax = matrices.confusion(np.eye(256, dtype=int), [f"class {index}" for index in range(256)], height=5).axes[0]

    assert not ax.texts
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["class 0", "class 11", "class 22"]
