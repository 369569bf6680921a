"""Bring the archives of the chosen data set, verified, draw them, or make them of a folder of pictures.

Reads dataset of params.yaml and that entry of datasets.yaml; writes the four archives and the class names into a
folder. DATASET_MIRROR, a folder or a base URL that holds <data set>/<archive>, is tried before the mirrors: it changes
where bytes come from, never which.
"""

import os
from pathlib import Path

from stages import atomic, command, datasets, params
from stages.download import conversion, garments, mirrors


def main(raw: Path) -> None:
    """Bring the archives of the chosen data set into a folder."""
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    if isinstance(entry, datasets.Pictured):
        classes = conversion.write(entry, raw)
    else:
        classes = entry.classes
        _bring(name, entry, raw)
    atomic.write_json(raw / datasets.CLASSES, classes)


def _bring(name: str, entry: datasets.Downloaded | datasets.Generated, raw: Path) -> None:
    if isinstance(entry, datasets.Generated):
        garments.write(entry, raw)
        return
    own_mirror = os.environ.get("DATASET_MIRROR", "")
    for _, archive in entry.archives:
        addresses = mirrors.addresses(name, archive.file, entry.mirrors, own_mirror)
        address = mirrors.fetch(archive, addresses, raw / archive.file)
        print(f"{archive.file}: {archive.size} bytes from {address}")


if __name__ == "__main__":
    command.run(main)
