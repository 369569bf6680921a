"""Call a function on every core of this machine, in processes of their own: Pillow is no faster in threads."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

SERIAL = 4  # tasks that are done before processes start, which takes a second
AHEAD = 2  # tasks for each process that are read ahead

Task = TypeVar("Task")
Result = TypeVar("Result")


def ordered(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, in the order of the tasks. Few tasks are in memory at a time.

    The function, tasks and results go through pickle. An error in the function or in the tasks is raised.
    """
    tasks = iter(tasks)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for task in islice(tasks, SERIAL if cores > 1 else None):
        yield task, function(task)
    if not (first := list(islice(tasks, 1))):
        return
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _begin) as pool:
        for task in chain(first, tasks):
            waiting.append((task, pool.submit(function, task)))
            if len(waiting) > AHEAD * cores:
                task, future = waiting.popleft()
                yield task, future.result()
        for task, future in waiting:
            yield task, future.result()


def _begin() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that one is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=[multiprocessing.parent_process()], daemon=True).start()


def _follow(parent: Any) -> None:
    parent.join()
    os._exit(1)
