"""Run the command line of a stage or a tool.

A command that fails exits with a code other than 0 and prints one line for each problem at the end of stderr:
`error: <file or param>: <what> (expected X, got Y); fix: <what to do>`. `--debug` adds the traceback. If the reader of
the output closes the pipe, as `| head -1` does, the command ends without a message.
"""

import argparse
import gc
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

STAGES = "stages."  # the modules that DVC runs; users run the other ones
INTERRUPTED = 130
EXIT_CODES = "Exit codes: 2 bad input, 3 network, 4 damaged data, 130 interrupted, 1 any other failure."
# Ctrl-C, a request to end, a closed terminal; Windows has no SIGHUP.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

# DVC runs the first `python` on PATH. If that is another one, the imports that follow this module would end in a
# traceback, so every `__main__` imports this module before any package.
if not all(map(find_spec, ("numpy", "pydantic", "tensorflow"))):
    sys.exit(
        "error: python: lacks the project's packages "
        f"(expected the python of .venv, got {sys.executable}); fix: make setup, then . .venv/bin/activate"
    )


class _Interrupt(KeyboardInterrupt):
    """An interrupt. CPython ends by SIGINT if KeyboardInterrupt itself leaves `exec`, which namedtuple calls, even if a
    caller catches it.
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

    `declare` adds the arguments to the parser. Without it, each parameter of `main` is a positional argument of the
    annotated type. The help begins with the docstring of `main`. A stage runs alone in its checkout, and first deletes
    the temporary files that killed runs left beside its outputs.
    """
    argv = sys.argv[1:] if argv is None else argv
    module = main.__globals__["__spec__"].name.removesuffix(".__main__")
    # Output comes before the error that follows it. The locale may not be able to encode a class name.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    for each in SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # nohup and background jobs of a shell ignore some
            signal.signal(each, _interrupt)
    gc.set_threshold(10_000)  # the default looks for garbage during a tenth of the time of `render`
    try:
        code = _run(main, declare or partial(_positional, main), argv, module)
    except BrokenPipeError:
        code = StageError.exit_code
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None if the shell closed it, as by >&-
        try:
            stream.flush()
        except OSError:  # discard the rest of the output: Python would fail again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _run(main: Callable[..., None], declare: Callable[[Parser], None], argv: Sequence[str], module: str) -> int:
    """Return the exit code. Raises BrokenPipeError if the reader of the output has closed the pipe."""
    about = (inspect.getdoc(main) or "").partition("\n\n")[0]
    parser = Parser(prog=f"python -m {module}", description=about, epilog=EXIT_CODES, allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    try:
        declare(parser)
        arguments = vars(parser.parse_args(argv))
        del arguments["debug"]
        is_stage = module.startswith(STAGES)
        with lock.held() if is_stage else nullcontext():
            if is_stage:
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
    """Raise once, so that a second Ctrl-C does not interrupt the clean-up."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise _Interrupt


def _positional(main: Callable[..., None], parser: Parser) -> None:
    for name, parameter in inspect.signature(main).parameters.items():
        required = parameter.default is parameter.empty
        optional: dict[str, Any] = {} if required else {"nargs": "?", "default": parameter.default}
        parser.add_argument(name, type=parameter.annotation, **optional)


def _failure(error: BaseException, module: str) -> StageError:
    """Return an exception as a StageError."""
    again, kind = ("dvc repro", "stage") if module.startswith(STAGES) else (f"python -m {module}", "tool")
    if isinstance(error, StageError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return StageError(Problem(module, "interrupted", fix=f"{again} starts this {kind} again"))
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's own
        fix = f"end other programs or lower batch_size in params.yaml, then {again}"
        return StageError(Problem(module, "out of memory", fix=fix))
    if isinstance(error, OSError):
        subject, what = error.filename or module, error.strerror or " ".join(map(str, error.args))
        return StageError(Problem(str(subject), what, fix=f"mend that, then {again}"))
    what = f"unexpected {type(error).__name__}: {error}"
    return StageError(Problem(module, what, fix="run it again with --debug, and report what that prints"))
