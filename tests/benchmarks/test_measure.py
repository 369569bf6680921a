"""Processes are measured from outside, and the committed pages show the committed numbers."""

import json
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import __main__ as pipeline
from benchmarks import epochs, growth, measure, out_of_distribution, predict, processors, recipes, serve
from core.cli.errors import StageError


def test_time_memory_and_lines_of_a_process_are_measured(tmp_path):
    """It sleeps between two lines while it holds 200 MB."""
    code = "import time; print('one'); held = b'x' * 200_000_000; time.sleep(0.3); print('two, more')"

    process = measure.run([sys.executable, "-c", code], tmp_path)

    assert [line for _, line in process.lines] == ["one", "two, more"]
    (first,), (second,) = process.at("one"), process.at("two")
    assert 0 < first < second <= process.seconds and second - first >= 0.3
    assert process.peak_mb > process.own_mb > 200
    assert process.at("three") == []


def test_a_command_that_fails_is_an_error_with_its_output(tmp_path):
    with pytest.raises(StageError, match=r"failed \(expected exit code 0, got 3\); fix: first \| second"):
        measure.run([sys.executable, "-c", "print('first'); print('second'); raise SystemExit(3)"], tmp_path)


def test_a_summary_has_the_median_and_the_range_and_a_table_is_markdown():
    assert measure.summary([3, 1, 8, 2.5, 2]) == "2.50 (1.00-8.00)"
    assert measure.table(["a", "b"], [[1, "x"], [2, "y"]]) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n"


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    known, unknown = np.random.default_rng(0).integers(0, 20, (2, 300))
    unknown += 5

    expected = roc_auc_score(np.repeat([0, 1], 300), np.concatenate([known, unknown]))
    assert out_of_distribution._compared({"": known, "x": unknown})["x"][0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "name, benchmark",
    [
        ("epochs", epochs),
        ("growth", growth),
        ("predict", predict),
        ("processors", processors),
        ("recipes", recipes),
        ("results", pipeline),
        ("serve", serve),
    ],
)
def test_a_committed_page_shows_the_committed_numbers(name, benchmark):
    results = json.loads((measure.RESULTS / f"{name}.json").read_text(encoding="utf-8"))

    assert (measure.RESULTS / f"{name}.md").read_text(encoding="utf-8") == benchmark.page(results)
