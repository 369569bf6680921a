"""Put the archives of the chosen data set into a folder: downloaded, drawn, or made from an image folder.

Reads dataset in params.yaml, its entry in datasets.yaml, the locked version of Pillow and, for an image folder, the
pictures. Writes four IDX archives and the class names. The environment variable DATASET_MIRROR may name a folder or a
URL that holds <data set>/<archive>; it is tried before the mirrors and changes no bytes: SHA-256 pins them.
"""

import os
from pathlib import Path

from core.cli import command
from core.config import datasets, params
from core.files import class_names
from stages.download import conversion, fetch, garments, pillow


def main(pillow_lock: Path, raw: Path) -> None:
    """Write the archives of the chosen data set into a folder."""
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    if not isinstance(entry, datasets.Downloaded):
        pillow.require_locked(pillow_lock)
    write(name, entry, raw)


def write(name: str, entry: datasets.Entry, raw: Path) -> None:
    """Write the archives and the class names of a data set into a folder, and print a line for each archive.

    Raises DataError or NetworkError.
    """
    classes = entry.classes
    if isinstance(entry, datasets.ImageFolder):
        classes = conversion.write(entry, raw)
    elif isinstance(entry, datasets.Generated):
        garments.write(entry, raw)
    else:
        for _, archive in entry.archives:
            address = fetch.fetch(archive, _addresses(name, entry, archive.file), raw / archive.file)
            print(f"{archive.file}: {archive.size} bytes from {address}")
    class_names.write(raw / datasets.CLASSES, classes)


def _addresses(name: str, entry: datasets.Downloaded, file: str) -> list[str]:
    own_mirror = os.environ.get("DATASET_MIRROR")
    mirrors = [f"{own_mirror.rstrip('/')}/{name}"] if own_mirror else []
    return [f"{mirror.rstrip('/')}/{file}" for mirror in [*mirrors, *entry.mirrors]]


if __name__ == "__main__":
    command.run(main)
