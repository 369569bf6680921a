"""A stage's command line and its failures, on small functions that stand for a stage named stages.example."""

import errno
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from stages import command
from stages.command import DataError, InputError, NetworkError, Problem, StageError

PROBLEM = Problem("data/x", "too short", fix="make it longer", expected="5", got="4")


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs a stage's `main` and returns its exit code, stdout and stderr."""
    monkeypatch.setitem(globals(), "__spec__", ModuleSpec("stages.example.__main__", None))

    def run(main, *argv):
        with pytest.raises(SystemExit) as exit:
            command.run(main, argv)
        return exit.value.code, *capsys.readouterr()

    return run


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StageError(PROBLEM), 1, "data/x: too short (expected 5, got 4); fix: make it longer"),
        (InputError(PROBLEM), 2, "data/x: too short (expected 5, got 4); fix: make it longer"),
        (NetworkError(PROBLEM), 3, "data/x: too short (expected 5, got 4); fix: make it longer"),
        (DataError(PROBLEM), 4, "data/x: too short (expected 5, got 4); fix: make it longer"),
        (DataError(Problem("data/x", "gone", fix="bring it")), 4, "data/x: gone; fix: bring it"),
        (KeyboardInterrupt(), 130, "stages.example: interrupted; fix: dvc repro starts this stage again"),
        (
            MemoryError(),
            1,
            "stages.example: out of memory; fix: end other programs or lower batch_size in params.yaml, then dvc repro",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "data/raw/x.gz"),
            1,
            "data/raw/x.gz: No such file or directory; fix: mend that, then dvc repro",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "stages.example: No space left on device; fix: mend that, then dvc repro",
        ),
        (
            OSError("7 requested and 3 written"),
            1,
            "stages.example: 7 requested and 3 written; fix: mend that, then dvc repro",
        ),
        (
            ZeroDivisionError("division by zero"),
            1,
            "stages.example: unexpected ZeroDivisionError: division by zero; "
            "fix: run it again with --debug, and report what that prints",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_failure_has_its_exit_code_and_one_line(run, error, code, line):
    assert run(raising(error)) == (code, "", f"error: {line}\n")


def test_a_nameless_error_of_the_system_that_was_given_a_file_names_it_and_the_reason(run):
    """Numpy reports a full disk without an error number; the writer of the file adds which one it was."""
    error = OSError("7 requested and 3 written")
    error.filename = "data/x.npy"

    _, _, stderr = run(raising(error))

    assert stderr == "error: data/x.npy: 7 requested and 3 written; fix: mend that, then dvc repro\n"


def test_every_problem_has_its_line_in_their_order(run):
    code, _, stderr = run(raising(DataError(PROBLEM, Problem("data/y", "gone", fix="bring it"))))

    assert code == 4
    assert stderr == (
        "error: data/x: too short (expected 5, got 4); fix: make it longer\nerror: data/y: gone; fix: bring it\n"
    )


def test_control_characters_are_escaped(run):
    """A newline would make two lines, an escape sequence colour the terminal, U+202E turn the line round."""
    problem = Problem("a\nb", "\x1b[31m\0", fix="\u202e\udc80 é 服", expected="\t", got="\u2028")

    _, _, stderr = run(raising(DataError(problem)))

    assert stderr == r"error: a\nb: \x1b[31m\x00 (expected \t, got \u2028); fix: \u202e\udc80 é 服" + "\n"


def test_debug_prints_the_traceback_and_still_ends_in_the_line(run):
    code, _, stderr = run(raising(DataError(PROBLEM)), "--debug")

    assert code == 4
    assert stderr.startswith("Traceback (most recent call last):\n")
    assert stderr.splitlines()[-1] == "error: data/x: too short (expected 5, got 4); fix: make it longer"


def test_main_gets_the_paths_in_the_order_of_its_parameters(run):
    given = []

    def main(source: Path, target: Path):
        given.extend([source, target])

    assert run(main, "data/in", "data/out") == (0, "", "")
    assert given == [Path("data/in"), Path("data/out")]


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        ([], "the following arguments are required: source, target"),
        (["a"], "the following arguments are required: target"),
        (["a", "b", "c"], "unrecognized arguments: c"),
        (["a", "b", "--force"], "unrecognized arguments: --force"),
        (["a", "b", "--deb"], "unrecognized arguments: --deb"),
        (["a", "b", "--debug=1"], "argument --debug: ignored explicit argument '1'"),
    ],
)
def test_bad_arguments_end_in_one_line_with_the_usage(run, argv, what):
    def main(source: Path, target: Path):
        pytest.fail("called with bad arguments")

    fix = "python -m stages.example [-h] [--debug] source target"
    assert run(main, *argv) == (2, "", f"error: python -m stages.example: {what}; fix: {fix}\n")


def test_help_says_what_main_does(run):
    def main(source: Path):
        """Turn the source over."""

    code, stdout, stderr = run(main, "--help")

    assert (code, stderr) == (0, "")
    assert "python -m stages.example [-h] [--debug] source" in stdout
    assert "Turn the source over." in stdout


def test_the_line_comes_after_all_that_was_printed(run_main):
    """Both streams go to one pipe, as in a log: stdout, being buffered, would come last."""
    ended = run_main("os.dup2(1, 2)", "print('half way')", "raise ValueError('no')")

    assert ended.stdout.splitlines() == [
        "half way",
        "error: stub: unexpected ValueError: no; fix: run it again with --debug, and report what that prints",
    ]


def test_ctrl_c_ends_in_one_line(run_main, assert_clean_failure):
    """Whoever runs the tests in the background of a shell has them ignore the signal, so it is first heeded again."""
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    ended = run_main(heed, "os.kill(os.getpid(), signal.SIGINT)", "signal.pause()")

    assert_clean_failure(ended, 130, "error: stub: interrupted; fix: dvc repro starts this stage again")


def test_what_the_locale_cannot_say_is_escaped(run_main):
    """An encoding error at the last print would fail a stage whose work is done."""
    ended = run_main(
        "print('Ärmel')",
        "raise command.DataError(command.Problem('data/ä', 'gone', fix='bring it'))",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="C",
    )

    assert (ended.code, ended.stdout, ended.stderr) == (4, "\\xc4rmel\n", "error: data/\\xe4: gone; fix: bring it\n")
