"""Turn the archives into what networks learn from.

Reads the four IDX archives and the class names of data/raw; writes images.npy and labels.npy of each split, and the
class names for the stages after it.
"""

from pathlib import Path

import numpy as np

from stages import arrays, atomic, command, datasets, idx, params
from stages.normalize import archives, scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Check and parse the archives strictly, and scale their pixels to float32 in [0, 1]."""
    entry = datasets.entry(params.section(params.Dataset).name)
    archives.check(raw, entry)
    names = arrays.read_classes(raw / datasets.CLASSES)
    # All is read before anything is written: one damaged archive leaves everything as it was.
    pictures = {split: _read(raw, split, entry, names) for split in ("train", "test")}
    for split, folder in (("train", train), ("test", test)):
        images, labels = pictures[split]
        arrays.write_split(folder, arrays.Split(scaling.scale(images), labels))
        print(scaling.summary(split, arrays.read_split(folder), names))
    atomic.write_json(classes, names)


def _read(raw: Path, split: str, entry: datasets.Entry, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (n, height, width), and the labels, uint8 (n,), of a split, checked."""
    images_path, labels_path = (raw / entry.files()[f"{split}_{kind}"] for kind in ("images", "labels"))
    images, labels = idx.read(images_path, dimensions=3), idx.read(labels_path, dimensions=1)
    height, width = entry.image_shape
    scaling.check_images(images, images_path, shape=(height, width))
    scaling.check_labels(labels, labels_path, images=len(images), classes=names)
    return images, labels


if __name__ == "__main__":
    command.run(main)
