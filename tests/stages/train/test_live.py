import io
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.cli.errors import InputError, Problem
from stages.train import live
from stages.train.live import Live
from tests.stages.train.plain import settings

PATH = Path("reports/history.csv")
HEADER = "replicate,epoch,train_loss,train_accuracy"


def row(epoch, validation=False):
    scores = {"train_loss": 2 / (epoch + 1), "train_accuracy": 0.5}
    if validation:
        scores |= {"validation_loss": 3 / (epoch + 1), "validation_accuracy": 0.25}
    return {"epoch": epoch, **scores}


@pytest.fixture
def unhurried(tmp_path, monkeypatch):
    """Write history.csv after each epoch, however short it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(live, "SHARE", 0)


def test_the_table_grows_with_each_epoch_of_any_replicate_and_is_sorted(unhurried, capsys):
    tables = []
    with Live(PATH, settings(epochs=2, replicates=3)) as shown:
        for replicate, epoch in ((2, 0), (0, 0), (2, 1), (0, 1)):
            shown.report(replicate, row(epoch))
            tables.append(PATH.read_text(encoding="utf-8").splitlines())

    assert tables == [
        [HEADER, "2,0,2.0,0.5"],
        [HEADER, "0,0,2.0,0.5", "2,0,2.0,0.5"],
        [HEADER, "0,0,2.0,0.5", "2,0,2.0,0.5", "2,1,1.0,0.5"],
        [HEADER, "0,0,2.0,0.5", "0,1,1.0,0.5", "2,0,2.0,0.5", "2,1,1.0,0.5"],
    ]
    assert capsys.readouterr().out.splitlines() == [
        "replicate 2  epoch  1/2  loss 1.0000 accuracy 0.5000",
        "replicate 0  epoch  1/2  loss 1.0000 accuracy 0.5000",
    ]


def test_replicates_may_report_from_threads_at_once(unhurried):
    with Live(PATH, settings(epochs=20, replicates=8)) as shown, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: [shown.report(number, row(epoch)) for epoch in range(21)], range(8)))

    lines = PATH.read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[:2] for line in lines] == [[str(r), str(e)] for r in range(8) for e in range(21)]


def test_writing_takes_no_more_than_a_hundredth_of_the_time(tmp_path, monkeypatch):
    """A write takes a second here, and an epoch ten."""
    clock, written = [0.0], []

    def write(path, rows, ended):
        clock[0] += 1
        written.append(len(rows[0]))

    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(live.history, "write", write)
    with Live(tmp_path / "history.csv", settings(epochs=100)) as shown:
        for epoch in range(101):
            clock[0] += 10
            shown.report(0, row(epoch))

    assert written[0] == 1
    assert 8 <= len(written) <= 12


@pytest.mark.fault("a training that fails or is interrupted after some epochs")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError(Problem("a", "b", fix="c"))])
def test_a_training_that_fails_leaves_no_history(unhurried, error):
    with pytest.raises(type(error)), Live(PATH, settings(epochs=2)) as shown:
        shown.report(0, row(0))
        assert PATH.exists()
        raise error

    assert list(PATH.parent.iterdir()) == []


def test_a_training_that_fails_before_its_first_epoch_touches_nothing(unhurried):
    PATH.parent.mkdir()
    PATH.write_bytes(b"of an earlier run")
    with pytest.raises(KeyboardInterrupt), Live(PATH, settings()):
        raise KeyboardInterrupt

    assert PATH.read_bytes() == b"of an earlier run"


class Terminal(io.StringIO):
    """A terminal as sys.stdout. What is written to it moves only to the left end, down and up, and fits into a line."""

    encoding = "utf-8"

    def __init__(self, monkeypatch, columns, rows):
        super().__init__()
        self.columns = columns
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, rows)))
        monkeypatch.setattr(sys, "stdout", self)

    def isatty(self):
        return True

    def fileno(self):
        return 1

    def screen(self):
        """Return the lines on the screen, and the column of the cursor."""
        lines, row, column = [""], 0, 0
        for part in re.findall(r"\r|\n|\x1b\[A|[^\r\n\x1b]+|\x1b", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
                lines += [""] * (row == len(lines))
            elif part == "\x1b[A":
                row -= 1
            else:
                end = column + len(part)
                assert part != "\x1b" and end <= self.columns
                lines[row] = lines[row].ljust(column)[:column] + part + lines[row][end:]
                column = end
        return [line.rstrip() for line in lines], column


@pytest.mark.parametrize(
    ("columns", "validation", "first", "last"),
    [
        (
            80,
            False,
            r"replicate 0  epoch  1/3  loss 1\.0000 accuracy 0\.5000  \d\d:\d\d left \S+ *",
            "replicate 0  epoch  3/3  loss 0.5000 accuracy 0.5000",
        ),
        (
            80,
            True,
            r"replicate 0  epoch  1/3  validation loss 1\.5000 accuracy 0\.2500  \d\d:\d\d left \S?",
            "replicate 0  epoch  3/3  loss 0.5000 accuracy 0.5000  validation 0.7500 0.2500",
        ),
        (
            120,
            True,
            r"replicate 0  epoch  1/3  validation loss 1\.5000 accuracy 0\.2500  \d\d:\d\d left \S+ *",
            "replicate 0  epoch  3/3  loss 0.5000 accuracy 0.5000  validation 0.7500 0.2500",
        ),
    ],
)
def test_on_a_terminal_a_line_for_each_replicate_changes_in_place(
    unhurried, monkeypatch, columns, validation, first, last
):
    terminal = Terminal(monkeypatch, columns, 24)
    with Live(PATH, settings(epochs=3, replicates=20)) as shown:
        assert terminal.screen()[0][19] == "replicate 19  starting"
        for bar in shown.bars:
            bar.mininterval = 0  # these epochs take no time
        for epoch in range(2):
            for replicate in range(20):
                shown.report(replicate, row(epoch, validation))
        lines, _ = terminal.screen()
        assert len(lines) == 20 and re.fullmatch(first, lines[0]), lines[0]
        for epoch in (2, 3):
            for replicate in range(20):
                shown.report(replicate, row(epoch, validation))
    lines, column = terminal.screen()

    assert lines[0] == last
    assert [line.split("  ")[0] for line in lines] == [*(f"replicate {number}" for number in range(20)), ""]
    assert column == 0


def test_more_replicates_than_the_terminal_has_rows_are_hidden_until_the_end(unhurried, monkeypatch):
    terminal = Terminal(monkeypatch, 80, 10)
    with Live(PATH, settings(epochs=1, replicates=30)) as shown:
        assert terminal.screen()[0][7:] == ["replicate 7  starting", " ... (more hidden) ..."]
        for replicate in range(30):
            shown.report(replicate, row(0))
            shown.report(replicate, row(1))
    lines, _ = terminal.screen()

    assert lines == [*(f"replicate {n}  epoch  1/1  loss 1.0000 accuracy 0.5000" for n in range(30)), ""]


def test_a_training_that_stops_on_a_terminal_says_how_far_it_came(unhurried, monkeypatch):
    terminal = Terminal(monkeypatch, 80, 24)
    with pytest.raises(KeyboardInterrupt), Live(PATH, settings(epochs=9, replicates=3)) as shown:
        shown.report(1, row(0))
        shown.report(1, row(1))
        shown.report(2, row(0))
        raise KeyboardInterrupt

    assert [line for line in terminal.screen()[0] if line] == ["replicate 1  epoch  1/9  loss 1.0000 accuracy 0.5000"]
