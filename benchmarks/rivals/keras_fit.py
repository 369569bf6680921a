"""Recipe R1 by Keras' own `fit`: as the tutorial has it, or compiled by XLA, with an epoch of steps in a call.

    python -m benchmarks.rivals.keras_fit FOLDER BATCH EPOCHS [compiled]

FOLDER has images.npy and labels.npy of the training images. Fewer steps in a call, or a `tf.data` pipeline in place of
the arrays, are not faster.
"""

import sys

import numpy as np

from benchmarks import plain


def main(folder: str, batch: str, epochs: str, how: str = "") -> None:
    images, labels = (np.load(f"{folder}/{name}.npy") for name in ("images", "labels"))
    settings = {"steps_per_execution": len(labels) // int(batch), "jit_compile": True} if how == "compiled" else {}
    model = plain.compiled(**settings)
    model.fit(images, labels, int(batch), int(epochs), verbose=0, callbacks=[plain.printing()])


if __name__ == "__main__":
    main(*sys.argv[1:])
