"""Draw the figures of a report on two cores."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe

from stages.render import style
from stages.render.document import Illustration


def pngs(illustrations: Sequence[Illustration], dpi: int) -> dict[str, bytes]:
    """Return the PNG of each illustration by its file name. A second process draws half of them, if there can be one.

    matplotlib is no faster in threads, and pickle can't pass the functions that draw: so the process is a fork.
    """
    if sys.platform != "linux":  # elsewhere, a fork is missing or unsafe
        return _drawn(illustrations, dpi)
    receiver, sender = Pipe(duplex=False)
    if (child := os.fork()) == 0:
        try:
            receiver.close()
            sender.send(_drawn(illustrations[1::2], dpi))
        finally:
            os._exit(0)
    sender.close()
    try:
        with receiver:
            drawn = _drawn(illustrations[::2], dpi)
            with suppress(EOFError, OSError):  # the child failed, perhaps as this process will
                return drawn | receiver.recv()
        return drawn | _drawn(illustrations[1::2], dpi)
    finally:
        os.waitpid(child, 0)


def _drawn(illustrations: Sequence[Illustration], dpi: int) -> dict[str, bytes]:
    return {each.file: style.png(each.draw, dpi, each.title, each.note) for each in illustrations}
