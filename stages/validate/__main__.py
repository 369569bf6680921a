"""Refuse a bad params.yaml or datasets.yaml before anything is touched.

Reads both files whole, and the chosen data set where it is on this machine and not pinned yet; writes a constant, so
that an edit which leaves them valid reruns nothing by itself. It comes first because DVC deletes the outputs of a stage
before it runs it: a typo found later would already have cost a result.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.cli import command
from core.cli.errors import DataError, InputError, Problem
from core.config import datasets, params
from core.files import atomic
from core.networks import architectures
from stages.validate import pins


def main(validated: Path) -> None:
    """Check params.yaml and datasets.yaml wholly, and the one against the other."""
    problems: list[Problem] = []
    name = network = entries = None
    with _into(problems):
        params.load()
    with _into(problems):
        entries = datasets.load()
    with suppress(InputError):  # what is wrong with a section is listed by now; the rest of the file may be wrong
        name = params.section(params.Dataset).name
        network = params.section(params.Train).network
    if name is not None and entries is not None:
        with _into(problems):
            datasets.require(name, entries)
            entry = entries[name]
            problems += architectures.problems(network, entry.image_shape) if network else []
            problems += pins.missing(name, entry, pins.pinned(name, entry))
    if problems:
        raise InputError(*problems)
    atomic.write_text(validated, "params.yaml and datasets.yaml are valid\n")
    print(f"params.yaml and datasets.yaml are valid; data set: {name}")


@contextmanager
def _into(problems: list[Problem]) -> Iterator[None]:
    """Add what is raised to the problems, and go on. Where nothing but the data is wrong, that stays a DataError."""
    try:
        yield
    except InputError as error:
        problems += error.problems
    except DataError as error:
        if not problems:
            raise
        problems += error.problems


if __name__ == "__main__":
    command.run(main)
