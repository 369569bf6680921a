"""A stage's command line and its failures, on small functions that stand for a stage named stages.example."""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from core.cli import command
from core.cli.errors import DataError, InputError, NetworkError, Problem, StageError
from core.files import atomic

PROBLEM = Problem("data/x", "too short", expected="5", got="4", fix="make it longer")


ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """A function that runs a `main` and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)  # away from the checkout, whose lock a pipeline may hold

    def run(main, *argv, module="stages.example"):
        monkeypatch.setitem(globals(), "__spec__", ModuleSpec(f"{module}.__main__", None))
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
            type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor with shape[9999999]"),
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
@pytest.mark.fault("each kind of failure has its exit code and its one line")
@pytest.mark.fault("no memory")
def test_each_failure_has_its_exit_code_and_one_line(run, error, code, line):
    assert run(raising(error)) == (code, "", f"error: {line}\n")


def test_a_nameless_error_of_the_system_that_was_given_a_file_names_it_and_the_reason(run):
    """Numpy reports a full disk without an error number; the writer of the file adds which one it was."""
    error = OSError("7 requested and 3 written")
    error.filename = "data/x.npy"

    _, _, stderr = run(raising(error))

    assert stderr == "error: data/x.npy: 7 requested and 3 written; fix: mend that, then dvc repro\n"


@pytest.mark.fault("several faults in one file")
def test_every_problem_has_its_line_in_their_order(run):
    code, _, stderr = run(raising(DataError(PROBLEM, Problem("data/y", "gone", fix="bring it"))))

    assert code == 4
    assert stderr == (
        "error: data/x: too short (expected 5, got 4); fix: make it longer\nerror: data/y: gone; fix: bring it\n"
    )


@pytest.mark.fault("control characters, line breaks or text that turns direction in a message")
def test_control_characters_are_escaped(run):
    """A newline would make two lines, an escape sequence colour the terminal, U+202E turn the line round."""
    problem = Problem("a\nb", "\x1b[31m\0", expected="\t", got="\u2028", fix="\u202e\udc80 é 服")

    _, _, stderr = run(raising(DataError(problem)))

    assert stderr == r"error: a\nb: \x1b[31m\x00 (expected \t, got \u2028); fix: \u202e\udc80 é 服" + "\n"


@pytest.mark.fault("a traceback that nobody asked for")
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
@pytest.mark.fault("each kind of failure has its exit code and its one line")
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
        "error: stages.stub: unexpected ValueError: no; fix: run it again with --debug, and report what that prints",
    ]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "tools.example: interrupted; fix: python -m tools.example starts this tool again"),
        (OSError(errno.EIO, "Input/output error", "x"), "x: Input/output error; fix: mend that, then python -m {}"),
        (
            MemoryError(),
            "tools.example: out of memory; "
            "fix: end other programs or lower batch_size in params.yaml, then python -m tools.example",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_tool_is_run_again_as_it_was_and_not_by_dvc(run, error, line):
    _, _, stderr = run(raising(error), module="tools.example")

    assert stderr == f"error: {line.format('tools.example')}\n"


def test_arguments_have_the_type_and_the_default_of_their_parameters(run):
    given = []

    def main(runs: int = 5):
        given.append(runs)

    assert run(main, "3") == (0, "", "")
    assert run(main) == (0, "", "")
    assert given == [3, 5]
    _, _, stderr = run(main, "many")
    assert stderr == (
        "error: python -m stages.example: argument runs: invalid int value: 'many'; "
        "fix: python -m stages.example [-h] [--debug] [runs]\n"
    )


STUB_INTERRUPTED = "error: stages.stub: interrupted; fix: dvc repro starts this stage again"
# Whoever runs the tests in the background of a shell has all of them ignore SIGINT.
HEED_CTRL_C = "signal.signal(signal.SIGINT, signal.default_int_handler)"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.fault("Ctrl-C, once, twice or thrice, at any time")
def test_an_interrupt_ends_in_one_line_and_leaves_no_temporary_file(run_main, assert_clean_failure, name):
    ended = run_main(
        "with atomic.replacing(Path('file')) as temporary:",
        "    temporary.write_bytes(b'half')",
        f"    os.kill(os.getpid(), signal.{name})",
        "    signal.pause()",
        first=HEED_CTRL_C,
    )

    assert_clean_failure(ended, 130, STUB_INTERRUPTED)


def test_an_interrupt_of_code_that_is_run_from_a_text_has_the_same_exit_code(run_main, assert_clean_failure):
    """As of a module that makes a namedtuple while it is imported: CPython remembers it, and ends by the signal."""
    ended = run_main("exec('os.kill(os.getpid(), signal.SIGINT)')", first=HEED_CTRL_C)

    assert_clean_failure(ended, 130, STUB_INTERRUPTED)


@pytest.mark.fault("Ctrl-C, once, twice or thrice, at any time")
def test_what_an_interrupt_sets_off_is_not_interrupted(run_main, assert_clean_failure):
    """Impatient people press Ctrl-C twice."""
    ended = run_main(
        "try:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    signal.pause()",
        "finally:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    print('cleaned')",
    )

    assert_clean_failure(ended, 130, STUB_INTERRUPTED)
    assert ended.stdout == "cleaned\n"


def test_a_third_interrupt_ends_what_the_first_did_not(tmp_path, run_main):
    """The first is lost here as by a `__del__`, of which Python only prints what it raises."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "__init__.py").write_text("import stages", encoding="utf-8")  # first of all, as of a stage

    ended = run_main(
        "try:",
        "    os.kill(os.getpid(), signal.SIGTERM)",
        "    signal.pause()",
        "except BaseException:",
        "    print('lost')",
        "os.kill(os.getpid(), signal.SIGINT)",
        "print('let pass')",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "print('deaf')",
        first=HEED_CTRL_C,
    )

    assert (ended.code, ended.stdout) == (130, "lost\nlet pass\n")
    assert ended.stderr == "error: stub: interrupted; fix: python -m stub starts this tool again\n"


def test_what_nohup_and_the_background_of_a_shell_ignore_stays_ignored(run):
    def main():
        os.kill(os.getpid(), signal.SIGHUP)
        print("going on")

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(main) == (0, "going on\n", "")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("module", "imported", "name", "again"),
    [
        ("stages.validate", "yaml", "SIGTERM", "dvc repro starts this stage again"),
        ("stages.train", "keras", "SIGINT", "dvc repro starts this stage again"),  # stderr is turned away then
        ("stages.train", "numpy", "SIGHUP", "dvc repro starts this stage again"),
        ("tools.compare", "dvc", "SIGINT", "python -m tools.compare starts this tool again"),
        ("benchmarks.floor", "numpy", "SIGTERM", "python -m benchmarks.floor starts this tool again"),
    ],
)
def test_an_interrupt_of_the_imports_ends_in_one_line(run_stage, assert_clean_failure, module, imported, name, again):
    """They take up to three seconds, and come before the call of command.run."""
    fault = {"program": module, "event": "import", "having": f"'{imported}'", "count": 1, "act": f"{name} self"}
    path = os.pathsep.join([str(ROOT / "tests/faults"), str(ROOT)])

    ended = run_stage(module, FAULT=json.dumps(fault), PYTHONPATH=path)

    assert_clean_failure(ended, 130, f"error: {module}: interrupted; fix: {again}")


CLOSED = ("reader, writer = os.pipe()", "os.close(reader)")


@pytest.mark.fault("a reader of the output who goes away, a full disk under it")
def test_it_ends_quietly_where_nobody_reads_on(run_main):
    """As in `| head -1`."""
    ended = run_main(*CLOSED, "os.dup2(writer, 1)", "print('more')")

    assert (ended.code, ended.stderr) == (1, "")
    assert ended.after == ended.before


@pytest.mark.fault("a reader of the output who goes away, a full disk under it")
def test_it_ends_quietly_where_nobody_reads_the_error(run_main):
    ended = run_main(*CLOSED, "os.dup2(writer, 2)", "raise command.DataError(command.Problem('x', 'y', fix='z'))")

    assert (ended.code, ended.stdout) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_what_is_printed_is_one_line(run_main, assert_clean_failure):
    ended = run_main("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", "print('more')")

    assert_clean_failure(ended, 1, "error: stages.stub: No space left on device; fix: mend that, then dvc repro")


@pytest.mark.skipif(os.name == "nt", reason="the shell of Windows closes no streams")
@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
@pytest.mark.parametrize(("name", "code"), [("mnist", 0), ("mnits", 2)])
def test_it_ends_as_ever_where_streams_are_closed(project, edit, closed, name, code):
    """As by `>&-`. What is opened next would take a closed stream's place, and be written into."""
    edit("params.yaml", "name: fashion_mnist", f"name: {name}")
    close = " ".join(f"{descriptor}>&-" for descriptor in closed.split())

    ended = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m stages.validate valid.txt {close}', sys.executable],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
    )

    said = "params.yaml and datasets.yaml are valid; data set: mnist\n"
    assert ended.returncode == code
    assert ended.stdout == (said if code == 0 and "1" not in closed else "")
    assert len(ended.stderr.splitlines()) == (1 if code and "2" not in closed else 0), ended.stderr
    assert (project / "valid.txt").exists() == (code == 0)


@contextmanager
def running(folder, *lines):
    """A stage that is in the middle of its work until told to end."""
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
def test_a_stage_that_goes_on_is_named_and_not_overtaken(checkout, run_main, assert_clean_failure):
    """As one whose DVC was killed. It may end as it would have, and then the next one runs."""
    with running(checkout) as holder:
        ended = run_main("atomic.write_bytes(Path('file'), b'new')")
        assert_clean_failure(
            ended,
            1,
            f"error: .dvc/tmp/stage.lock: a stage of an earlier run still goes on (expected none, got process "
            f"{holder.pid}); fix: wait for it, or kill {holder.pid}; then dvc repro",
        )
        holder.stdin.close()
        assert holder.wait() == 0

    assert run_main("atomic.write_bytes(Path('file'), b'new')").after["file"] == b"new"


def test_the_lock_goes_with_the_process_however_it_ends(checkout, run_main):
    with running(checkout) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()

    assert run_main("print('ran')").stdout == "ran\n"


def test_a_child_that_outlives_its_stage_does_not_hold_the_lock(checkout, run_main):
    """A lock by flock(2) would be the child's as well."""
    with running(checkout, "if os.fork(): os._exit(0)") as holder:
        holder.wait()
        assert run_main("print('ran')").stdout == "ran\n"
        holder.stdin.close()  # which ends the child


def test_a_tool_runs_beside_a_stage(checkout, run):
    with running(checkout):
        assert run(lambda: print("ran"), module="tools.example") == (0, "ran\n", "")


def test_where_there_is_no_checkout_there_is_nothing_to_lock(tmp_path, run_main):
    assert run_main("print('ran')").stdout == "ran\n"
    assert not (tmp_path / ".dvc").exists()


@pytest.fixture
def under_dvc(checkout, monkeypatch):
    """A stage that DVC has begun: it has deleted `out` and `table`, to have them made of `source`."""
    said = {"pid": 17, "cmd": "dvc repro"}
    locked = {"read": {str(checkout / "source"): [said]}, "write": {str(checkout / n): said for n in ("out", "table")}}
    (checkout / ".dvc/tmp").mkdir()
    (checkout / ".dvc/tmp/rwlock").write_text(json.dumps(locked), encoding="utf-8")
    (checkout / "source").mkdir()
    monkeypatch.setenv("DVC_STAGE", "example")
    return checkout


def made(source: Path, out: Path, table: Path):
    """Stand for a stage that writes less than it may find."""
    atomic.write_bytes(out / "0", b"new")
    atomic.write_bytes(table, b"new")


PATHS = ("source", "out", "table")


@pytest.mark.fault("an orphan that ends between DVC's deleting of outputs and the start of their stage")
def test_what_an_orphan_put_where_dvc_had_made_room_is_not_mixed_with_what_is_new(under_dvc, run):
    """It ended before the stage took the lock, amid the imports maybe: nothing but its files tells of it."""
    (under_dvc / "out").mkdir()
    for name in ("out/1", "table"):
        (under_dvc / name).write_bytes(b"old")

    what = "there already, by a stage of an earlier run that ended only now; fix: dvc repro"
    assert run(made, *PATHS) == (1, "", f"error: out: {what}\nerror: table: {what}\n")
    assert [path.name for path in (under_dvc / "out").iterdir()] == ["1"]
    assert (under_dvc / "table").read_bytes() == b"old"


@pytest.mark.parametrize("name", PATHS[1:])
def test_one_output_that_is_there_is_enough(under_dvc, run, name):
    (under_dvc / name).write_bytes(b"old")

    code, _, stderr = run(made, *PATHS)

    assert code == 1 and stderr.startswith(f"error: {name}: there already, ")


def test_a_stage_of_which_dvc_has_made_room_finds_nothing_to_refuse(under_dvc, run):
    assert run(made, *PATHS) == (0, "", "")


def test_by_hand_a_stage_may_run_over_what_it_made(under_dvc, run, monkeypatch):
    """Whatever a killed DVC has left in its note."""
    monkeypatch.delenv("DVC_STAGE")

    assert [run(made, *PATHS), run(made, *PATHS)] == [(0, "", "")] * 2


@pytest.mark.parametrize("half", ["", '{"write": {'])
def test_a_note_that_another_dvc_is_writing_fails_nothing(under_dvc, run, half):
    """DVC writes it in place, and does so for as little as `dvc status`."""
    (under_dvc / ".dvc/tmp/rwlock").write_text(half, encoding="utf-8")

    assert run(made, *PATHS) == (0, "", "")


@pytest.mark.fault("temporary files that a killed run has left")
def test_what_killed_stages_left_is_swept_by_the_next_one_that_writes_there(checkout, run, monkeypatch):
    left = ["reports/.history.csv.17.tmp", "data/model/.0.keras.17.tmp"]
    others = ["reports/.metrics.json.17.tmp", "reports/history.csv", "data/model/0.keras", "data/other/.0.keras.17.tmp"]
    others += ["data/model/.somebody's.tmp"]
    for name in (*left, *others):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes(b"")

    def main(model: Path, history: Path):
        assert not [name for name in left if Path(name).exists()]

    assert run(main, "data/model", "reports/history.csv") == (0, "", "")
    assert [name for name in others if not (checkout / name).exists()] == []


@pytest.mark.fault("a locale that can't say what is printed")
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
