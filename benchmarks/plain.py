"""Recipe R1 as the tutorial has it: Keras' own way from the archives to the predictions, and nothing else.

    python -m benchmarks.plain FOLDER

FOLDER holds the four archives of Fashion-MNIST. Prints a line after each step, so that it can be timed from outside.
"""

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def main(folder: Path) -> None:
    print("imported", flush=True)
    train_images, test_images = (images(folder / f"{name}-images-idx3-ubyte.gz") for name in ("train", "t10k"))
    train_labels, test_labels = (labels(folder / f"{name}-labels-idx1-ubyte.gz") for name in ("train", "t10k"))
    train_images, test_images = train_images / 255.0, test_images / 255.0
    print("loaded", flush=True)
    model = compiled()
    model.fit(train_images, train_labels, epochs=10, verbose=0, callbacks=[printing()])
    print("fitted", flush=True)
    _, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    tf.keras.Sequential([model, tf.keras.layers.Softmax()]).predict(test_images, verbose=0)
    print(f"accuracy {accuracy:.4f}", flush=True)


def compiled(**settings: Any) -> tf.keras.Model:
    """Return the tutorial's network. settings: others of `compile` than the tutorial's."""
    model = tf.keras.Sequential(
        [tf.keras.layers.Flatten(), tf.keras.layers.Dense(128, activation="relu"), tf.keras.layers.Dense(10)]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"], **settings)
    return model


def printing() -> tf.keras.callbacks.Callback:
    """Return a callback that prints a line after each epoch."""
    return tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print("epoch", epoch + 1, flush=True))


def images(path: Path) -> np.ndarray:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def labels(path: Path) -> np.ndarray:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
