"""Refuse a bad params.yaml or datasets.yaml before any result is deleted.

DVC deletes the outputs of a stage before it runs the stage: an error found later would already have cost a result. This
stage writes a constant, so an edit that leaves both files valid reruns nothing by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.cli import command
from core.cli.errors import InputError, Problem
from core.config import datasets, params
from core.files import atomic
from core.networks import architectures
from stages.validate import pins


def main(validated: Path) -> None:
    """Check params.yaml and datasets.yaml, and whether they fit each other and the local data."""
    problems: list[Problem] = []
    settings = entries = None
    with _collecting(problems):
        settings = params.load()
    with _collecting(problems):
        entries = datasets.load()
    if settings is None or entries is None:
        raise InputError(*problems)
    name = settings.dataset.name
    datasets.require(name, entries)
    entry = entries[name]
    problems += architectures.problems(settings.train.network, entry.image_shape)
    problems += pins.missing(name, entry, pins.pinned(name, entry))
    if problems:
        raise InputError(*problems)
    atomic.write_text(validated, "params.yaml and datasets.yaml are valid\n")
    print(f"params.yaml and datasets.yaml are valid; data set: {name}")


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of an InputError to the list, and go on."""
    try:
        yield
    except InputError as error:
        problems += error.problems


if __name__ == "__main__":
    command.run(main)
