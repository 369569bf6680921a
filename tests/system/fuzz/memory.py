"""python -m tests.system.fuzz.memory: print, as JSON, the most bytes that Python holds while each kept case is read.

A process of its own, because tracing may stop only when no other thread runs: a thread of pyarrow that still frees what
it has read crashes Python 3.11 (https://github.com/python/cpython/issues/128679).
"""

import json
import tracemalloc
from collections.abc import Callable

from tests.system.fuzz.__main__ import KEPT
from tests.system.fuzz.targets import TARGETS


def peak(target: Callable[[bytes], None], data: bytes) -> int:
    """Return the most bytes held above those before. Tracing must be on, and the target's imports already done."""
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    target(data)
    return tracemalloc.get_traced_memory()[1] - before


def main() -> None:
    for path in KEPT.values():
        TARGETS[path.parent.name](path.read_bytes())
    tracemalloc.start()
    print(json.dumps({name: peak(TARGETS[path.parent.name], path.read_bytes()) for name, path in KEPT.items()}))


if __name__ == "__main__":
    main()
