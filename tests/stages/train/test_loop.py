"""The compiled loop against Keras' own `fit`, given the same batches in the same order."""

import numpy as np
import pytest

from stages.runtime import keras, tf
from stages.train.loop import Dropout, Loop, fast

IMAGES, CLASSES, SIZE, STEPS = 330, 4, 16, 20
RANDOM = np.random.RandomState(0)
PICTURES = RANDOM.uniform(size=(IMAGES, 6, 6)).astype(np.float32)
LABELS = (PICTURES.reshape(IMAGES, -1)[:, :CLASSES].argmax(axis=1)).astype(np.int32)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(CLASSES)]
    return keras.Sequential([keras.Input((6, 6)), *layers])


def loop(optimizer: keras.Optimizer, *, xla: bool = True) -> Loop:
    return Loop(network(), optimizer, LOSS, tf.constant(PICTURES), tf.constant(LABELS), augment=None, xla=xla)


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd": lambda: keras.optimizers.SGD(0.5),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
    "adam with weight decay": lambda: keras.optimizers.Adam(0.01, weight_decay=0.1),
}


class Batches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs):
        self.losses.append(logs["loss"])


@pytest.mark.parametrize("xla", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_and_weights_are_those_of_fit_with_an_odd_batch_at_the_end(name, xla):
    """Twenty batches of 16 and one of 10. Keras reports the mean over the batches so far, images counted."""
    order = RANDOM.permutation(IMAGES)
    plain, seen = network(), Batches()
    plain.compile(OPTIMIZERS[name](), LOSS)
    plain.fit(PICTURES[order], LABELS[order], batch_size=SIZE, shuffle=False, verbose=0, callbacks=[seen])

    ours, whole = loop(OPTIMIZERS[name](), xla=xla), STEPS * SIZE
    rate = np.float32(ours.optimizer.learning_rate)
    seed = np.zeros(2, np.int32)
    sums = ours.run(order[:whole].reshape(STEPS, SIZE).astype(np.int32), np.full(STEPS, rate), seed)
    assert sums[0] / whole == pytest.approx(seen.losses[STEPS - 1], abs=1e-5)
    sums += ours.run(order[None, whole:].astype(np.int32), np.full(1, rate), seed)

    assert sums[0] / IMAGES == pytest.approx(seen.losses[STEPS], abs=1e-5)
    for mine, its in zip(ours.model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-4)


def test_each_step_has_its_own_rate():
    """Two steps on one batch by plain gradient descent, the second with a rate of 0: as one step alone."""
    rows = np.arange(SIZE, dtype=np.int32)
    both, first = loop(keras.optimizers.SGD(0.5)), loop(keras.optimizers.SGD(0.5))

    both.run(np.stack([rows, rows]), np.float32([0.5, 0]), np.zeros(2, np.int32))
    first.run(rows[None], np.float32([0.5]), np.zeros(2, np.int32))

    for one, other in zip(both.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


@pytest.mark.parametrize("rows", [np.arange(IMAGES), np.arange(3, IMAGES, 7)])
def test_scores_are_means_over_the_images_asked_for_as_keras_evaluates_them(rows):
    ours, plain = loop(keras.optimizers.SGD(0.5)), network()
    plain.compile(loss=LOSS, metrics=["accuracy"])

    expected = plain.evaluate(PICTURES[rows], LABELS[rows], verbose=0)

    np.testing.assert_allclose(ours.score(rows.astype(np.int32)), expected, atol=1e-6)


def test_a_loop_loaded_anew_forgets_what_it_learned():
    """Moments of the optimizer included: the second training is the first one again."""
    ours, rows = loop(keras.optimizers.Adam(0.01)), np.arange(320, dtype=np.int32).reshape(STEPS, SIZE)
    start, trained = ours.state(), []
    for _ in range(2):
        ours.load(start)
        ours.run(rows, np.full(STEPS, 0.01, np.float32), np.zeros(2, np.int32))
        trained.append(ours.model.get_weights())

    for once, again in zip(*trained, strict=True):
        np.testing.assert_array_equal(once, again)


def test_dropout_leaves_out_its_share_and_raises_the_rest_and_only_in_training():
    keras.utils.set_random_seed(1)
    plain = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.2, name="dropout")])
    dropout = fast(plain)
    ones = tf.ones((50, 1000))

    kept = dropout(ones, training=True).numpy()

    assert isinstance(dropout.layers[0], Dropout)
    assert set(np.unique(kept)) == {0, np.float32(1.25)}
    assert np.mean(kept == 0) == pytest.approx(0.2, abs=0.01)  # 5.6 standard deviations
    assert not np.array_equal(kept, dropout(ones, training=True).numpy())
    np.testing.assert_array_equal(dropout(ones, training=False), ones)
    assert [v.shape for v in dropout.variables] == [v.shape for v in plain.variables]
