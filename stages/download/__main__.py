"""Bring the archives of the chosen data set, verified, or draw them.

Reads dataset of params.yaml and that entry of datasets.yaml; writes the four archives into a folder. DATASET_MIRROR, a
folder or a base URL that holds <data set>/<archive>, is tried before the mirrors: it changes where bytes come from,
never which.
"""

import os
from pathlib import Path

from stages import command, datasets, params
from stages.download import garments, mirrors


def main(raw: Path) -> None:
    """Bring the archives of the chosen data set into a folder."""
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
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
