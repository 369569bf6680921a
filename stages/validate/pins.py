"""What pins the data of an entry that is on this machine, for who wrote the entry to paste into it.

A file on this machine is no dependency in dvc.yaml, so DVC does not notice a change of it. The pin says which data the
results are of: `download`, when it runs, refuses other bytes, and a new pin makes it and everything after it run again.
Until then `dvc repro` goes on with the data that it has: after a change, `python -m tools.describe NAME` prints the new
pin of a folder.
"""

from pathlib import Path

from core.cli.errors import InputError, Problem
from core.config import datasets, schema
from core.files import hashes
from core.formats import archives, image_folder


def missing(name: str, entry: datasets.Entry, whole: datasets.Entry) -> list[Problem]:
    """Return a problem for each pin that the entry lacks, with its value, from the `pinned` entry, in the remedy."""
    if isinstance(entry, datasets.Pictured) and isinstance(whole, datasets.Pictured):
        return [] if entry.sha256 else [_problem(name, f'sha256: "{whole.sha256}"')]
    if isinstance(entry, datasets.Downloaded) and isinstance(whole, datasets.Downloaded):
        return [
            _problem(f"{name}.archives.{role}", f'size: {known.size} and sha256: "{known.sha256}"')
            for (role, archive), (_, known) in zip(entry.archives, whole.archives, strict=True)
            if not archive.is_pinned()
        ]
    return []


def pinned(name: str, entry: datasets.Entry) -> datasets.Entry:
    """Return the entry with the pins that it lacks, of the data as they are now.

    Raises DataError for a folder or archives that are no data set, InputError for archives that are nowhere.
    """
    if isinstance(entry, datasets.Pictured) and not entry.sha256:
        return entry.model_copy(update={"sha256": image_folder.pin(entry)})
    if isinstance(entry, datasets.Downloaded):
        bare = {role: archive for role, archive in entry.archives if not archive.is_pinned()}
        paths = {role: entry.on_this_machine(archive.file) for role, archive in bare.items()}
        if nowhere := [role for role, path in paths.items() if path is None]:
            raise InputError(*(_nowhere(f"{name}.archives.{role}", bare[role].file, entry.mirrors) for role in nowhere))
        if bare:
            _check(name, entry)
        known = {
            role: dict(zip(("size", "sha256"), hashes.of_file(path), strict=True))
            for role, path in paths.items()
            if path
        }
        whole = {role: bare[role].model_copy(update=pins) for role, pins in known.items()}
        return entry.model_copy(update={"archives": entry.archives.model_copy(update=whole)})
    return entry


def _check(name: str, entry: datasets.Downloaded) -> None:
    """Raise DataError unless the archives are a data set: nobody is asked to pin what can't be used."""
    paths = {role: path for role, file in entry.files().items() if (path := entry.on_this_machine(file))}
    if len(paths) == len(entry.files()):
        archives.Archives(name, entry, paths, entry.classes).check()


def _nowhere(key: str, file: str, mirrors: list[str]) -> Problem:
    what = f"no such file: {schema.one_of(str(Path(mirror) / file) for mirror in mirrors)}"
    return Problem(f"{datasets.PATH}: {key}.file", what, fix="correct file or mirrors in datasets.yaml, then dvc repro")


def _problem(key: str, pins: str) -> Problem:
    what = "not pinned, so a change of the data would go unnoticed"
    return Problem(
        f"{datasets.PATH}: {key}", what, fix=f"add {pins} there, if the data are as you want them; then dvc repro"
    )
