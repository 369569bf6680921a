import numpy as np
import pytest

from stages.render.figures import matrices

CLASSES = ["Coat", "Shirt", "Bag"]


def test_the_diagonal_and_the_mistakes_have_scales_of_their_own_and_empty_cells_no_colour():
    matrix = np.array([[0.75, 0.25, 0], [0, 1, 0], [0.1, 0, 0.9]])
    wrong, right = matrices.shares(matrix, CLASSES).axes[0].images

    assert right.get_array().filled(-1).tolist() == [[0.75, -1, -1], [-1, 1, -1], [-1, -1, 0.9]]
    assert wrong.get_array().filled(-1).tolist() == [[-1, 0.25, -1], [-1, -1, -1], [0.1, -1, -1]]
    assert (right.get_clim(), wrong.get_clim()) == ((0, 1), (0, 0.25))
    assert (right.get_cmap().name, wrong.get_cmap().name) == ("Blues", "Oranges")
    labels = [mesh.colorbar.ax.get_ylabel() for mesh in (right, wrong)]
    assert labels == [f"{kind}: share of the images of the true class" for kind in ("right", "wrong")]


@pytest.mark.parametrize(
    ("matrix", "texts"),
    [(np.diag([3, 2, 1]), "123"), (np.array([[0, 3, 0], [0, 0, 2], [1, 0, 0]]), "123"), (np.array([[3]]), "3")],
)
def test_a_matrix_without_mistakes_or_with_mistakes_only_is_drawn(matrix, texts):
    ax, *bars = matrices.counts(matrix, CLASSES[: len(matrix)]).axes

    assert "".join(sorted(text.get_text() for text in ax.texts)) == texts and len(bars) == 2


def test_a_matrix_of_very_many_classes_has_no_texts_too_small_to_read():
    ax = matrices.counts(np.eye(256, dtype=int), [f"class {index}" for index in range(256)]).axes[0]

    assert not ax.texts
    assert [label.get_text() for label in ax.get_yticklabels()][:3] == ["class 0", "class 8", "class 16"]
