import csv
from pathlib import Path

import numpy as np
import pytest

from core.files import atomic
from core.scores import calibration, tables

PROBABILITIES = np.float32([[[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], [[0.6, 0.4], [0.3, 0.7], [1, 0]]])
LABELS = np.uint8([0, 1, 1])


def test_the_pairs_are_actual_and_predicted_names():
    pairs = list(tables.confusion(PROBABILITIES[0], LABELS, ["Coat", "Bag"]))

    assert pairs == [["Coat", "Coat"], ["Bag", "Bag"], ["Bag", "Coat"]]


def test_a_row_is_a_bin_with_images():
    """Replicate 0: 0.8 alone and right, 0.9 twice and once right. Replicate 1: 0.6 and 0.7 right, 1 wrong."""
    rows = list(tables.reliability([calibration.means(calibration.sums(each, LABELS)) for each in PROBABILITIES]))

    assert [(replicate, accuracy, images) for replicate, _, accuracy, images in rows] == [
        (0, 1, 1),
        (0, 0.5, 2),
        (1, 1, 1),
        (1, 1, 1),
        (1, 0, 1),
    ]
    assert [row[1] for row in rows] == pytest.approx([0.8, 0.9, 0.6, 0.7, 1], abs=1e-6)


@pytest.mark.fault("class names that are formulas, of a spreadsheet")
@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", *(f"{sign}1" for sign in "\uff1d\uff0b\uff0d\uff20"), "'=1"]
)
def test_no_class_name_is_a_formula_to_a_spreadsheet(name, tmp_path):
    """Read back by another reader, no cell begins with a sign that a spreadsheet takes for a formula."""
    path = Path(tmp_path / "pairs.csv")
    atomic.write_csv(path, tables.CONFUSION, tables.confusion(PROBABILITIES[0], LABELS, [name, "T-shirt/top"]))

    with open(path, encoding="utf-8", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}

    assert cells == {"actual", "predicted", f"'{name}", "T-shirt/top"}


def test_names_that_differ_stay_different_and_can_be_had_back():
    names = ["=1", "'=1", "''=1", "1", "T-shirt/top"]

    cells = [tables.inert(name) for name in names]

    assert len(set(cells)) == len(names)
    assert [tables.original(cell) for cell in cells] == names


def test_a_class_has_a_row_of_its_scores_under_an_inert_name():
    scores = {"recall": 0.5, "recall_std": 0.1, "precision": 0.25, "precision_std": 0.2, "f1": 0.333333, "f1_std": 0.3}

    rows = list(tables.classes({"=1": scores, "Bag": scores | {"recall": 1}}, [7, 0]))

    assert tables.CLASSES == ["class", "images", "recall", "recall_std", "precision", "f1"]
    assert rows == [["'=1", 7, 0.5, 0.1, 0.25, 0.333333], ["Bag", 0, 1, 0.1, 0.25, 0.333333]]
