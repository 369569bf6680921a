"""The training that params.yaml describes, written plainly: Keras' own `train_on_batch`, a step at a time, with Keras'
own optimizers and schedules. `trainer.fit` must give the same networks and the same history.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from core.config.params import Train
from core.files.arrays import Split
from core.networks.runtime import keras, tf

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
    "label_smoothing": 0.0,
    "batch_size": 24,
    "epochs": 1,
    "validation_fraction": 0.0,
    "early_stopping_patience": 0,
    "augmentation_shift": 0,
    "augmentation_flip": False,
    "precision": "float32",
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
    return tf.random.stateless_uniform(shape, seed, alg="threefry")


def uniform(shape: tuple[int, ...], seed: tf.Tensor | list[int], settings: Train) -> np.ndarray:
    """Return random numbers in [0, 1), by another generator for the dense network, which XLA compiles."""
    draw = _by_xla if settings.network == "dense" else partial(tf.random.stateless_uniform, alg="philox")
    return draw(tuple(shape), tf.constant(seed)).numpy()


class Muon(keras.optimizers.SGD):
    """Muon with a rate of 0.1 of it for Adam, and with momentum 0.6, written with numpy."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.states = {}

    def _apply_weight_decay(self, variables):
        """Leave it to `apply`: kernels do not decay."""

    def apply(self, grads, trainable_variables):
        """Change weights as Muon does, the kernels of all layers but the last one by Newton and Schulz."""
        self.build(trainable_variables)
        for number, (variable, gradient) in enumerate(zip(trainable_variables, map(np.array, grads), strict=True)):
            state = self.states.setdefault(number, [0, 0, 0])
            state[0] += 1
            value, rate = variable.numpy(), float(self.learning_rate)
            if value.ndim > 1 and number < len(grads) - 2:
                state[1] = 0.6 * state[1] + gradient
                update = _orthogonal((gradient + 0.6 * state[1]).reshape(-1, value.shape[-1])).reshape(value.shape)
                variable.assign(value / np.linalg.norm(value) * value.shape[-1] ** 0.5 - rate * update)
            else:
                state[1] = 0.9 * state[1] + 0.1 * gradient
                state[2] = 0.999 * state[2] + 0.001 * gradient**2
                first, second = state[1] / (1 - 0.9 ** state[0]), state[2] / (1 - 0.999 ** state[0])
                value = value * (1 - 0.1 * rate * (self.weight_decay or 0))
                variable.assign(value - 0.1 * rate * first / (np.sqrt(second) + 1e-7))
        self.iterations.assign_add(1)


def _orthogonal(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with singular values near 1: the polynomial of Muon thrice, on the singular values themselves.

    Muon has the same polynomial in matrix products (K. Jordan et al., 2024).
    """
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values /= np.linalg.norm(matrix) + 1e-7  # the gradient within a block is 0 at first
    for _ in range(3):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return left * values @ right


OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
OPTIMIZERS["muon"] = Muon


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
    else:
        widths = {"cnn_small": (16, 24, 48, 48), "cnn": (24, 24, 96, 96), "cnn_wide": (32, 32, 128, 128)}
        first, *pairs = widths[settings.network]
        layers += [kinds.Reshape((*shape[:2], -1)), kinds.Conv2D(first, 2, padding="same"), kinds.ReLU()]
        for filters in pairs:
            layers += [kinds.Conv2D(filters, 3, padding="same", use_bias=False), kinds.MaxPooling2D(padding="same")]
            layers += [kinds.BatchNormalization(momentum=0.9), kinds.ReLU()]
            layers += [kinds.Conv2D(filters, 3, padding="same", use_bias=False)]
            layers += [kinds.BatchNormalization(momentum=0.9), kinds.ReLU()]
        layers += [kinds.GlobalMaxPooling2D(), *drop()]
    return keras.Sequential([*layers, kinds.Dense(classes, "softmax" if settings.output == "softmax" else None)])


def moved(images: np.ndarray, mirrored: np.ndarray, seed: list[int], settings: Train) -> np.ndarray:
    """Return the images augmented as in a step with this seed: some of them mirrored, then shifted."""
    shift, count = settings.augmentation_shift, len(images)
    if settings.augmentation_flip:
        images = np.array([np.fliplr(image) if flip else image for image, flip in zip(images, mirrored, strict=True)])
    seed = np.array(seed, np.uint32).view(np.int32)
    places = tf.random.stateless_uniform((count, 2), seed, 0, 2 * shift + 1, tf.int32, alg="philox").numpy()
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
    if settings.label_smoothing:
        loss = partial(_smoothed, classes, settings)
    model.compile(optimizer, loss, metrics=["accuracy"], run_eagerly=True)
    coins = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([settings.seed, replicate, 1])))
    tails = coins.random_sample(len(split.labels)) < 0.5
    scores, step = [], 0
    for epoch in range(settings.epochs):
        order, sums = orders.permutation(len(split.labels)), np.zeros(2)
        for start in starts:
            rows = order[start : start + settings.batch_size]
            images = moved(split.images[rows], tails[rows] != epoch % 2, [_seed(settings, replicate), step], settings)
            sums += len(rows) * np.array(model.train_on_batch(images, split.labels[rows]))
            step += 1
        scores.append(tuple(sums / len(order)))
    return Run(model.get_weights(), scores)


def _smoothed(classes: int, settings: Train, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    share = settings.label_smoothing
    labels = (1 - share) * tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), classes) + share / classes
    logarithms = tf.nn.log_softmax(outputs) if settings.output == "logits" else tf.math.log(outputs)
    return -tf.reduce_sum(labels * logarithms, axis=1)


def _seed(settings: Train, replicate: int) -> int:
    return int(np.random.SeedSequence([settings.seed, replicate]).generate_state(1)[0])
