"""Fitting: from images and labels to networks that give probabilities, and what they went through.

Replicates differ in seed alone. Each is trained on `train.threads` threads, as many at once as the processor has cores
for; nothing of a replicate depends on which others are trained, or on how many at once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.config.params import Train
from core.files import arrays
from core.files.arrays import Split
from core.networks.architectures import NETWORKS
from core.networks.models import with_probabilities
from core.networks.runtime import cores, keras, tf
from stages.train import loop, memory
from stages.train.augmentation import augment
from stages.train.division import Division, divide
from stages.train.history import Historian, Row, row
from stages.train.schedules import learning_rates


class Run(NamedTuple):
    """One replicate: a model that gives probabilities (n, classes), its number of parameters, and a row for each epoch.

    A row has epoch, train_loss and train_accuracy, and with validation images also validation_loss and
    validation_accuracy. Row 0 is the untrained network, its figures on training images those of the first
    `loop.SCORING_BATCH` that are not held out. In the others, as in Keras' own history, they are the mean over the
    epoch's batches, each taken before the step that learned from it.
    """

    model: keras.Model
    parameters: int
    history: list[Row]


class Tensors(NamedTuple):
    """A split as the loop takes it, held-out images included: images float32 (n, height, width) in [0, 1], a tensor, or
    an array where memory has no room for one; labels int32 (n,).
    """

    images: tf.Tensor | np.ndarray
    labels: tf.Tensor


def fit(split: Split, classes: int, settings: Train, replicates: Sequence[int] | None = None) -> list[Run]:
    """Return `settings.replicates` networks that differ in seed alone, or those of them that `replicates` names.

    Raises InputError where a batch is larger than the images left to train on, or where the loss is no longer finite.
    Whether each class has images on both sides of the division is for `division.require_each_class` to say.
    """
    division = divide(*split, settings.validation_fraction)
    _check_batch_size(settings.batch_size, len(division.kept))
    tensors = _tensors(split)
    chosen = range(settings.replicates) if replicates is None else replicates
    models = [_build(split.images.shape[1:], classes, settings, replicate) for replicate in chosen]
    loops: SimpleQueue[loop.Loop] = SimpleQueue()
    stop = Event()
    for _ in range(min(max(1, cores() // settings.threads), len(models))):
        loops.put(_compiled(loop.fast(models[0]), tensors, settings))
    fit_one = partial(_fit_replicate, loops, stop, division, settings)
    with ThreadPoolExecutor(len(models)) as pool:
        futures = [pool.submit(fit_one, *each) for each in zip(chosen, models, strict=True)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # or else the other replicates would be trained to their end first
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [_run(model, future.result()) for model, future in zip(models, futures, strict=True)]


def restore(
    shape: tuple[int, ...], classes: int, settings: Train, replicate: int, values: list[np.ndarray], history: list[Row]
) -> Run:
    """Return the run that `fit` returned elsewhere, from `loop.values` of its model's variables and its history.

    shape: (height, width) of the images. The model is built anew, so that it is saved to the same bytes.
    """
    model = _build(shape, classes, settings, replicate)
    loop.assign(model.variables, values)
    return _run(model, history)


def seed_of(seed: int, replicate: int) -> int:
    """Return the seed of one replicate, uint32: that of no other, and the same whatever their number."""
    return int(np.random.SeedSequence([seed, replicate]).generate_state(1)[0])


def blocks(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield int32 (n,) as blocks of batches, int32 (batches, size); what is left at the end is a batch of its own."""
    whole = len(order) // size * size
    batches = order[:whole].reshape(-1, size)
    for start in range(0, len(batches), loop.BLOCK):
        yield batches[start : start + loop.BLOCK]
    if whole < len(order):
        yield order[None, whole:]


class _Stopped(Exception):
    """Another replicate failed, or the user has had enough."""


@contextmanager
def _turn(loops: SimpleQueue) -> Iterator[loop.Loop]:
    """Wait for a loop, of which there is one for each core, and put it back for the next replicate.

    Turns are short, an epoch at most, so that all replicates come to their end together and no core is idle before.
    """
    each = loops.get()
    try:
        yield each
    finally:
        loops.put(each)


def _fit_replicate(
    loops: SimpleQueue, stop: Event, division: Division, settings: Train, replicate: int, model: keras.Model
) -> list[Row]:
    seed = seed_of(settings.seed, replicate)
    # RandomState and not default_rng: numpy has frozen its streams for good, a Generator's may change (NEP 19).
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([settings.seed, replicate])))
    kept, held_out = division
    with _turn(loops) as each:
        fresh = each.fresh
        each.load(loop.State(loop.values(model.variables), fresh))
        some = kept[: loop.SCORING_BATCH]  # enough to tell guessing from knowing
        history = [row(0, _logs(each.score(some), each, held_out))]
    steps = -(-len(kept) // settings.batch_size)
    rates = learning_rates(settings.learning_rate_schedule, settings.learning_rate, settings.epochs * steps)
    callbacks = keras.callbacks.CallbackList(
        _callbacks(history, replicate, settings), model=model, epochs=settings.epochs, steps=steps
    )
    step, moments, model.stop_training = 0, fresh, False
    callbacks.on_train_begin()
    for epoch in range(settings.epochs):
        callbacks.on_epoch_begin(epoch)
        sums = np.zeros(2)
        with _turn(loops) as each:
            each.load(loop.State(loop.values(model.variables), moments))
            for rows in blocks(random.permutation(kept), settings.batch_size):
                if stop.is_set():
                    raise _Stopped
                callbacks.on_train_batch_begin(step % steps)
                sums += each.run(rows, rates[step : step + len(rows)], np.array([seed, step], np.uint32).view(np.int32))
                step += len(rows)
                callbacks.on_train_batch_end((step - 1) % steps)
            logs, (variables, moments) = _logs(sums / len(kept), each, held_out), each.state()
        loop.assign(model.variables, variables)
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callbacks.on_train_end()
    return history


def _run(model: keras.Model, history: list[Row]) -> Run:
    return Run(with_probabilities(model), model.count_params(), history)


def _callbacks(history: list[Row], replicate: int, settings: Train) -> list[keras.callbacks.Callback]:
    callbacks = [Historian(history, replicate, settings.epochs)]
    if patience := settings.early_stopping_patience:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True))
    return callbacks


def _logs(means: np.ndarray, each: loop.Loop, held_out: np.ndarray) -> dict[str, float]:
    """Return scores under the names by which Keras' callbacks know them."""
    logs = dict(zip(("loss", "accuracy"), means.tolist(), strict=True))
    if len(held_out):
        logs |= zip(("val_loss", "val_accuracy"), each.score(held_out).tolist(), strict=True)
    return logs


def _build(shape: tuple[int, ...], classes: int, settings: Train, replicate: int) -> keras.Model:
    keras.utils.set_random_seed(seed_of(settings.seed, replicate))
    build = NETWORKS[settings.network].build
    return build(shape, classes, hidden_units=settings.hidden_units, dropout=settings.dropout)


def _compiled(model: keras.Model, tensors: Tensors, settings: Train) -> loop.Loop:
    decay = settings.weight_decay or None  # Keras tells none from 0
    config = {"learning_rate": settings.learning_rate, "weight_decay": decay}
    optimizer = keras.optimizers.get({"class_name": settings.optimizer, "config": config})
    shift, flip = settings.augmentation_shift, settings.augmentation_flip
    augmented = partial(augment, shift=shift, flip=flip) if shift or flip else None
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=settings.output == "logits")
    outputs = keras.activations.get("linear" if settings.output == "logits" else "softmax")
    return loop.Loop(
        model,
        optimizer,
        lambda labels, logits: cross_entropy(labels, outputs(logits)),
        *tensors,
        augment=augmented,
        xla=NETWORKS[settings.network].xla,
    )


def _tensors(split: Split) -> Tensors:
    images = tf.constant(split.images) if memory.fits(split.images) else split.images
    arrays.release(split.images)
    return Tensors(images, tf.constant(split.labels.astype(np.int32)))


def _check_batch_size(size: int, kept: int) -> None:
    if size > kept:
        place, what = "params.yaml: train.batch_size", "a batch larger than the images to train on"
        fix = "lower train.batch_size or train.validation_fraction, then dvc repro"
        raise InputError(Problem(place, what, expected=f"at most {kept}", got=str(size), fix=fix))
