"""Recipe R1 by Keras' own `fit`: as the tutorial has it, or compiled by XLA, with an epoch of steps in a call.

python -m benchmarks.rivals.keras_fit FOLDER [compiled]      FOLDER: images.npy and labels.npy of the training images

Fewer steps in a call, or a `tf.data` pipeline in place of the arrays, are not faster.
"""

import sys

import numpy as np

from benchmarks import plain

EPOCHS, BATCH = 5, 32


def main(folder: str, how: str = "") -> None:
    images, labels = (np.load(f"{folder}/{name}.npy") for name in ("images", "labels"))
    settings = {"steps_per_execution": len(labels) // BATCH, "jit_compile": True} if how == "compiled" else {}
    plain.compiled(**settings).fit(images, labels, BATCH, EPOCHS, verbose=0, callbacks=[plain.printing()])


if __name__ == "__main__":
    main(*sys.argv[1:])
