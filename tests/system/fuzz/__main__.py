"""python -m tests.system.fuzz TARGET RUNS SECONDS FOLDER: read TARGET's cases, changed RUNS times or for so long;
end with 0 unless one is a bug.

Where atheris is installed, its coverage of the readers decides which changes are kept to be changed further; elsewhere
the changes are by chance alone, though the same in each run. The bytes that show a bug are written to FOLDER.
"""

import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

CASES = Path(__file__).parent / "cases"
# Short ones are read fast and changed where it matters; the kept cases are what is read at full length.
MOST_BYTES = 1 << 12
MOST_SECONDS = 5
SLOWER = 10  # by what atheris adds to each line of the readers
MOST_MEMORY = 2 << 30


def mutated(cases: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of the cases after a few changes: bytes set, cut out, repeated, moved in from another case."""
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


def by_chance(target: Callable[[bytes], None], name: str, runs: int, seconds: int, folder: Path) -> None:
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
    print(f"Done {done} runs", file=sys.stderr)


def by_coverage(name: str, runs: int, seconds: int, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["core", "stages", "json", "gzip", "tests.system.fuzz.targets"]):
        from tests.system.fuzz.targets import TARGETS
    found = folder / f"found-{name}"
    found.mkdir(exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        "-seed=1",
        f"-max_len={MOST_BYTES}",
        f"-timeout={SLOWER * MOST_SECONDS}",
    ]
    options += [f"-rss_limit_mb={MOST_MEMORY >> 20}", f"-artifact_prefix={folder}/bug-{name}-"]
    # New cases go to the first folder; the second is read alone.
    atheris.Setup([sys.argv[0], *options, str(found), str(CASES / name)], TARGETS[name])
    atheris.Fuzz()


def main(name: str, runs: str, seconds: str, folder: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 * MOST_MEMORY, 2 * MOST_MEMORY))
    if find_spec("atheris"):
        print("guided by coverage (atheris)", flush=True)
        by_coverage(name, int(runs), int(seconds), Path(folder))
    else:
        from tests.system.fuzz.targets import TARGETS

        print("by chance (atheris is not installed)", flush=True)
        by_chance(TARGETS[name], name, int(runs), int(seconds), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
