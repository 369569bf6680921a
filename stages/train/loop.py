"""The compiled training loop: many mini-batches run in one call of TensorFlow.

Keras' own `fit` spends most of an epoch of a small network between batches. A step here is the same as in `fit`, with
Keras' model, loss and optimizer, but the loop over the steps is inside the compiled function. The images are a tensor
in memory, or are read from their file for each call if memory has no room for them.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import numpy as np

from core.files import arrays
from core.networks.runtime import keras, tf

# Batches in a call: enough that the time between two calls does not count, few enough to stop soon after Ctrl-C.
BLOCK = 375
# Bytes of images that are read from their file for a call, or scored at once.
AT_ONCE = 1 << 24
# The fastest generators of random numbers, without XLA and with it. With the flag of core.networks.runtime, XLA takes
# thirteen times as long for dropout by philox as by threefry, which TensorFlow has for XLA alone.
RANDOM = {False: "philox", True: "threefry"}
# TensorFlow's own alignment, in bytes: it would copy an array that begins elsewhere.
ALIGNMENT = 64
# Images scored at once, or fewer if they are large: convolutions need many times the memory of the images.
SCORING_BATCH = 5000

Augment: TypeAlias = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
Loss: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Labelled(NamedTuple):
    """images: float32 (n, height, width) or (n, height, width, 3), a tensor, or a mapped array; both give the same
    results. labels: int32 (n,), a tensor.
    """

    images: tf.Tensor | np.ndarray
    labels: tf.Tensor

    def pick(self, rows: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the images and labels of int32 (n,) indices."""
        in_memory = tf.is_tensor(self.images)
        images = tf.gather(self.images, rows) if in_memory else tf.constant(arrays.pick(self.images, rows))
        return images, tf.gather(self.labels, rows)

    def at_once(self) -> int:
        """Return how many images AT_ONCE has room for, at least 1."""
        return max(1, AT_ONCE // (math.prod(self.images.shape[1:]) * 4))


class Batches(NamedTuple):
    """The batches of one call, as tensors.

    rows: int32 (batches, size), indices of images. mirrored: bool (batches, size), which images are mirrored.
    rates: float32 (batches,), the learning rates. seed: int32 (2,), of the augmentation of the first batch. count:
    int32, how many batches to train on; the rest is padding.
    """

    rows: tf.Tensor
    mirrored: tf.Tensor
    rates: tf.Tensor
    seed: tf.Tensor
    count: tf.Tensor


class Sums(NamedTuple):
    """Sums over images, float32: of their losses, and of how many are predicted correctly."""

    loss: tf.Tensor
    correct: tf.Tensor


class Dropout(keras.layers.Dropout):
    """Keras' dropout, with random numbers from the generator `random`."""

    random = RANDOM[False]

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the inputs. In training, a share of `rate` is 0, and the others are scaled by 1 / (1 - rate)."""
        if not training:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed, rng_alg=self.random)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization, in one operation of TensorFlow if there is one; Keras itself takes a dozen.

    There is one for float32 (n, height, width, channels), with a scale and an offset for each channel.
    """

    def call(self, inputs: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the normalized inputs. In training, move the running moments."""
        usual = self.axis in (-1, 3) and len(inputs.shape) == 4 and self.scale and self.center and not self.renorm
        if not (training and self.trainable and usual and mask is None):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon
        )
        # TensorFlow divides the squares by one less than their number, and Keras by their number.
        count = math.prod(inputs.shape[:-1])
        for moving, moment in ((self.moving_mean, mean), (self.moving_variance, variance * max(count - 1, 1) / count)):
            moving.assign(moving * self.momentum + moment * (1 - self.momentum))
        return outputs


def tensor(array: np.ndarray) -> tf.Tensor:
    """Return a copy of an array as a tensor, in memory of numpy, which asks the system for huge pages.

    A batch has rows from all over the images. With small pages, the processor looks up more addresses.
    """
    room = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return tf.experimental.dlpack.from_dlpack(copy.__dlpack__())  # tf.constant would copy it into small pages


def values(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    """Return the values of variables, in their order."""
    return [variable.numpy() for variable in variables]


def assign(variables: Iterable[keras.Variable], new: Iterable[np.ndarray]) -> None:
    """Give variables new values, in their order."""
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)


FASTER: dict[type, type[keras.layers.Layer]] = {
    keras.layers.Dropout: Dropout,
    keras.layers.BatchNormalization: BatchNormalization,
}


def with_faster_layers(model: keras.Model, *, xla: bool) -> keras.Model:
    """Return an unfitted network of the same layers, some of them those of this module, for XLA or without it."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        copy = FASTER.get(type(layer), type(layer)).from_config(layer.get_config())
        if isinstance(copy, Dropout):
            copy.random = RANDOM[xla]
        return copy

    return keras.models.clone_model(model, clone_function=clone)


class Loop:
    """A network and its optimizer, with their training steps compiled.

    Compiling takes seconds, so all replicates share a few loops: `load` the state of a replicate, `train`, and keep the
    new `state`.

    training, validation: the images to train on, and those to score after an epoch; both may be the same. loss: from
    labels and logits to the mean loss. augment: from images, which are mirrored, and a seed to images. xla: whether XLA
    compiles the steps.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        training: Labelled,
        validation: Labelled,
        *,
        augment: Augment | None,
        xla: bool,
    ):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.training, self.validation, self.augment = training, validation, augment
        self.in_memory = tf.is_tensor(training.images)
        optimizer.build(model.trainable_variables)
        self.new_optimizer = values(optimizer.variables)  # before the first step
        self._train = tf.function(self._train_batches, jit_compile=xla)
        self._score = tf.function(self._score_images)

    def load(self, network: list[np.ndarray], optimizer: list[np.ndarray]) -> None:
        """Continue from the values of all variables of a replicate's model and of its optimizer."""
        assign(self.model.variables, network)
        assign(self.optimizer.variables, optimizer)

    def state(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the present values, as `load` takes them."""
        return values(self.model.variables), values(self.optimizer.variables)

    def train(self, rows: np.ndarray, mirrored: np.ndarray, rates: np.ndarray, seed: np.ndarray) -> np.ndarray:
        """Train on batches, and return the sums over their images of loss and of correct predictions, float64 (2,).

        Each batch is scored before the step that learns from it. The arguments are as in `Batches`.
        """
        most = BLOCK if self.in_memory else min(BLOCK, max(1, self.training.at_once() // rows.shape[1]))
        sums = Sums(tf.constant(0.0), tf.constant(0.0))
        for start in range(0, len(rows), most):
            part = slice(start, start + most)
            images, labels, indices = self._images_of(_padded(rows[part], most))
            padded = _padded(mirrored[part], most), _padded(rates[part], most)
            given = indices, *padded, seed + np.array([0, start], np.int32), len(rows[part])
            sums = self._train(images, labels, Batches(*map(tf.constant, given)), sums)
        return np.array(sums, float)

    def score(self, labelled: Labelled, rows: np.ndarray) -> np.ndarray:
        """Return the mean loss and the accuracy on some images, float64 (2,). rows: int32 (n,), their indices."""
        sums = np.zeros(2)
        for some in arrays.blocks(rows, min(SCORING_BATCH, labelled.at_once())):
            sums += np.array(self._score(*labelled.pick(some)), float)
        return sums / len(rows)

    def _images_of(self, rows: np.ndarray) -> tuple[tf.Tensor, tf.Tensor, np.ndarray]:
        """Return tensors of images and labels that hold these rows, and the indices of the rows in them."""
        if self.in_memory:
            return *self.training, rows
        return *self.training.pick(rows.ravel()), np.arange(rows.size, dtype=np.int32).reshape(rows.shape)

    def _train_batches(self, images: tf.Tensor, labels: tf.Tensor, batches: Batches, sums: Sums) -> Sums:
        """Train on batches one after the other, and return `sums` with theirs added; compiled by TensorFlow."""

        def more(index: tf.Tensor, _: Sums) -> tf.Tensor:
            return index < batches.count

        def step(index: tf.Tensor, sums: Sums) -> tuple[tf.Tensor, Sums]:
            rows = batches.rows[index]
            batch, its_labels = tf.gather(images, rows), tf.gather(labels, rows)
            if self.augment:
                batch = self.augment(batch, batches.mirrored[index], batches.seed + tf.stack([0, index]))
            self.optimizer.learning_rate = batches.rates[index]
            with tf.GradientTape() as tape:
                logits = self.model(batch, training=True)
                loss = self.loss(its_labels, logits)
            self.optimizer.apply(tape.gradient(loss, self.model.trainable_weights))
            size = tf.cast(batches.rows.shape[1], tf.float32)
            return index + 1, Sums(sums.loss + loss * size, sums.correct + _correct(its_labels, logits))

        _, sums = tf.while_loop(more, step, (tf.constant(0), sums))
        return sums

    def _score_images(self, images: tf.Tensor, labels: tf.Tensor) -> Sums:
        logits = self.model(images, training=False)
        return Sums(self.loss(labels, logits) * labels.shape[0], _correct(labels, logits))


def _padded(batches: np.ndarray, most: int) -> np.ndarray:
    """Return an array padded with zeros to the length `most`: TensorFlow compiles a function anew for each length.

    A batch alone is not padded. It may be the last of an epoch, which has a size of its own.
    """
    padding = most - len(batches) if len(batches) > 1 else 0
    return np.pad(batches, [(0, padding), *[(0, 0)] * (batches.ndim - 1)])


def _correct(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == labels, tf.float32))
