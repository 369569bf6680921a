"""The command line, the failures and the lock of a stage or a tool, on small functions in place of its `main`."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from core.cli import command
from core.cli.errors import DataError, InputError, NetworkError, Problem
from tests.project import ALL, ROOT

PROBLEM = Problem("data/x", "too short", expected="5", got="4", fix="make it longer")
LINE = "data/x: too short (expected 5, got 4); fix: make it longer"
MEMORY = "out of memory; fix: end other programs or lower batch_size in params.yaml, then"
INTERRUPTED = "error: stages.stub: interrupted; fix: dvc repro starts this stage again"
# A shell that runs the tests in the background makes them ignore SIGINT, and nohup SIGHUP.
HEED_CTRL_C = "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """A function that runs a `main` and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(main, *argv, module="stages.example", declare=None):
        monkeypatch.setitem(globals(), "__spec__", ModuleSpec(f"{module}.__main__", None))
        with pytest.raises(SystemExit) as exit:
            command.run(main, declare, argv)
        return exit.value.code, *capsys.readouterr()

    return run


def raising(error):
    def main():
        raise error

    return main


def named(error, filename):
    error.filename = filename
    return error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError(PROBLEM), 2, LINE),
        (NetworkError(PROBLEM), 3, LINE),
        (DataError(PROBLEM), 4, LINE),
        (KeyboardInterrupt(), 130, "stages.example: interrupted; fix: dvc repro starts this stage again"),
        (MemoryError(), 1, f"stages.example: {MEMORY} dvc repro"),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), 1, f"stages.example: {MEMORY} dvc repro"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "data/x"),
            1,
            "data/x: No such file; fix: mend that, then dvc repro",
        ),
        (OSError(errno.ENOSPC, "No space left"), 1, "stages.example: No space left; fix: mend that, then dvc repro"),
        (named(OSError("7 requested"), "x.npy"), 1, "x.npy: 7 requested; fix: mend that, then dvc repro"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "stages.example: unexpected ZeroDivisionError: division by zero; "
            "fix: run it again with --debug, and report what that prints",
        ),
    ],
)
@pytest.mark.fault("each kind of failure has its exit code and its one line")
@pytest.mark.fault("no memory")
def test_each_failure_has_its_exit_code_and_one_line(run, error, code, line):
    assert run(raising(error)) == (code, "", f"error: {line}\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "tools.example: interrupted; fix: python -m tools.example starts this tool again"),
        (
            OSError(errno.EIO, "Input/output error", "x"),
            "x: Input/output error; fix: mend that, then python -m tools.example",
        ),
    ],
)
def test_the_fix_of_a_tool_names_the_tool(run, error, line):
    assert run(raising(error), module="tools.example")[2] == f"error: {line}\n"


@pytest.mark.fault("control characters, line breaks or text that turns direction in a message")
def test_control_characters_are_escaped(run):
    problem = Problem("a\nb", "\x1b[31m\0", expected="\t", got="\u2028", fix="\u202e\udc80 é 服")

    _, _, stderr = run(raising(DataError(problem)))

    assert stderr == r"error: a\nb: \x1b[31m\x00 (expected \t, got \u2028); fix: \u202e\udc80 é 服" + "\n"


@pytest.mark.fault("a traceback that nobody asked for")
def test_debug_prints_the_traceback_before_the_line(run):
    code, _, stderr = run(raising(DataError(PROBLEM)), "--debug")

    assert code == 4
    assert stderr.startswith("Traceback (most recent call last):\n")
    assert stderr.splitlines()[-1] == f"error: {LINE}"


def test_arguments_have_the_names_the_types_and_the_defaults_of_the_parameters(run):
    given = []

    def main(source: Path, runs: int = 5):
        """Turn the source over."""
        given.append((source, runs))

    assert run(main, "data/in", "3") == run(main, "data/in") == (0, "", "")
    assert given == [(Path("data/in"), 3), (Path("data/in"), 5)]
    code, stdout, _ = run(main, "--help")
    assert code == 0 and "Turn the source over." in stdout
    usage = "python -m stages.example [-h] [--debug] source [runs]"
    for argv, what in [
        ([], "the following arguments are required: source"),
        (["a", "1", "c"], "unrecognized arguments: c"),
        (["a", "--force"], "unrecognized arguments: --force"),
        (["a", "many"], "argument runs: invalid int value: 'many'"),
    ]:
        assert run(main, *argv) == (2, "", f"error: python -m stages.example: {what}; fix: {usage}\n")


@pytest.mark.parametrize("module", [*(f"stages.{stage}" for stage in ALL), "tools.audit"])
@pytest.mark.fault("DVC run by the path of Python, the environment not activated")
def test_a_python_without_the_packages_is_refused_in_one_line(module):
    ended = subprocess.run([sys.executable, "-S", "-m", module], cwd=ROOT, capture_output=True, encoding="utf-8")

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: python: lacks the project's packages (expected the python of .venv, got ")
    assert ended.stderr.count("\n") == 1


def test_the_line_comes_after_the_output(run_main):
    """In a log, both streams go to one pipe."""
    ended = run_main("os.dup2(1, 2)", "print('half way')", "raise ValueError('no')")

    assert [line[:24] for line in ended.stdout.splitlines()] == ["half way", "error: stages.stub: unex"]


@pytest.mark.fault("a locale that can't say what is printed")
def test_characters_that_the_locale_lacks_are_escaped(run_main):
    ended = run_main(
        "print('Ärmel')",
        "raise command.StageError(command.Problem('data/ä', 'gone', fix='bring it'))",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="C",
    )

    assert (ended.code, ended.stdout, ended.stderr) == (1, "\\xc4rmel\n", "error: data/\\xe4: gone; fix: bring it\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.fault("Ctrl-C, once, twice or thrice, at any time")
def test_an_interrupt_ends_in_one_line_and_leaves_no_temporary_file(run_main, assert_clean_failure, name):
    ended = run_main(
        "with atomic.replacing(Path('file')) as temporary:",
        "    temporary.write_bytes(b'half')",
        f"    exec('os.kill(os.getpid(), signal.{name})')",  # by `exec`, for which CPython would end by the signal
        "    signal.pause()",
        first=HEED_CTRL_C,
    )

    assert_clean_failure(ended, 130, INTERRUPTED)


@pytest.mark.fault("Ctrl-C, once, twice or thrice, at any time")
def test_a_second_interrupt_does_not_stop_the_clean_up(run_main, assert_clean_failure):
    kill = "    os.kill(os.getpid(), signal.SIGTERM)"
    ended = run_main("try:", kill, "    signal.pause()", "finally:", kill, "    print('cleaned')")

    assert_clean_failure(ended, 130, INTERRUPTED)
    assert ended.stdout == "cleaned\n"


def test_a_signal_that_nohup_ignores_stays_ignored(run):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(lambda: os.kill(os.getpid(), signal.SIGHUP)) == (0, "", "")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "lines",
    [
        ["os.dup2(writer, 1)", "print('more')"],
        ["os.dup2(writer, 2)", "raise command.StageError(command.Problem('x', 'y', fix='z'))"],
    ],
    ids=["stdout", "stderr"],
)
@pytest.mark.fault("a reader of the output who goes away, a full disk under it")
def test_a_closed_pipe_ends_the_command_without_a_message(run_main, lines):
    ended = run_main("reader, writer = os.pipe()", "os.close(reader)", *lines)

    assert (ended.code, ended.stdout, ended.stderr) == (1, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.fault("a reader of the output who goes away, a full disk under it")
def test_a_full_disk_under_the_output_ends_in_one_line(run_main, assert_clean_failure):
    ended = run_main("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", "print('more')")

    assert_clean_failure(ended, 1, "error: stages.stub: No space left on device; fix: mend that, then dvc repro")


@contextmanager
def running(folder, *lines):
    """Run a stage that waits in the middle of its work until its input is closed."""
    code = ["import os, sys", "from core.cli import command", "def main():", *(f"    {line}" for line in lines)]
    code += ["    print('held', flush=True)", "    sys.stdin.read()"]
    code += ["__spec__.name = 'stages.holder.__main__'", "command.run(main)"]
    (folder / "holder.py").write_text("\n".join(code), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "holder"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / ".dvc").mkdir()
    return tmp_path


@pytest.mark.fault("two at once")
def test_a_running_stage_is_named_and_not_overtaken(checkout, run_main, run, assert_clean_failure):
    write = "atomic.write_bytes(Path('file'), b'new')"
    with running(checkout) as holder:
        assert_clean_failure(
            run_main(write),
            1,
            "error: .dvc/tmp/stage.lock: a stage of an earlier run is still running (expected none, got process "
            f"{holder.pid}); fix: wait until it ends, or run kill {holder.pid}; then dvc repro",
        )
        assert run(lambda: print("ran"), module="tools.example") == (0, "ran\n", "")  # a tool does not wait
        holder.stdin.close()
        assert holder.wait() == 0

    assert run_main(write).after["file"] == b"new"


def test_the_lock_of_a_killed_stage_is_free(checkout, run_main):
    """A lock by flock(2) would belong to the child too, which outlives its stage."""
    with running(checkout, "if os.fork() == 0: sys.stdin.read(); os._exit(0)") as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert run_main("print('ran')").stdout == "ran\n"
        holder.stdin.close()  # which ends the child


@pytest.mark.fault("temporary files that a killed run has left")
def test_a_stage_deletes_the_temporary_files_that_a_killed_run_left_beside_its_outputs(checkout, run):
    left = ["reports/.history.csv.17.tmp", "data/model/.0.keras.17.tmp"]
    others = ["reports/.metrics.json.17.tmp", "reports/history.csv", "data/model/0.keras", "data/other/.0.keras.17.tmp"]
    for name in (*left, *others):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes(b"")

    def main(model: Path, history: Path):
        assert [name for name in (*left, *others) if Path(name).exists()] == others

    assert run(main, "data/model", "reports/history.csv") == (0, "", "")
