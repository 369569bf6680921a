"""Refuse a bad params.yaml or datasets.yaml before anything is touched.

Reads both files whole; writes a constant, so that an edit which leaves them valid reruns nothing by itself. It comes
first because DVC deletes the outputs of a stage before it runs it: a typo found later would already have cost a result.
"""

from pathlib import Path

from stages import atomic, command, datasets, params
from stages.command import InputError, Problem


def main(validated: Path) -> None:
    """Check params.yaml and datasets.yaml wholly, and the one against the other."""
    problems: list[Problem] = []
    settings = entries = None
    try:
        settings = params.load()
    except InputError as error:
        problems += error.problems
    try:
        entries = datasets.load()
    except InputError as error:
        problems += error.problems
    if settings is None or entries is None:
        raise InputError(*problems)
    datasets.require(settings.dataset.name, entries)
    atomic.write_text(validated, "params.yaml and datasets.yaml are valid\n")
    print(f"params.yaml and datasets.yaml are valid; data set: {settings.dataset.name}")


if __name__ == "__main__":
    command.run(main)
