"""The compiled epoch: all mini-batches of a block run in one call, on images held in memory as tensors, or brought from
their file for that call where they are more than memory holds.

Keras' own `fit` spends most of an epoch of a small network between batches. Here a step is Keras' model, loss and
optimizer as in `fit`, but the loop over the steps is inside the compiled function.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from core.files import arrays
from core.networks.runtime import keras, tf

# Batches a call: enough that what happens between two calls costs nothing, few enough to stop in good time.
BLOCK = 375
# Bytes of images that are brought from their file for a call, or scored at once: what is more takes several calls.
AT_ONCE = 1 << 24
# The generator of random numbers: XLA's own choice takes seven times as long on a processor.
RANDOM = "philox"
# Images scored at once where nothing is learned, unless they are large: convolutions need many times their size.
SCORING_BATCH = 5000


def values(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    """Return the values of variables, in their order."""
    return [variable.numpy() for variable in variables]


def assign(variables: Iterable[keras.Variable], new: Iterable[np.ndarray]) -> None:
    """Give variables new values, in their order."""
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)


class State(NamedTuple):
    """All that a replicate has become so far: the variables of its model and of its optimizer."""

    model: list[np.ndarray]
    optimizer: list[np.ndarray]


class Dropout(keras.layers.Dropout):
    """Keras' dropout, its random numbers from another generator."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return inputs with a share of `rate` of them 0, and the others raised by as much in return."""
        if not training:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed, rng_alg=RANDOM)


def fast(model: keras.Model) -> keras.Model:
    """Return a network of the same layers and sizes, unfitted, whose dropout is the one above."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = Dropout if isinstance(layer, keras.layers.Dropout) else type(layer)
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


class Loop:
    """A network and its optimizer with their steps compiled; replicates take turns in it by `load` and `state`.

    images: float32 (n, height, width), a tensor, or an array that may stay mapped: what becomes of them is the same.
    labels: int32 (n,), a tensor; both shared by all loops. loss: from labels and the model's outputs to a mean.
    augment: from a batch and a seed int32 (2,) to a batch, or None. xla: whether XLA compiles it.
    """

    def __init__(self, model, optimizer, loss, images, labels, *, augment, xla):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.images, self.labels, self.augment = images, labels, augment
        optimizer.build(model.trainable_variables)
        self.fresh = values(optimizer.variables)  # those of an optimizer that has not yet made a step
        self._run = tf.function(self._steps, jit_compile=xla)
        self._score = tf.function(self._sums)

    def load(self, state: State) -> None:
        """Go on from a state."""
        assign(self.model.variables, state.model)
        assign(self.optimizer.variables, state.optimizer)

    def state(self) -> State:
        """Return the state as it is now."""
        return State(values(self.model.variables), values(self.optimizer.variables))

    def run(self, rows: np.ndarray, rates: np.ndarray, seed: np.ndarray) -> np.ndarray:
        """Train on a block of batches and return the sums over its images of loss and of right answers, float64 (2,).

        rows: int32 (batches, size), indices of images; rates: float32 (batches,); seed: int32 (2,), of augmentation.
        """
        most = self._batches_a_call(rows.shape[1])
        sums = tf.constant(0.0), tf.constant(0.0)
        for start in range(0, len(rows), most):
            part = slice(start, start + most)
            sums = self._call(rows[part], rates[part], seed + np.array([0, start], np.int32), most, sums)
        return np.array(sums, float)

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the means of loss and of right answers over some images, float64 (2,), as the network is now.

        rows: int32 (n,), indices of these images.
        """
        sums = np.zeros(2)
        for some in arrays.blocks(rows, min(SCORING_BATCH, _images_at_once(self.images))):
            sums += np.array(self._score(*self._picked(some)), float)
        return sums / len(rows)

    def _batches_a_call(self, size: int) -> int:
        """Return how many batches of that size a call is for: of images that are brought, as many as may be at once."""
        if tf.is_tensor(self.images):
            return BLOCK
        return min(BLOCK, max(1, _images_at_once(self.images) // size))

    def _call(self, rows, rates, seed, most, sums):
        """Run batches in one call of as many as `most`, so that it is compiled once: those beyond are not run."""
        batches = len(rows)
        padding = max(0, most - batches) if batches > 1 else 0
        rows, rates = np.pad(rows, ((0, padding), (0, 0))), np.pad(rates, (0, padding))
        images, labels = self.images, self.labels
        if not tf.is_tensor(images):
            images, labels = self._picked(rows.ravel())
            rows = np.arange(rows.size, dtype=np.int32).reshape(rows.shape)
        given = map(tf.constant, (rows, rates, seed, batches))
        return self._run(images, labels, *given, *sums)

    def _picked(self, rows):
        """Return images and labels of these indices as tensors."""
        held = tf.is_tensor(self.images)
        images = tf.gather(self.images, rows) if held else tf.constant(arrays.pick(self.images, rows))
        return images, tf.gather(self.labels, rows)

    def _steps(self, all_images, all_labels, rows, rates, seed, batches, loss_sum, right_sum):
        def step(index, loss_sum, right_sum):
            images, labels = tf.gather(all_images, rows[index]), tf.gather(all_labels, rows[index])
            if self.augment:
                images = self.augment(images, seed + tf.stack([0, index]))
            self.optimizer.learning_rate = rates[index]
            with tf.GradientTape() as tape:
                outputs = self.model(images, training=True)
                loss = self.loss(labels, outputs)
            self.optimizer.apply(tape.gradient(loss, self.model.trainable_weights))
            size = tf.cast(rows.shape[1], tf.float32)
            return index + 1, loss_sum + loss * size, right_sum + _right(labels, outputs)

        start = (tf.constant(0), loss_sum, right_sum)
        return tf.while_loop(lambda index, *_: index < batches, step, start)[1:]

    def _sums(self, images, labels):
        outputs = self.model(images, training=False)
        return self.loss(labels, outputs) * labels.shape[0], _right(labels, outputs)


def _right(labels, outputs):
    return tf.reduce_sum(tf.cast(tf.argmax(outputs, axis=1, output_type=tf.int32) == labels, tf.float32))


def _images_at_once(images: tf.Tensor | np.ndarray) -> int:
    """Return how many float32 images AT_ONCE has room for, at least 1."""
    return max(1, AT_ONCE // (math.prod(images.shape[1:]) * 4))
