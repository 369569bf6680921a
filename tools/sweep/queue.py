"""DVC's queue of experiments, of which `dvc queue start` works off as many at once as it is told."""

import sys
import time

from dvc.repo import Repo

from core.cli.errors import Problem, StageError

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

    Raises StageError where no worker of the queue answers: to DVC, what a worker ran when it was killed runs for ever.
    """
    looks, before = 0, 0
    while left := unfinished(repo):
        if len(left) != before:
            print(
                f"experiments to come: {len(left)} (Ctrl-C ends the waiting, dvc queue stop --kill the work)",
                file=sys.stderr,
            )
        looks, before = looks + 1, len(left)
        if looks % LOOKS == 0 and not _at_work(repo) and (left := unfinished(repo)):
            running = names(repo, "Running")
            kill = f"dvc queue kill {' '.join(running)}, then " if running else ""
            fix = f"{kill}dvc queue start -j 2, then python -m tools.sweep --wait"
            raise StageError(Problem("dvc queue", f"no worker for the experiments to come: {', '.join(left)}", fix=fix))
        time.sleep(LOOK)


def _at_work(repo: Repo) -> bool:
    return any(repo.experiments.celery_queue.worker_status() for _ in range(ASK))
