"""Any bytes give a value or one line: the kept cases in each run of the tests, their mutations in the slow tests."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.project import ROOT
from tests.system.fuzz.__main__ import KEPT
from tests.system.fuzz.targets import TARGETS

RUNS, SECONDS = os.environ.get("FUZZ_RUNS", "20000"), os.environ.get("FUZZ_SECONDS", "4")
SOON_S = 2  # a second, and another one for a slow machine
MIB = 1 << 20

COMPRESSED = ("idx_images", "npz", "zip", "tar")


def test_every_target_has_cases_and_every_case_a_target():
    assert {path.parent.name for path in KEPT.values()} == set(TARGETS)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.fault("any bytes")
def test_a_kept_case_gives_a_value_or_one_line_soon(name):
    path = KEPT[name]
    data, target = path.read_bytes(), TARGETS[path.parent.name]
    start = time.process_time()
    target(data)
    assert time.process_time() - start < SOON_S


@pytest.fixture(scope="module")
def peaks():
    command = [sys.executable, "-m", "tests.system.fuzz.memory"]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=120).stdout)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.fault("any bytes")
def test_a_kept_case_is_read_in_little_memory(peaks, name):
    """Deflate may hold 1032 times its size; xz has a dictionary of 8 MiB; other formats need
    at most some Python objects for each byte."""
    path = KEPT[name]
    assert 0 < peaks[name] < 16 * MIB + path.stat().st_size * (1200 if path.parent.name in COMPRESSED else 200)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.fault("any bytes")
def test_no_mutation_of_a_case_gives_anything_else(name, tmp_path, capsys):
    ended = subprocess.run(
        [sys.executable, "-m", "tests.system.fuzz", name, RUNS, SECONDS, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=2 * int(SECONDS) + 120,
    )

    bugs = {path.name: path.read_bytes()[:200] for path in tmp_path.glob("bug-*")}
    assert (ended.returncode, bugs) == (0, {}), ended.stderr[-3000:]
    assert int(ended.stdout) > 0
    with capsys.disabled():
        print(f"\n{name}: {ended.stdout.strip()} runs ", end="")
