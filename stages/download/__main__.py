"""Bring the archives of the chosen data set, verified, draw them, or make them of a folder of pictures.

Reads dataset of params.yaml, that entry of datasets.yaml and, for pictures, which version of Pillow is locked; writes
the four archives and the class names into a folder. DATASET_MIRROR, a folder or a base URL that holds <data
set>/<archive>, is tried before the mirrors: it changes where bytes come from, never which.
"""

import os
from pathlib import Path

from core.cli import command
from core.config import datasets, params
from core.files import atomic
from stages.download import conversion, garments, mirrors, pillow


def main(pillow_lock: Path, raw: Path) -> None:
    """Bring the archives of the chosen data set into a folder; decode and draw with the locked version of Pillow."""
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    if not isinstance(entry, datasets.Downloaded):
        pillow.require_locked(pillow_lock)
    bring(name, entry, raw)


def bring(name: str, entry: datasets.Entry, raw: Path) -> None:
    """Bring the archives and the class names of a data set into a folder, printing a line for each archive."""
    if isinstance(entry, datasets.Pictured):
        classes = conversion.write(entry, raw)
    else:
        classes = entry.classes
        if isinstance(entry, datasets.Generated):
            garments.write(entry, raw)
        else:
            _fetch(name, entry, raw)
    atomic.write_json(raw / datasets.CLASSES, classes)


def _fetch(name: str, entry: datasets.Downloaded, raw: Path) -> None:
    own_mirror = os.environ.get("DATASET_MIRROR", "")
    for _, archive in entry.archives:
        addresses = mirrors.addresses(name, archive.file, entry.mirrors, own_mirror)
        address = mirrors.fetch(archive, addresses, raw / archive.file)
        print(f"{archive.file}: {archive.size} bytes from {address}")


if __name__ == "__main__":
    command.run(main)
