"""DVC's queue of experiments, of which `dvc queue start` works off as many at once as it is told."""

import sys
import time

from dvc.repo import Repo

from stages.command import Problem, StageError

LOOK = 1.0  # seconds between two looks at the queue
LOOKS = 30  # after so many of them, and then each time, ask whether anyone is at work: it takes a second or more
ASK = 3  # a busy machine may answer late


def names(repo: Repo, *states: str) -> list[str]:
    """Return the experiments of HEAD in such states: Queued, Running, Failed."""
    queue, head = repo.experiments.celery_queue, repo.scm.get_rev()
    entries = {
        "Queued": queue.iter_queued,
        "Running": queue.iter_active,
        "Failed": lambda: (entry for entry, _ in queue.iter_failed()),
    }
    # States in the order of an experiment's life, so that one which enters the next meanwhile is seen, if twice.
    found = (entry for state in states for entry in entries[state]() if entry.baseline_rev == head)
    return sorted({entry.name or entry.stash_rev for entry in found})


def unfinished(repo: Repo) -> list[str]:
    """Return the experiments of HEAD that are queued or running."""
    return names(repo, "Queued", "Running")


def wait(repo: Repo) -> None:
    """Return when no experiment of HEAD is queued or running. Says on stderr how many are, whenever that changes.

    Raises StageError where some are queued and no worker of the queue answers.
    """
    looks, before = 0, 0
    while left := len(unfinished(repo)):
        if left != before:
            print(
                f"experiments to come: {left} (Ctrl-C ends the waiting, dvc queue stop --kill the work)",
                file=sys.stderr,
            )
        looks, before = looks + 1, left
        if looks % LOOKS == 0 and names(repo, "Queued") and not _at_work(repo):
            what = f"no worker for the queued experiments: {', '.join(names(repo, 'Queued'))}"
            raise StageError(Problem("dvc queue", what, "dvc queue start -j 2, then python -m tools.sweep --wait"))
        time.sleep(LOOK)


def _at_work(repo: Repo) -> bool:
    return any(repo.experiments.celery_queue.worker_status() for _ in range(ASK))
