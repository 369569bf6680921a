"""Refuse a bad params.yaml or a bad card before any result is deleted.

DVC deletes the outputs of a stage before it runs the stage: an error found later would already have cost a result. This
stage writes a constant, so an edit that leaves all files valid reruns nothing by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.cli import command
from core.cli.errors import InputError, Problem
from core.config import params
from core.files import atomic
from core.networks import architectures
from core.sources import datasets, kept

EARLIER = Path("datasets.yaml")


def main(validated: Path) -> None:
    """Check params.yaml and all cards, and whether the chosen one fits the params and has its files.

    In a run of DVC's queue, also check that the files are those of the project.
    """
    problems: list[Problem] = []
    settings, cards = None, {}
    with _collecting(problems):
        settings = params.load()
    for name in datasets.names():
        with _collecting(problems):
            cards[name] = datasets.load(name)
    if EARLIER.exists():
        what = "no longer read: each data set has a file of its own in datasets/"
        fix = "see From datasets.yaml in docs/your-data.md, then delete this file, then dvc repro"
        problems.append(Problem(str(EARLIER), what, fix=fix))
    if settings is not None:
        problems += architectures.problems(settings.train.network)
        with _collecting(problems):
            kept.require(settings.dataset.name)
            datasets.require(settings.dataset.name)
            if card := cards.get(settings.dataset.name):
                problems += datasets.missing(settings.dataset.name, card)
                if (official := datasets.has_validation(card)) is not None:  # `train` checks it again
                    params.require_one_source(settings.train, official)
    if problems:
        raise InputError(*problems)
    atomic.write_text(validated, "params.yaml and the cards are valid\n")
    print(f"params.yaml and the cards are valid; data set: {settings.dataset.name}")


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of an InputError to the list, and go on."""
    try:
        yield
    except InputError as error:
        problems += error.problems


if __name__ == "__main__":
    command.run(main)
