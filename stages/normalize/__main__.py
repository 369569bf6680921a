"""Turn the archives into what networks learn from.

Reads the four IDX archives of data/raw; writes images.npy and labels.npy of each split and the class names.
"""

from pathlib import Path

from stages import arrays, atomic, command, datasets, idx, params
from stages.normalize import scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Parse the archives strictly, and scale their pixels to float32 in [0, 1]."""
    entry = datasets.entry(params.section(params.Dataset).name)
    for split, folder in (("train", train), ("test", test)):
        images_path = raw / entry.files()[f"{split}_images"]
        labels_path = raw / entry.files()[f"{split}_labels"]
        images, labels = idx.read(images_path, dimensions=3), idx.read(labels_path, dimensions=1)
        scaling.check_images(images, images_path, shape=tuple(entry.image_shape))
        scaling.check_labels(labels, labels_path, images=len(images), classes=entry.classes)
        arrays.write_split(folder, arrays.Split(scaling.scale(images), labels))
        print(scaling.summary(split, arrays.read_split(folder), entry.classes))
    atomic.write_json(classes, entry.classes)


if __name__ == "__main__":
    command.run(main)
