"""A stage's command line, and the one way in which a stage fails.

A failure ends a stage with an exit code that is not 0 and, as the last line of stderr,
`error: <file or param>: <what> (expected X, got Y); fix: <what to do>`. Where a file has several problems,
each has such a line. A traceback is printed only with `--debug`.
"""

import argparse
import inspect
import io
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 130


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


def run(main: Callable[..., None], argv: Sequence[str] | None = None) -> NoReturn:
    """Call `main` with the paths given on the command line, one for each of its parameters, and exit.

    The command line, its order and its help are read off the signature and the docstring of `main`.
    """
    argv = sys.argv[1:] if argv is None else argv
    stage = main.__globals__["__spec__"].name.removesuffix(".__main__")
    # A line goes out when it is printed, so before that of an error; a class name may not be in the locale's alphabet.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        main(**_parse(main, argv, stage))
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in argv:
            traceback.print_exc()
        failure = _failure(error, stage)
        for problem in failure.problems:
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else failure.exit_code)
    sys.exit(0)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise InputError(Problem(self.prog, message, fix=usage))


def _parse(main: Callable[..., None], argv: Sequence[str], stage: str) -> dict[str, Path]:
    parser = _Parser(prog=f"python -m {stage}", description=inspect.getdoc(main), allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    for name in inspect.signature(main).parameters:
        parser.add_argument(name, type=Path)
    paths = vars(parser.parse_args(argv))
    del paths["debug"]
    return paths


def _failure(error: BaseException, stage: str) -> StageError:
    """Say any exception as a StageError."""
    if isinstance(error, StageError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return StageError(Problem(stage, "interrupted", fix="dvc repro starts this stage again"))
    if isinstance(error, MemoryError):
        fix = "end other programs or lower batch_size in params.yaml, then dvc repro"
        return StageError(Problem(stage, "out of memory", fix))
    if isinstance(error, OSError):
        subject, what = error.filename or stage, error.strerror or " ".join(map(str, error.args))
        return StageError(Problem(str(subject), what, fix="mend that, then dvc repro"))
    what = f"unexpected {type(error).__name__}: {error}"
    return StageError(Problem(stage, what, fix="run it again with --debug, and report what that prints"))
