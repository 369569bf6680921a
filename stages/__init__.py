"""The pipeline: a package for each stage (a verb), a module for each thing that stages share (a noun).

Of a program it is what runs first, so what holds from the first moment on begins here: an interrupt ends it in one
line.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from types import FrameType

INTERRUPTED = 130
# Ctrl-C, a request to end, a terminal that was closed; the last is unknown to Windows.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def is_stage(module: str) -> bool:
    """Say whether a module is run by DVC, as the others are by people."""
    return module.startswith("stages.")


def once_more(module: str) -> str:
    """Return how a module that was interrupted is run again."""
    return "dvc repro starts this stage again" if is_stage(module) else f"python -m {module} starts this tool again"


def heed(answer: Callable[[int, FrameType | None], object]) -> Callable[[], None]:
    """Let an interrupt call `answer`, from the main thread; return what undoes that.

    A signal that whoever started this wants ignored is left so: nohup protects from the end of a terminal, and a shell
    what runs in its background from the Ctrl-C that is meant for what runs before it.
    """
    before = {each: signal.getsignal(each) for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, answer)

    def undo() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    return undo


def _end_at_once(*_: object) -> None:
    """End before there is anything to clean up, or after.

    Not by an exception: a module that is being imported when it is raised may catch it, and go on without a part.
    """
    with suppress(OSError):  # nobody is there to read it
        os.write(_STDERR, f"error: {_PROGRAM}: interrupted; fix: {once_more(_PROGRAM)}\n".encode())
    os._exit(INTERRUPTED)


def _open_what_is_closed() -> None:
    """Give a program the streams that it was started without, as by `>&-`: to them, what is written is lost.

    Else the next file that is opened would be its stderr, and TensorFlow's notices would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


if sys.argv[:1] == ["-m"]:  # as Python has it while it looks for the module that it was started with
    _open_what_is_closed()
    _PROGRAM = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
    _STDERR = os.dup(2)  # core.networks.runtime turns the other one away while TensorFlow starts
    heed(_end_at_once)

# DVC runs whichever `python` comes first on PATH: say so in one line, not in a traceback about a missing module.
if not all(map(find_spec, ("numpy", "pydantic", "tensorflow", "yaml"))):
    sys.exit(
        "error: python: this one lacks the project's packages "
        f"(expected the python of .venv, got {sys.executable}); fix: make setup, then . .venv/bin/activate"
    )
