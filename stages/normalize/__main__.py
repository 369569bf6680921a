"""Scale the pixels of a data set.

Reads the arrays in data/raw. Writes images.npy, float32 in [0, 1], and labels.npy for each split, and the class names.
An official validation split lies in the folder of the training images.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from core.cli import command
from core.files import arrays, class_names
from stages.normalize import scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Scale the pixels to float32 in [0, 1]."""
    folders = {"train": train, "validation": train / arrays.VALIDATION, "test": test}
    names = class_names.read(raw / "classes.json")
    with ExitStack() as outputs:  # outputs appear only after every split is read without an error
        for split in [split for split in folders if (raw / split).exists()]:
            images = arrays.read_images(raw / split / "images.npy", np.uint8)
            labels = arrays.read(raw / split / "labels.npy", np.uint8, 1)
            scaled = map(scaling.scale, arrays.blocks(images))
            outputs.enter_context(arrays.replacing_split(folders[split], images.shape, scaled, labels))
    for split, folder in folders.items():
        if folder.exists():
            print(scaling.summary(split, arrays.read_split(folder), names))
    class_names.write(classes, names)


if __name__ == "__main__":
    command.run(main)
