"""Parse the archives of the chosen data set and scale their pixels.

Reads the four IDX archives and the class names in data/raw. Writes images.npy, float32 in [0, 1], and labels.npy for
each split, and the class names.
"""

from contextlib import ExitStack
from pathlib import Path

from core.cli import command
from core.config import datasets, params
from core.files import arrays, class_names
from core.formats import archives
from stages.normalize import scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Check and parse the archives, and scale their pixels to float32 in [0, 1]."""
    name = params.section(params.Dataset).name
    entry = datasets.entry(name)
    paths = {role: raw / file for role, file in entry.files().items()}
    archives.require_pinned(entry, paths)
    names = class_names.read(raw / datasets.CLASSES)
    read = archives.Archives(name, entry, paths, names)
    folders = {"train": train, "test": test}
    with ExitStack() as outputs:  # outputs appear only after every archive is read without an error
        for split, (shape, labels) in read.parts().items():
            images = map(scaling.scale, read.images(split))
            outputs.enter_context(arrays.replacing_split(folders[split], shape, images, labels))
    for split, folder in folders.items():
        print(scaling.summary(split, arrays.read_split(folder), names))
    class_names.write(classes, names)


if __name__ == "__main__":
    command.run(main)
