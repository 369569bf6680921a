"""Describe a data set before anything is trained on it, or files that are to become one.

    python -m tools.describe NAME
    python -m tools.describe PATH [--write-card] [--name NAME]

Reads the data set into a temporary folder as the stage `download` does: the exit code is 4 if the data would give wrong
results. Otherwise prints the number of images by class, what was done to the pictures, duplicates and other oddities;
draws samples into build/describe.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem, StageError
from core.config import params
from core.files import atomic
from core.sources import datasets, kept
from tools.describe import description, drafts


def main(what: str, write_card: bool, name: str | None) -> None:
    """Describe a data set, or a file or a folder that has no card yet; draw samples of it into build/describe."""
    with _ending("then run this command again"):
        _describe(what, write_card, name)


def _describe(what: str, write_card: bool, name: str | None) -> None:
    known = what if what in datasets.names() else drafts.name_in_sources(Path(what))
    if known in datasets.names():
        if write_card or name:
            fix = f"edit {datasets.path_of(known)}, or delete it to write a new one"
            raise InputError(Problem(known, "has a card already", fix=fix))
        card = datasets.load(known)
        if problems := datasets.missing(known, card):
            raise InputError(*problems)
        description.show(known, card, datasets.SOURCES / known)
        _say_what_is_next(known)
        return
    path = Path(what) if Path(what).exists() else datasets.SOURCES / what
    if not path.exists() and (os.sep in what or Path(what).suffix):
        raise InputError(Problem(what, "no such file or folder", fix="correct the path, or name a data set"))
    if not path.exists():
        datasets.require(what, given_as=f"python -m tools.describe {what}")
    new = drafts.name_for(path, name)
    copy = f", put the files into {datasets.SOURCES / new}" * (not drafts.name_in_sources(path))
    saving = f"as {datasets.path_of(new)}{copy}, then python -m tools.describe {new}"
    with atomic.beside(description.FOLDER / path.name) as temporary:
        with _ending(f"save the card {saving}", of=r"\bcard\b"):
            draft = drafts.draft(path, name, temporary)
        print(f"{path} has no card. This one would be {draft.card}:\n\n{draft.text()}")
        with _ending(f"then run this command again; to edit the card, save it {saving}", of=rf"\bcard\b|{draft.card}"):
            description.show(draft.name, draft.read(), draft.source, draft.shown, draft.contents)
        if not write_card:
            print(f"\nto write the card{' and copy the files' * bool(draft.below)}:\n  {draft.command()}")
            return
        print(f"\nwrote {' and '.join(map(str, draft.write()))}; edit title, description and licence there")
    _say_what_is_next(draft.name)


def declare(parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("what", metavar="NAME-or-PATH", help="a data set, or a file or a folder of your own")
    parser.add_argument("--write-card", action="store_true", help="make a data set of the file or folder")
    parser.add_argument("--name", help="of the new data set; default: after the file")


@contextmanager
def _ending(other: str, of: str = "") -> Iterator[None]:
    """Replace the end of each fix that has the pattern `of`: this tool is next, not DVC."""
    try:
        yield
    except StageError as error:
        fixes = ((each, re.sub("then dvc repro$", other, each.fix)) for each in error.problems)
        raise type(error)(
            *(replace(each, fix=fix) if re.search(of, each.fix) else each for each, fix in fixes)
        ) from error


def _say_what_is_next(name: str) -> None:
    chosen = ""
    with suppress(InputError):  # params.yaml may be wrong, which the next command says
        chosen = params.load().dataset.name
    print(f"\nto train on it:\n  {'dvc repro' if name == chosen else f'dvc exp run -S dataset.name={name}'}")
    if line := kept.command(name):
        print(f"\nto keep the files with git and DVC, as queued runs and other people need:\n  {line}")


if __name__ == "__main__":
    command.run(main, declare)
