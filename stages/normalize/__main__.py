"""Turn the archives into what networks learn from.

Reads the four IDX archives and the class names of data/raw; writes images.npy and labels.npy of each split, and the
class names for the stages after it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from stages import arrays, atomic, command, datasets, idx, params
from stages.normalize import archives, scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Check and parse the archives strictly, and scale their pixels to float32 in [0, 1]."""
    entry = datasets.entry(params.section(params.Dataset).name)
    archives.check(raw, entry)
    names = arrays.read_classes(raw / datasets.CLASSES)
    folders = {"train": train, "test": test}
    with ExitStack() as outputs:  # nothing appears before all is read: one damaged archive leaves everything as it was
        for split, folder in folders.items():
            outputs.enter_context(arrays.replacing_split(folder, *_read(raw, split, entry, names)))
    for split, folder in folders.items():
        print(scaling.summary(split, arrays.read_split(folder), names))
    atomic.write_json(classes, names)


def _read(
    raw: Path, split: str, entry: datasets.Entry, names: list[str]
) -> tuple[tuple[int, ...], Iterator[np.ndarray], np.ndarray]:
    """Return the shape of a split's images, the images in blocks, float32 (m, height, width), and the labels, uint8
    (n,), checked; of the images, what is wrong with their pixels shows while they are read.
    """
    images_path, labels_path = (raw / entry.files()[f"{split}_{kind}"] for kind in ("images", "labels"))
    shape, labels = idx.shape(images_path, dimensions=3), idx.read(labels_path, dimensions=1)
    height, width = entry.image_shape
    scaling.check_shape(shape, images_path, expected=(height, width))
    scaling.check_labels(labels, labels_path, images=shape[0], classes=names)
    return shape, scaling.scaled(idx.blocks(images_path, dimensions=3), images_path), labels


if __name__ == "__main__":
    command.run(main)
