"""The command line of a stage or a tool, and the one way in which it fails.

A failure ends it with an exit code that is not 0 and, as the last line of stderr,
`error: <file or param>: <what> (expected X, got Y); fix: <what to do>`. Where a file has several problems,
each has such a line. A traceback is printed only with `--debug`. Where nobody reads on, as after `| head -1`, it ends
without a word.

Of a checkout one stage runs at a time. DVC sees to that as long as it lives; but a stage whose DVC was killed goes on,
and would put its results in the place of those of the next run, or among them.
"""

import argparse
import inspect
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from core.files import atomic
from stages import INTERRUPTED, heed, is_stage, once_more

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, one has to look for an orphan before `dvc repro`
    fcntl = None  # type: ignore[assignment]

# In the folder that DVC keeps for its own locks, which neither git nor DVC counts.
LOCK = Path(".dvc/tmp/stage.lock")
WRITTEN = LOCK.with_name("rwlock")  # DVC's own note of the paths that it reads and writes just now

# What to do about damaged data or models. To delete them or to run their stage again would not do: where it is the
# object in DVC's cache that is damaged, DVC, which does not hash it, restores the same bytes.
# Where it names none, the data are whole and the code that reads them is newer.
MEND = "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"


def printable(text: str) -> str:
    """Escape what is not printable, so that a message is one line and can't steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and how to mend it."""

    subject: str
    what: str
    fix: str
    expected: str = ""
    got: str = ""

    def __str__(self) -> str:
        comparison = f" (expected {self.expected}, got {self.got})" if self.expected else ""
        return printable(f"{self.subject}: {self.what}{comparison}; fix: {self.fix}")


class StageError(Exception):
    """A stage can't go on: a full disk, no memory, whatever none of the classes below says better."""

    exit_code = 1

    def __init__(self, *problems: Problem):
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class InputError(StageError):
    """Bad params, bad datasets.yaml or bad arguments."""

    exit_code = 2


class NetworkError(StageError):
    """No address gave what was asked of it."""

    exit_code = 3


class DataError(StageError):
    """Corrupt data or a corrupt model."""

    exit_code = 4


class _Interrupt(KeyboardInterrupt):
    """Ctrl-C, by a class of our own: where KeyboardInterrupt itself passes through an `exec` of a text, as namedtuple
    and dataclass have it, CPython ends by SIGINT whatever is caught and whichever exit code is asked for.
    """


def run(main: Callable[..., None], argv: Sequence[str] | None = None) -> NoReturn:
    """Call `main` with what is given on the command line, one argument for each of its parameters, and exit.

    The command line, its order and its help are read off the signature and the docstring of `main`.
    """
    argv = sys.argv[1:] if argv is None else argv
    module = main.__globals__["__spec__"].name.removesuffix(".__main__")
    # A line goes out when it is printed, so before that of an error; a class name may not be in the locale's alphabet.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        code = _run(main, argv, module)
    except BrokenPipeError:
        code = StageError.exit_code
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    sys.exit(code)


def _run(main: Callable[..., None], argv: Sequence[str], module: str) -> int:
    """Return the exit code. Raises BrokenPipeError where nobody reads what is printed."""
    try:
        with _interruptible():
            arguments = _parse(main, argv, module)
            with _alone(module, [value for value in arguments.values() if isinstance(value, Path)]):
                main(**arguments)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in argv:
            traceback.print_exc()
        failure = _failure(error, module)
        for problem in failure.problems:
            print(f"error: {problem}", file=sys.stderr)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else failure.exit_code
    return 0


def _let_go(stream: Any) -> None:
    """Turn a stream that takes no more to where it does, or Python would fail once more as it flushes it at its end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt be a KeyboardInterrupt, but once: the cleaning up that it sets off is not interrupted.

    The second is therefore let pass. A third ends all as one before `main` does: the first may have been lost, as is
    what is raised in a `__del__`, and then nothing is being cleaned up.
    """

    def interrupt(*_: object) -> None:
        heed(lambda *_: undo())
        raise _Interrupt

    undo = heed(interrupt)
    try:
        yield
    finally:
        undo()


@contextmanager
def _alone(module: str, paths: Sequence[Path]) -> Iterator[None]:
    """Hold the lock of this checkout while a stage runs, and before it does remove what killed ones left in its paths.

    The kernel frees the lock when the process ends, however it does. Raises StageError where another process holds it,
    naming that, and where one that held it until just now has left outputs, naming these: DVC has then deleted those of
    this stage, has not recorded what the other one puts in their place, and so runs the stage again the next time.
    """
    if not is_stage(module) or fcntl is None or not LOCK.parents[1].is_dir():
        yield
        return
    LOCK.parent.mkdir(exist_ok=True)
    with open(LOCK, "a+", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:  # POSIX allows either
            file.seek(0)
            holder = file.read()
            what, got = "a stage of an earlier run still goes on", f"process {holder}"
            raise StageError(
                Problem(str(LOCK), what, f"wait for it, or kill {holder}; then dvc repro", "none", got)
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        atomic.sweep(paths)
        _refuse_what_others_made(paths)
        yield


def _refuse_what_others_made(paths: Sequence[Path]) -> None:
    """Raise StageError where DVC has deleted an output, for this stage to make it anew, and yet there is one.

    It is of an orphan that ended before this stage took the lock. What has other names than the files of this stage
    would stay, and be recorded as made by it. Under the lock nobody adds to it, so that it is enough to look once; and
    that holds for whenever the orphan wrote and however it ended, which no comparison of times would tell. A stage that
    is run by hand may find what it made before.
    """
    if "DVC_STAGE" not in os.environ:  # by which DVC names what it runs
        return
    try:
        written = json.loads(WRITTEN.read_text(encoding="utf-8"))["write"]
    except json.JSONDecodeError:  # another command of DVC writes the file at this very moment
        return
    what, fix = "there already, by a stage of an earlier run that ended only now", "dvc repro"
    problems = [
        Problem(str(path), what, fix) for path in paths if os.path.abspath(path) in written and os.path.lexists(path)
    ]
    if problems:
        raise StageError(*problems)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise InputError(Problem(self.prog, message, fix=usage))


def _parse(main: Callable[..., None], argv: Sequence[str], module: str) -> dict[str, Any]:
    parser = _Parser(prog=f"python -m {module}", description=inspect.getdoc(main), allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    for name, parameter in inspect.signature(main).parameters.items():
        optional = {} if parameter.default is parameter.empty else {"nargs": "?", "default": parameter.default}
        parser.add_argument(name, type=parameter.annotation, **optional)
    arguments = vars(parser.parse_args(argv))
    del arguments["debug"]
    return arguments


def _failure(error: BaseException, module: str) -> StageError:
    """Say any exception as a StageError."""
    again = "dvc repro" if is_stage(module) else f"python -m {module}"
    if isinstance(error, StageError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return StageError(Problem(module, "interrupted", fix=once_more(module)))
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's own
        fix = f"end other programs or lower batch_size in params.yaml, then {again}"
        return StageError(Problem(module, "out of memory", fix))
    if isinstance(error, OSError):
        subject, what = error.filename or module, error.strerror or " ".join(map(str, error.args))
        return StageError(Problem(str(subject), what, fix=f"mend that, then {again}"))
    what = f"unexpected {type(error).__name__}: {error}"
    return StageError(Problem(module, what, fix="run it again with --debug, and report what that prints"))
