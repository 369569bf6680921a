"""The training that params.yaml describes, written plainly: Keras' own `train_on_batch`, a step at a time, with Keras'
own optimizers and schedules. `trainer.fit` must give the same networks and the same history.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from core.config.params import Train
from core.files.arrays import Split
from core.networks.runtime import keras, tf

OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
SCHEDULES = {
    "constant": lambda rate, steps: rate,
    "linear": lambda rate, steps: keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0),
    "cosine": keras.optimizers.schedules.CosineDecay,
}

# One step on all of 24 images.
SETTINGS = {
    "network": "dense",
    "hidden_units": [5],
    "dropout": 0.0,
    "output": "logits",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "learning_rate_schedule": "constant",
    "weight_decay": 0.0,
    "batch_size": 24,
    "epochs": 1,
    "validation_fraction": 0.0,
    "early_stopping_patience": 0,
    "augmentation_shift": 0,
    "augmentation_flip": False,
    "seed": 7,
    "replicates": 1,
    "threads": 1,
}


def settings(**changes) -> Train:
    return Train(**SETTINGS | changes)


class Run(NamedTuple):
    """The variables of a network, and loss and accuracy of each epoch on the training images."""

    weights: list[np.ndarray]
    scores: list[tuple[float, float]]


@partial(tf.function, jit_compile=True)
def _by_xla(shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, alg="philox")


def uniform(shape: tuple[int, ...], seed: tf.Tensor | list[int], settings: Train) -> np.ndarray:
    """Return random numbers in [0, 1). Of one seed, XLA makes other numbers; it compiles the dense network."""
    draw = _by_xla if settings.network == "dense" else _by_xla.python_function
    return draw(tuple(shape), tf.constant(seed)).numpy()


class Dropout(keras.layers.Dropout):
    """Dropout whose choice depends on the seed that Keras gave the layer, and on the number of the step."""

    def __init__(self, settings: Train):
        super().__init__(settings.dropout)
        self.settings, self.step = settings, 0

    def call(self, inputs, training=False):
        if not training:
            return inputs
        seed = [int(self.seed_generator.state[0]), self.step]
        self.step += 1
        return inputs / (1 - self.rate) * (uniform(inputs.shape, seed, self.settings) >= self.rate)


def network(shape: tuple[int, ...], classes: int, settings: Train) -> keras.Model:
    """Return a new network. The random weights of a layer depend on the order in which the layers are built."""
    kinds = keras.layers
    layers = [keras.Input(shape)]

    def drop() -> list[keras.layers.Layer]:
        return [Dropout(settings)] if settings.dropout else []

    if settings.network == "dense":
        layers += [kinds.Flatten()]
        for units in settings.hidden_units:
            layers += [kinds.Dense(units, activation="relu"), *drop()]
    elif settings.network == "cnn_small":
        layers += [kinds.Reshape((*shape[:2], -1))]
        for filters in (32, 64):
            layers += [kinds.Conv2D(filters, 3, activation="relu"), kinds.MaxPooling2D()]
        layers += [kinds.Flatten(), *drop()]
    elif settings.network == "cnn":
        layers += [kinds.Reshape((*shape[:2], -1))]
        for filters in (32, 64, 128):
            for after in ([kinds.MaxPooling2D(padding="same")], []):
                layers += [kinds.Conv2D(filters, 3, padding="same", use_bias=False)]
                layers += [kinds.BatchNormalization(momentum=0.9), kinds.ReLU(), *after]
        layers += [kinds.GlobalAveragePooling2D(), *drop()]
    return keras.Sequential([*layers, kinds.Dense(classes, "softmax" if settings.output == "softmax" else None)])


def moved(images: np.ndarray, seed: list[int], settings: Train) -> np.ndarray:
    """Return the images augmented as in a step with this seed: mirrored half the time, then shifted."""
    shift, count = settings.augmentation_shift, len(images)
    seeds = tf.random.split(np.array(seed, np.uint32).view(np.int32), 2, alg="philox")
    if settings.augmentation_flip:
        mirrored = uniform((count, 1, 1), seeds[0], settings) < 0.5
        images = np.array([np.fliplr(image) if flip else image for image, flip in zip(images, mirrored, strict=True)])
    places = tf.random.stateless_uniform((count, 2), seeds[1], 0, 2 * shift + 1, tf.int32, alg="philox").numpy()
    framed = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0))[: images.ndim])
    height, width = images.shape[1:3]
    pairs = zip(framed, places, strict=True)
    return np.stack([image[top : top + height, left : left + width] for image, (top, left) in pairs])


def untrained(shape: tuple[int, ...], classes: int, settings: Train, replicate: int) -> keras.Model:
    """Return the network of a replicate before the first step."""
    keras.utils.set_random_seed(_seed(settings, replicate))
    return network(shape, classes, settings)


def fit(split: Split, classes: int, settings: Train, replicate: int) -> Run:
    """Return what `trainer.fit` must give for a replicate if there are no validation images."""
    orders = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([settings.seed, replicate])))
    starts = range(0, len(split.labels), settings.batch_size)
    model = untrained(split.images.shape[1:], classes, settings, replicate)
    rate = SCHEDULES[settings.learning_rate_schedule](settings.learning_rate, settings.epochs * len(starts))
    optimizer = OPTIMIZERS[settings.optimizer](rate, weight_decay=settings.weight_decay or None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=settings.output == "logits")
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)
    scores, step = [], 0
    for _ in range(settings.epochs):
        order, sums = orders.permutation(len(split.labels)), np.zeros(2)
        for start in starts:
            rows = order[start : start + settings.batch_size]
            images = moved(split.images[rows], [_seed(settings, replicate), step], settings)
            sums += len(rows) * np.array(model.train_on_batch(images, split.labels[rows]))
            step += 1
        scores.append(tuple(sums / len(order)))
    return Run(model.get_weights(), scores)


def _seed(settings: Train, replicate: int) -> int:
    return int(np.random.SeedSequence([settings.seed, replicate]).generate_state(1)[0])
