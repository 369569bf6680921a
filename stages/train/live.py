"""A training that can be followed while it runs: on the screen, and in history.csv."""

import sys
import time
from pathlib import Path
from threading import Lock
from types import TracebackType

from tqdm import tqdm

from core.config.params import Train
from core.files import history
from stages.train import progress
from stages.train.progress import Row

LEFT = "{desc}  {remaining} left {bar:-2}"  # two columns less, where the terminal writes ^C
SHARE = 100  # rewriting history.csv may take a hundredth of the time; only a table of many epochs takes as much


class Live:
    """A context in which `report` shows each epoch of each replicate.

    After each epoch, history.csv is replaced by a table of all epochs so far. It is deleted if the context is left by
    an error: half a history beside no networks would mislead. A killed process leaves its last table, which has other
    bytes than dvc.lock records; `dvc repro` replaces it.

    On a terminal, each replicate has a line that changes in place, and its last row stays on the screen. Elsewhere, a
    line is printed for each epoch.
    """

    def __init__(self, path: Path, settings: Train):
        self.path, self.epochs = path, settings.epochs
        self.rows: list[list[Row]] = [[] for _ in range(settings.replicates)]
        self.lock = Lock()
        self.start, self.spent = time.monotonic(), 0.0
        terminal = sys.stdout and sys.stdout.isatty()  # None if the shell closed it
        self.bars = [_bar(number, self.epochs) for number in range(settings.replicates)] if terminal else []

    def __enter__(self) -> "Live":
        return self

    def report(self, replicate: int, row: Row) -> None:
        """Show the latest row of a replicate. Raises OSError if history.csv can't be written."""
        with self.lock:
            self.rows[replicate].append(row)
            if self.bars:
                bar = self.bars[replicate]
                bar.set_description_str(progress.short_line(replicate, self.epochs, row), refresh=False)
                if row["epoch"]:
                    bar.bar_format = LEFT
                bar.update(row["epoch"] - bar.n)
            else:
                print_line(self.epochs, replicate, row)
            start = time.monotonic()
            if self.spent * SHARE <= start - self.start:
                history.write(self.path, self.rows, ended=False)
                self.spent += time.monotonic() - start

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for bar in reversed(self.bars):  # the first one last: it puts the cursor where it was
            bar.close()
        if self.bars:
            for replicate, rows in enumerate(self.rows):
                if rows:
                    print_line(self.epochs, replicate, rows[-1])
        if error and any(self.rows):
            self.path.unlink(missing_ok=True)


def print_line(epochs: int, replicate: int, row: Row) -> None:
    """Print a row, unless it is that of the untrained network."""
    if row["epoch"]:
        print(progress.line(replicate, epochs, row))


def _bar(replicate: int, epochs: int) -> tqdm:
    """Return the line of a replicate on the terminal. It takes the time left from the mean of all epochs so far."""
    return tqdm(
        desc=f"replicate {replicate}",
        total=epochs,
        position=replicate,
        leave=False,
        file=sys.stdout,
        dynamic_ncols=True,
        miniters=0,
        smoothing=0,
        bar_format="{desc}  starting",
    )
