"""Scale the pixels of a data set.

Reads the arrays in data/raw. Writes images.npy, float32 in [0, 1], and labels.npy for each split, and the class names.
An official validation split lies in the folder of the training images.
"""

import shutil
from contextlib import ExitStack
from pathlib import Path

from core.cli import command
from core.files import arrays, class_names
from stages.normalize import scaling


def main(raw: Path, train: Path, test: Path, classes: Path) -> None:
    """Scale the pixels to float32 in [0, 1]."""
    folders = {"train": train, arrays.VALIDATION: train / arrays.VALIDATION, "test": test}
    names = class_names.read(raw / "classes.json")
    if not (raw / arrays.VALIDATION).exists():
        del folders[arrays.VALIDATION]
    splits = {name: arrays.read_split(raw / name, len(names), arrays.RAW) for name in folders}
    with ExitStack() as outputs:  # outputs appear only after every split is written without an error
        for name, (images, labels) in splits.items():
            scaled = map(scaling.scale, arrays.blocks(images))
            outputs.enter_context(arrays.replacing_split(folders[name], images.shape[1:], scaled, labels))
    if arrays.VALIDATION not in folders:  # of an earlier run of this stage alone; DVC would have removed it
        shutil.rmtree(train / arrays.VALIDATION, ignore_errors=True)
    for name, folder in folders.items():
        print(scaling.summary(name, arrays.read_split(folder), names))
    class_names.write(classes, names)


if __name__ == "__main__":
    command.run(main)
