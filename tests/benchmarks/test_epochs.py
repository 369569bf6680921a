"""The table of rivals: every ratio is rival / ours, and the best rival is found, not named."""

import os
import re
from pathlib import Path

from benchmarks import epochs, measure

RACE = {
    "ours": [1.0, 2.0, 4.0],
    "JAX": [1.5, 1.5, 9.0],
    "PyTorch": [0.5, 4.0, 8.0],
    "PyTorch, compiled": ["no C++ compiler", "no C++ compiler", "no C++ compiler"],
    "the floor": [0.5, 1.0, 2.0],
}


def test_the_best_rival_has_the_smallest_ratio_and_all_ratios_have_ours_below():
    seconds = dict.fromkeys(epochs.RACES, RACE)
    page = epochs.page({"machine": "", "seconds": seconds})
    cells = dict(re.findall(r"^\| (.*?) \| (.*?) \|", page, re.MULTILINE))

    assert cells["JAX"] == "1.50 (0.75-2.25)"  # of 1.5, 0.75 and 2.25
    assert cells["the best rival"] == "1.50 (0.75-2.25), JAX"
    assert cells["PyTorch"] == "2.00 (0.50-2.00)"
    assert cells["PyTorch, compiled"] == "no C++ compiler"
    assert cells["the floor"] == "0.50 (0.50-0.50)"
    assert cells["seconds of our epoch"] == "2.000 (1.000-4.000)"


def test_a_rival_in_bfloat16_is_compared_with_ours_in_bfloat16():
    float32, bfloat16 = epochs.CONVOLUTIONS
    seconds = {"ours": [4.0], "ours, bfloat16": [2.0], float32: [5.0], bfloat16: [3.0]}

    assert epochs.ratio(seconds, bfloat16) == 1.5
    assert epochs.ratio(seconds, float32) == 1.25
    assert epochs.ratio(seconds, "ours, bfloat16") == 0.5
    assert epochs.best(seconds) == float32  # it takes longer, but is nearer to ours
    assert epochs.fastest(seconds) == bfloat16


def test_a_command_is_held_to_its_cores(tmp_path):
    program = [measure.PYTHON, "-c", "import os; print(len(os.sched_getaffinity(0)))"]

    printed = [measure.run(program, tmp_path, cores=cores).lines[0][1] for cores in (1, None)]

    assert printed == ["1", str(len(os.sched_getaffinity(0)))]


def test_a_rival_that_cannot_run_here_says_why(tmp_path, monkeypatch):
    (tmp_path / "torch").mkdir()
    monkeypatch.setattr(epochs.shutil, "which", lambda name: None)

    assert epochs.lacking(tmp_path / "jax", []) == "not installed"
    assert epochs.lacking(tmp_path / "keras", ["compiled"]) == ""  # it is in .venv
    assert epochs.lacking(tmp_path / "torch", ["compiled"]) == "no C++ compiler"
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    expected = "" if {"avx512_bf16", "amx_bf16"} & set(flags) else "the processor lacks bfloat16"
    assert epochs.lacking(tmp_path / "torch", ["bfloat16"]) == expected
