"""Let one stage at a time run in a checkout.

DVC ensures that while it runs. If DVC is killed, its stage continues, and would overwrite results of the next run. The
lock stops the next run until that stage has ended.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.cli.errors import Problem, StageError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

LOCK = Path(".dvc/tmp/stage.lock")  # in the folder that DVC keeps for its own locks


@contextmanager
def held() -> Iterator[None]:
    """Hold this checkout's lock. The kernel releases it when the process ends, however it ends.

    Raises StageError, with the number of the process, if another stage holds the lock. Does nothing outside a DVC
    project.
    """
    if fcntl is None or not LOCK.parents[1].is_dir():
        yield
        return
    LOCK.parent.mkdir(exist_ok=True)
    with open(LOCK, "a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # POSIX allows either
            file.seek(0)
            holder = file.read()
            raise StageError(
                Problem(
                    str(LOCK),
                    "a stage of an earlier run is still running",
                    expected="none",
                    got=f"process {holder}",
                    fix=f"wait until it ends, or run kill {holder}; then dvc repro",
                )
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
