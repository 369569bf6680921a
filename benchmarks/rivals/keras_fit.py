"""Recipe R1 by Keras' own `fit`: as the tutorial has it, or compiled by XLA, with an epoch of steps in a call.

    python -m benchmarks.rivals.keras_fit FOLDER BATCH EPOCHS [compiled]

FOLDER has the normalized images and labels, in train/ and test/. Fewer steps in a call, or a `tf.data`
pipeline in place of the arrays, are not faster.
"""

import sys

import numpy as np

from benchmarks import plain

ARRAYS = ("train/images", "train/labels", "test/images", "test/labels")


def main(folder: str, batch: str, epochs: str, how: str = "") -> None:
    images, labels, *test = (np.load(f"{folder}/{name}.npy") for name in ARRAYS)
    settings = {"steps_per_execution": len(labels) // int(batch), "jit_compile": True} if how == "compiled" else {}
    model = plain.compiled(**settings)
    model.fit(images, labels, int(batch), int(epochs), verbose=0, callbacks=[plain.printing()])
    _, accuracy = model.evaluate(*test, verbose=0)
    print(f"accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
