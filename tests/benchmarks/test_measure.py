import os
import sys
from importlib.metadata import version

import pytest

from benchmarks import measure
from core.cli.errors import StageError


def test_time_memory_and_lines_of_a_process_are_its_own(tmp_path):
    """It sleeps between two lines and holds 200 MB for a while; nothing is said of how fast the machine is."""
    code = "import time; print('one'); held = b'x' * 200_000_000; time.sleep(0.3); print('two, more')"

    process = measure.run([sys.executable, "-c", code], tmp_path)

    assert [line for _, line in process.lines] == ["one", "two, more"]
    (first,), (second,) = process.at("one"), process.at("two")
    assert 0 < first < second <= process.seconds
    assert second - first >= 0.3
    assert process.peak_mb > 200
    assert process.at("three") == []


def test_a_command_that_fails_is_an_error_with_what_it_printed(tmp_path):
    with pytest.raises(StageError, match=r"failed \(expected exit code 0, got 3\); fix: first \| second"):
        measure.run([sys.executable, "-c", "print('first'); print('second'); raise SystemExit(3)"], tmp_path)


def test_a_summary_is_the_median_and_the_ends():
    assert measure.summary([3, 1, 8, 2.5, 2]) == "2.50 (1.00-8.00)"


def test_a_table_is_markdown():
    assert measure.table(["a", "b"], [[1, "x"], [2, "y"]]) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n"


def test_the_machine_is_named_by_its_cores_and_versions():
    described = measure.machine()

    assert f"{len(os.sched_getaffinity(0))} cores" in described
    assert f"tensorflow {version('tensorflow')}" in described
