"""What pins the data of an entry that is on this machine, for who wrote the entry to paste into it.

A file on this machine is no dependency in dvc.yaml, so DVC would not notice a change of it. What is pinned can't change
unnoticed: `download` refuses other bytes, and a new pin makes everything after it run again.
"""

from pathlib import Path

from stages import datasets, folders, hashes, schema
from stages.command import Problem


def missing(name: str, entry: datasets.Entry) -> list[Problem]:
    """Return a problem for each pin that the entry lacks, with its value in the remedy.

    Raises DataError for a folder that is no data set.
    """
    if isinstance(entry, datasets.Pictured) and not entry.sha256:
        return [_problem(name, f'sha256: "{folders.pin(entry)}"')]
    if isinstance(entry, datasets.Downloaded):
        bare = [(role, archive) for role, archive in entry.archives if not archive.is_pinned()]
        return [_of_archive(f"{name}.archives.{role}", archive.file, entry.mirrors) for role, archive in bare]
    return []


def _of_archive(key: str, file: str, mirrors: list[str]) -> Problem:
    paths = [Path(mirror) / file for mirror in mirrors]
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        what = f"no such file: {schema.one_of(map(str, paths))}"
        return Problem(f"{datasets.PATH}: {key}.file", what, "correct file or mirrors in datasets.yaml, then dvc repro")
    size, sha256 = hashes.of_file(path)
    return _problem(key, f'size: {size} and sha256: "{sha256}"')


def _problem(key: str, pins: str) -> Problem:
    what = "not pinned, so a change of the data would go unnoticed"
    return Problem(
        f"{datasets.PATH}: {key}", what, f"add {pins} there, if the data are as you want them; then dvc repro"
    )
