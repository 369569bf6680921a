"""Tasks on all cores, with functions that every process knows."""

import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from core.formats import parallel
from tests.conftest import ROOT


@pytest.mark.parametrize("tasks", [0, 1, parallel.SERIAL, parallel.SERIAL + 1, 30])
def test_results_are_in_the_order_of_the_tasks(tasks):
    numbers = [str(number) for number in range(tasks)]

    assert list(parallel.ordered(int, numbers)) == [(str(number), number) for number in range(tasks)]


@pytest.mark.parametrize(("tasks", "cores"), [(parallel.SERIAL, {0, 1}), (30, {0})])
def test_few_tasks_or_a_single_core_start_no_process(monkeypatch, tasks, cores):
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)

    assert [result for _, result in parallel.ordered(int, ["7"] * tasks)] == [7] * tasks


def test_only_a_few_tasks_are_read_ahead(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    tasks = map(str, count())
    results = parallel.ordered(int, tasks)

    for number in range(parallel.SERIAL + 10):
        assert next(results)[1] == number
    results.close()

    assert int(next(tasks)) <= parallel.SERIAL + 10 + 2 * parallel.AHEAD + 1


def test_an_error_is_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        list(parallel.ordered(int, ["1"] * 20 + ["x"]))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux for the processes")
@pytest.mark.fault("a run that is killed while processes decode its pictures")
def test_processes_end_when_their_parent_is_killed():
    code = """
if __name__ == "__main__":
    from itertools import count
    from core.formats import parallel
    for _, result in parallel.ordered(str, count()):
        print(result, flush=True)
"""
    place = {"cwd": ROOT, "start_new_session": True, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **place) as parent:
        while int(parent.stdout.readline()) < 100:
            pass
        os.kill(parent.pid, signal.SIGKILL)

    for _ in range(100):
        if not living(parent.pid):
            return
        time.sleep(0.1)
    raise AssertionError(living(parent.pid))


def living(session):
    """Return the processes of a session that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        found += [path] * (int(its_session) == session and state != "Z")
    return found
