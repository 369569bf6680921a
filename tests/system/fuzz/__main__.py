"""python -m tests.system.fuzz TARGET RUNS SECONDS FOLDER: read TARGET's cases, changed RUNS times or for so long;
exit with 0 unless one shows a bug.

The changes are random, but equal in each run. The bytes that show a bug are written to FOLDER.
"""

import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CASES = Path(__file__).parent / "cases"
KEPT = {path.relative_to(CASES).as_posix(): path for path in sorted(CASES.glob("*/*"))}
MOST_BYTES = 1 << 12  # short cases are read fast; the kept cases are read at full length by the tests
MOST_SECONDS = 5
MOST_MEMORY = 4 << 30


def mutated(cases: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of the cases after a few changes: bytes set, cut out, repeated, or copied from another case."""
    data = bytearray(chance.choice(cases))
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice([1, 1, 2, 4, 8, 64, 1024]))
        other = chance.choice(cases)
        place = chance.randint(0, len(other))
        new = chance.choice(
            [
                chance.randbytes(end - start),
                bytes([chance.choice(b"\0\1\x7f\x80\xff09-.,:[]{}\"'\n\t e")]) * (end - start),
                b"",
                bytes(data[start:end]) * chance.randint(2, 40),
                other[place : place + chance.choice([1, 4, 16, 256])],
            ]
        )
        data[start:end] = new
    return bytes(data[:MOST_BYTES])


def run(target: Callable[[bytes], None], name: str, runs: int, seconds: int, folder: Path) -> int:
    """Return the number of runs. Raises what the target raises, after the bytes are written to `folder`."""
    cases = [path.read_bytes() for path in sorted((CASES / name).iterdir())]
    chance, done, end = random.Random(0), 0, time.monotonic() + seconds
    while done < runs and time.monotonic() < end:
        data = mutated(cases, chance)
        start = time.process_time()
        try:
            target(data)
            assert time.process_time() - start < MOST_SECONDS, "too slow"
        except BaseException:
            (folder / f"bug-{name}").write_bytes(data)
            raise
        done += 1
    return done


def main(name: str, runs: str, seconds: str, folder: str) -> None:
    from tests.system.fuzz.targets import TARGETS

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    print(run(TARGETS[name], name, int(runs), int(seconds), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
