"""The command line of a stage or a tool, and how it ends.

A failure ends with an exit code other than 0 and, as the last line of stderr,
`error: <file or param>: <what> (expected X, got Y); fix: <what to do>`, one such line for each problem. `--debug` adds
the traceback. A reader that closes the pipe, such as `| head -1`, ends the command without a word.
"""

import argparse
import inspect
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from core.cli import lock
from core.cli.errors import InputError, Problem, StageError
from core.files import atomic

INTERRUPTED = 130
# Ctrl-C, a request to end, a closed terminal; Windows has no SIGHUP.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

# DVC runs the first `python` on PATH: say so in one line, not in a traceback about a missing module.
if not all(map(find_spec, ("numpy", "pydantic", "tensorflow", "yaml"))):
    sys.exit(
        "error: python: this one lacks the project's packages "
        f"(expected the python of .venv, got {sys.executable}); fix: make setup, then . .venv/bin/activate"
    )


class _Interrupt(KeyboardInterrupt):
    """An interrupt, by a class of our own: if KeyboardInterrupt itself passes through an `exec` of a text, as in
    namedtuple and dataclass, CPython ends by SIGINT, whatever is caught and whichever exit code is asked for.
    """


class Parser(argparse.ArgumentParser):
    """A parser whose errors are InputError, with the usage as the fix."""

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise InputError(Problem(self.prog, message, fix=usage))


def run(
    main: Callable[..., None], declare: Callable[[Parser], None] | None = None, argv: Sequence[str] | None = None
) -> NoReturn:
    """Parse the command line, call `main` with its arguments by their names, and exit.

    `declare` adds the arguments to a parser; without it there is one positional argument for each parameter of `main`,
    of the type in its annotation. The help begins with the docstring of `main`. A stage runs alone in its checkout, and
    first removes what killed runs left beside its outputs.
    """
    argv = sys.argv[1:] if argv is None else argv
    module = main.__globals__["__spec__"].name.removesuffix(".__main__")
    # Print each line at once, so that output stands before an error; a class name may not be in the locale's alphabet.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as nohup and a shell's background jobs want it
            signal.signal(each, _interrupt)
    try:
        code = _run(main, declare or partial(_positional, main), argv, module)
    except BrokenPipeError:
        code = StageError.exit_code
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None if it was closed, as by >&-
        _flush(stream)
    sys.exit(code)


def is_stage(module: str) -> bool:
    """Say whether DVC runs a module, as a stage; people run the tools."""
    return module.startswith("stages.")


def _run(main: Callable[..., None], declare: Callable[[Parser], None], argv: Sequence[str], module: str) -> int:
    """Return the exit code. Raises BrokenPipeError if nobody reads what is printed."""
    parser = Parser(prog=f"python -m {module}", description=inspect.getdoc(main), allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    try:
        declare(parser)
        arguments = vars(parser.parse_args(argv))
        del arguments["debug"]
        with lock.held() if is_stage(module) else nullcontext():
            if is_stage(module):
                atomic.sweep([value for value in arguments.values() if isinstance(value, Path)])
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


def _interrupt(*_: object) -> NoReturn:
    """Raise once: the clean-up that follows is not interrupted by an impatient second Ctrl-C."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise _Interrupt


def _flush(stream: Any) -> None:
    """Flush a stream, or turn it to nowhere if it takes no more: Python would fail once more at its end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _positional(main: Callable[..., None], parser: Parser) -> None:
    for name, parameter in inspect.signature(main).parameters.items():
        required = parameter.default is parameter.empty
        optional: dict[str, Any] = {} if required else {"nargs": "?", "default": parameter.default}
        parser.add_argument(name, type=parameter.annotation, **optional)


def _failure(error: BaseException, module: str) -> StageError:
    """Return any exception as a StageError."""
    again = "dvc repro" if is_stage(module) else f"python -m {module}"
    if isinstance(error, StageError):
        return error
    if isinstance(error, KeyboardInterrupt):
        what = "stage" if is_stage(module) else "tool"
        return StageError(Problem(module, "interrupted", fix=f"{again} starts this {what} again"))
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's own
        fix = f"end other programs or lower batch_size in params.yaml, then {again}"
        return StageError(Problem(module, "out of memory", fix=fix))
    if isinstance(error, OSError):
        subject, what = error.filename or module, error.strerror or " ".join(map(str, error.args))
        return StageError(Problem(str(subject), what, fix=f"mend that, then {again}"))
    what = f"unexpected {type(error).__name__}: {error}"
    return StageError(Problem(module, what, fix="run it again with --debug, and report what that prints"))
