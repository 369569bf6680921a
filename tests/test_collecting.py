"""The tests are found and named while the pipeline runs: meanwhile what its stages make is not there, or not whole."""

import subprocess
import sys

import pytest

from tests import hermetic
from tests.system.test_mutation import ROOT, tracked

MADE = ("reports", "data", "dvc.lock")


@pytest.mark.slow
def test_collecting_reads_nothing_that_a_run_makes(tmp_path):
    for name in tracked():
        if not hermetic.within(name, MADE):
            hermetic.copy(ROOT / name, tmp_path / name)
    assert not any((tmp_path / name).exists() for name in MADE)

    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "slow or not slow"]
    ended = subprocess.run(command, cwd=tmp_path, env=hermetic.scrubbed(), capture_output=True, encoding="utf-8")

    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr
    assert "tests/test_readme.py::" in ended.stdout
