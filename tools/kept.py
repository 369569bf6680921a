"""Refuse to queue runs that would not see the files of the data set: python -m tools.kept, as make sweep does."""

from core.cli import command
from core.cli.errors import InputError
from core.config import params
from core.sources import kept


def main() -> None:
    """Fail unless git and DVC keep the data set that params.yaml names, as queued runs need."""
    name = params.load().dataset.name
    if line := kept.command(name):
        raise InputError(kept.problem(name, line))


if __name__ == "__main__":
    command.run(main)
