"""Train networks on images and labels.

Replicates differ in seed only. A replicate runs on `train.threads` threads, and as many replicates run at once as the
processor has cores for. The result of a replicate does not depend on which other replicates run, or how many at once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event
from typing import NamedTuple

import numpy as np

from core.cli.errors import InputError, Problem
from core.config.params import Train
from core.files import arrays
from core.files.arrays import Split
from core.networks import architectures
from core.networks.architectures import Shape
from core.networks.models import with_probabilities
from core.networks.runtime import cores, keras, tf
from stages.train import loop, memory, precision, progress
from stages.train.augmentation import augment
from stages.train.division import divide
from stages.train.loop import Labelled, Loop
from stages.train.optimizers import optimizer
from stages.train.progress import Report, Row
from stages.train.schedules import learning_rates


class Run(NamedTuple):
    """A trained replicate: a model that gives probabilities (n, classes), and its history.

    The history has a row for each epoch: epoch, train_loss, train_accuracy, and with validation images also
    validation_loss and validation_accuracy. Row 0 is the untrained network; its training scores are those of the first
    `loop.SCORING_BATCH` training images. In the other rows, as in Keras' own history, training scores are means over
    the batches of the epoch, each scored before the step that learned from it. All losses are those of labels smoothed
    by `train.label_smoothing`.
    """

    model: keras.Model
    history: list[Row]


def fit(
    split: Split,
    classes: int,
    settings: Train,
    validation: Split | None = None,
    replicates: Sequence[int] | None = None,
    report: Report = lambda replicate, row: None,
    folds: np.ndarray | None = None,
) -> list[Run]:
    """Return the `settings.replicates` trained networks, or only those whose numbers `replicates` lists.

    validation: the official validation images, if there are any; none are held out of `split` then. report: is called
    with each row of a history as soon as there is one, from several threads. folds: integer (n,), for cross-validation:
    replicate i is not trained on the images with the number i.
    Raises InputError if a batch is larger than the images left to train on, if the processor lacks the precision, or if
    the loss or a weight is not finite.
    `params.require_one_source` and `division.require_each_class` check before whether there are validation images.
    """
    precision.choose(settings.precision)
    kept, held_out = divide(*split, settings.validation_fraction)
    if validation:
        held_out = np.arange(len(validation.labels), dtype=np.int32)
    numbers = range(settings.replicates) if replicates is None else replicates
    trained_on = [kept if folds is None else kept[folds[kept] != number] for number in numbers]
    if settings.batch_size > (fewest := min(map(len, trained_on))):
        param, what = "params.yaml: train.batch_size", "a batch larger than the images to train on"
        expected, got = f"at most {fewest}", str(settings.batch_size)
        fix = "lower train.batch_size or train.validation_fraction, then dvc repro"
        raise InputError(Problem(param, what, expected=expected, got=got, fix=fix))
    chosen = [
        _Replicate(number, _build(split.images.shape[1:], classes, settings, number), rows, held_out, settings)
        for number, rows in zip(numbers, trained_on, strict=True)
    ]
    splits = [split, validation] if validation else [split]
    in_memory = sum(each.images.nbytes for each in splits) <= memory.limit()
    labelled = [_labelled(each, in_memory) for each in splits]
    at_once = min(max(1, cores() // settings.threads), len(chosen))
    loops = [_compiled(chosen[0].model, labelled[0], labelled[-1], settings) for _ in range(at_once)]
    _train_all(chosen, loops, report)
    return [_run(replicate.model, replicate.history) for replicate in chosen]


def restore(
    shape: Shape, classes: int, settings: Train, replicate: int, values: list[np.ndarray], history: list[Row]
) -> Run:
    """Return the run that `fit` returned on another machine. The model is built anew, so it is saved to equal bytes.

    shape: of an image. values: `loop.values` of the variables of the model.
    """
    model = _build(shape, classes, settings, replicate)
    loop.assign(model.variables, values)
    return _run(model, history)


def seed_of(seed: int, replicate: int) -> int:
    """Return the seed of a replicate, uint32, which differs between replicates and does not depend on their number."""
    return int(np.random.SeedSequence([seed, replicate]).generate_state(1)[0])


def blocks(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield int32 (n,) as blocks of batches, int32 (batches, size); the rest is a last, smaller batch of its own."""
    whole = len(order) // size * size
    batches = order[:whole].reshape(-1, size)
    for start in range(0, len(batches), loop.BLOCK):
        yield batches[start : start + loop.BLOCK]
    if whole < len(order):
        yield order[None, whole:]


class _Stopped(Exception):
    """Another replicate failed, or the user pressed Ctrl-C."""


class _Replicate:
    """A network in training, and all that continues from one epoch to the next.

    kept, held_out: int32 (n,), the indices of the images to train on, and of those to score after each epoch.
    """

    def __init__(self, number: int, model: keras.Model, kept: np.ndarray, held_out: np.ndarray, settings: Train):
        self.number, self.model, self.kept, self.held_out, self.settings = number, model, kept, held_out, settings
        self.seed = seed_of(settings.seed, number)
        # RandomState and not default_rng: numpy guarantees the numbers of RandomState, not those of Generator (NEP 19).
        self.shuffler = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([settings.seed, number])))
        steps = settings.epochs * -(-len(kept) // settings.batch_size)
        coins = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([settings.seed, number, 1])))
        self.mirrored = coins.random_sample(kept[-1] + 1) < 0.5  # in the first epoch; in the next one, the others
        self.rates = learning_rates(settings.learning_rate_schedule, settings.learning_rate, steps)
        self.step = 0
        self.optimizer: list[np.ndarray] = []
        self.stopping = _early_stopping(model, settings.early_stopping_patience)
        self.history: list[Row] = []

    def score_untrained(self, compiled: Loop) -> dict[str, float]:
        """Return the scores before training, by their names in history.csv."""
        self.optimizer = compiled.new_optimizer
        compiled.load(loop.values(self.model.variables), self.optimizer)
        some = self.kept[: loop.SCORING_BATCH]  # enough to tell guessing from knowing
        return self._scores(compiled, compiled.score(compiled.training, some))

    def train_epoch(self, compiled: Loop, stop: Event) -> dict[str, float]:
        """Train for an epoch, and return its scores as `score_untrained` does.

        Raises _Stopped soon after `stop` is set.
        """
        compiled.load(loop.values(self.model.variables), self.optimizer)
        sums = np.zeros(2)
        for batches in blocks(self.shuffler.permutation(self.kept), self.settings.batch_size):
            if stop.is_set():
                raise _Stopped
            rates = self.rates[self.step : self.step + len(batches)]
            seed = np.array([self.seed, self.step], np.uint32).view(np.int32)
            sums += compiled.train(batches, self.mirrored[batches], rates, seed)
            self.step += len(batches)
        self.mirrored = ~self.mirrored
        scores = self._scores(compiled, sums / len(self.kept))
        trained, self.optimizer = compiled.state()
        loop.assign(self.model.variables, trained)
        return scores

    def _scores(self, compiled: Loop, train: np.ndarray) -> dict[str, float]:
        scores = dict(zip(("train_loss", "train_accuracy"), train.tolist(), strict=True))
        if len(self.held_out):
            found = compiled.score(compiled.validation, self.held_out)
            scores |= zip(("validation_loss", "validation_accuracy"), found.tolist(), strict=True)
        return scores


def _train_all(replicates: Sequence[_Replicate], loops: Sequence[Loop], report: Report) -> None:
    """Train replicates to their end, on a thread for each loop. The first error, or Ctrl-C, stops all and is raised."""
    waiting: SimpleQueue[_Replicate] = SimpleQueue()
    for replicate in replicates:
        waiting.put(replicate)
    stop = Event()
    with ThreadPoolExecutor(len(loops)) as pool:
        futures = [pool.submit(_train, waiting, compiled, stop, report) for compiled in loops]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            raise


def _train(waiting: SimpleQueue[_Replicate], compiled: Loop, stop: Event, report: Report) -> None:
    """Train the replicate that has waited longest for an epoch, until none waits: so all end at about the same time."""
    with suppress(Empty):
        while True:
            replicate = waiting.get_nowait()
            epoch = len(replicate.history)
            scores = replicate.train_epoch(compiled, stop) if epoch else replicate.score_untrained(compiled)
            replicate.history.append(progress.row(epoch, scores))
            report(replicate.number, replicate.history[-1])
            if epoch:
                replicate.stopping.on_epoch_end(epoch, scores)
            if epoch == replicate.settings.epochs or replicate.model.stop_training:
                replicate.stopping.on_train_end()
            else:
                waiting.put(replicate)


def _early_stopping(model: keras.Model, patience: int) -> keras.callbacks.Callback:
    """Return Keras' early stopping for a network, or a callback that does nothing if there is to be none."""
    callback = (
        keras.callbacks.EarlyStopping("validation_loss", patience=patience, mode="min", restore_best_weights=True)
        if patience
        else keras.callbacks.Callback()
    )
    model.stop_training = False  # Keras' `fit` sets this attribute
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def _run(model: keras.Model, rows: list[Row]) -> Run:
    # An earlier step would have shown in the loss; after the last step, no loss is calculated.
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise progress.diverged("a weight is no longer a number after the last epoch")
    return Run(with_probabilities(model), rows)


def _build(shape: Shape, classes: int, settings: Train, replicate: int) -> keras.Model:
    keras.utils.set_random_seed(seed_of(settings.seed, replicate))
    return architectures.build(shape, classes, settings)


def _labelled(split: Split, in_memory: bool) -> Labelled:
    """Return a split for the training loop; its images as a tensor, or as they are mapped."""
    images = loop.tensor(split.images) if in_memory else split.images
    arrays.release(split.images)
    return Labelled(images, tf.constant(split.labels.astype(np.int32)))


def _compiled(model: keras.Model, training: Labelled, validation: Labelled, settings: Train) -> Loop:
    """Return a loop for replicates of this model."""
    shift, flip = settings.augmentation_shift, settings.augmentation_flip
    xla = architectures.NETWORKS[settings.network].xla
    return Loop(
        loop.with_faster_layers(model, xla=xla),
        optimizer(settings),
        _loss(settings),
        training,
        validation,
        augment=partial(augment, shift=shift, flip=flip) if shift or flip else None,
        xla=xla,
    )


def _loss(settings: Train) -> loop.Loss:
    """Return Keras' cross-entropy, from labels and logits to the mean loss."""
    from_logits, smoothing = settings.output == "logits", settings.label_smoothing
    outputs = keras.activations.get("linear" if from_logits else "softmax")
    if not smoothing:
        sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        return lambda labels, logits: sparse(labels, outputs(logits))
    smooth = keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
    return lambda labels, logits: smooth(tf.one_hot(labels, logits.shape[-1]), outputs(logits))
