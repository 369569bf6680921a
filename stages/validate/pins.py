"""Find the pins of local data, for the user to paste into datasets.yaml.

A local file is no dependency in dvc.yaml, so DVC does not notice when it changes. The pin records which data gave the
results: `download` refuses other bytes, and a new pin reruns `download` and every stage after it.
"""

from pathlib import Path

from core.cli.errors import InputError, Problem
from core.config import datasets, schema
from core.files import hashes
from core.formats import archives, image_folder


def missing(name: str, entry: datasets.Entry, whole: datasets.Entry) -> list[Problem]:
    """Return a problem for each pin that the entry lacks, with the value from the `pinned` entry in the fix."""
    if isinstance(entry, datasets.ImageFolder) and isinstance(whole, datasets.ImageFolder) and not entry.sha256:
        return [_not_pinned(name, f'sha256: "{whole.sha256}"')]
    if isinstance(entry, datasets.Downloaded) and isinstance(whole, datasets.Downloaded):
        return [
            _not_pinned(f"{name}.archives.{role}", f'size: {known.size} and sha256: "{known.sha256}"')
            for (role, archive), (_, known) in zip(entry.archives, whole.archives, strict=True)
            if not archive.is_pinned()
        ]
    return []


def pinned(name: str, entry: datasets.Entry) -> datasets.Entry:
    """Return the entry with the pins that it lacks, computed from the data as they are now.

    Raises DataError if the folder or the archives are no data set, InputError if an archive does not exist.
    """
    if isinstance(entry, datasets.ImageFolder) and not entry.sha256:
        return entry.model_copy(update={"sha256": image_folder.pin(entry)})
    if isinstance(entry, datasets.Downloaded) and not all(archive.is_pinned() for _, archive in entry.archives):
        return entry.model_copy(update={"archives": _pinned_archives(name, entry)})
    return entry


def _pinned_archives(name: str, entry: datasets.Downloaded) -> datasets.Archives:
    paths, problems, known = {}, [], {}
    for role, archive in entry.archives:
        if path := entry.on_this_machine(archive.file):
            paths[role] = path
        else:
            where = schema.one_of(str(Path(mirror) / archive.file) for mirror in entry.mirrors)
            key, fix = f"{name}.archives.{role}.file", "correct file or mirrors in datasets.yaml, then dvc repro"
            problems.append(Problem(f"{datasets.PATH}: {key}", f"no such file: {where}", fix=fix))
    if problems:
        raise InputError(*problems)
    archives.Archives(name, entry, paths, entry.classes).check()  # nobody should pin archives that cannot be used
    for role, archive in entry.archives:
        if not archive.is_pinned():
            size, sha256 = hashes.of_file(paths[role])
            known[role] = archive.model_copy(update={"size": size, "sha256": sha256})
    return entry.archives.model_copy(update=known)


def _not_pinned(key: str, pins: str) -> Problem:
    what = "not pinned, so a change of the data would go unnoticed"
    fix = f"add {pins} there, if the data are as you want them; then dvc repro"
    return Problem(f"{datasets.PATH}: {key}", what, fix=fix)
