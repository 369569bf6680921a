import csv
from pathlib import Path

import numpy as np
import pytest

from core.files import atomic
from core.scores import tables

PROBABILITIES = np.float32([[[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], [[0.6, 0.4], [0.3, 0.7], [1, 0]]])
LABELS = np.uint8([0, 1, 1])


@pytest.mark.fault("class names that are formulas, of a spreadsheet")
@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", *(f"{sign}1" for sign in "\uff1d\uff0b\uff0d\uff20"), "'=1"]
)
def test_no_class_name_is_a_formula_to_a_spreadsheet(name, tmp_path):
    """Read back by another reader, no cell begins with a sign that a spreadsheet takes for a formula."""
    path = Path(tmp_path / "pairs.csv")
    atomic.write_csv(
        path, tables.CONFUSION, tables.confusion(PROBABILITIES[0].argmax(axis=1), LABELS, [name, "T-shirt/top"])
    )

    with open(path, encoding="utf-8", newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}

    assert cells == {"actual", "predicted", f"'{name}", "T-shirt/top"}


def test_names_that_differ_stay_different_and_can_be_had_back():
    names = ["=1", "'=1", "''=1", "1", "T-shirt/top"]

    cells = [tables.inert(name) for name in names]

    assert len(set(cells)) == len(names)
    assert [tables.original(cell) for cell in cells] == names
