"""What training must not depend on: other replicates, memory, blocks. test_plainly has its arithmetic."""

import math
from functools import partial

import numpy as np
import pytest

from core.cli.errors import InputError
from core.files import arrays
from core.files.arrays import Split
from stages.train import loop, memory, trainer
from tests.conftest import write_split
from tests.stages.train.plain import settings

CLASSES = 3


@pytest.fixture(scope="module")
def split() -> Split:
    """24 images of three classes; each class has a bright row of its own."""
    labels = np.arange(24, dtype=np.uint8) % CLASSES
    images = np.random.RandomState(0).uniform(0, 0.4, (24, 4, 6)).astype(np.float32)
    images[np.arange(24), labels] += 0.6
    return Split(images, labels)


def assert_equal(run: trainer.Run, other: trainer.Run) -> None:
    """Assert that two runs have the same history and the same weights, bit for bit."""
    assert run.history == other.history
    for one, another in zip(run.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


def test_row_0_scores_only_the_first_training_images(split, monkeypatch):
    (of_few,) = trainer.fit(Split(split.images[:10], split.labels[:10]), CLASSES, settings(batch_size=10))
    monkeypatch.setattr(loop, "SCORING_BATCH", 10)

    (run,) = trainer.fit(split, CLASSES, settings())

    assert run.history[0] == of_few.history[0]


def test_the_output_changes_only_the_arithmetic_of_the_loss(split):
    """The logits are so large that the loss of probabilities, which Keras clips to 1e-7, would be 16.1 at most."""
    large = Split(split.images * np.float32(300), split.labels)
    (logits,) = trainer.fit(large, CLASSES, settings(output="logits", epochs=2))
    (softmax,) = trainer.fit(large, CLASSES, settings(output="softmax", epochs=2))

    assert_equal(logits, softmax)
    assert logits.history[0]["train_loss"] > 17
    for run in (logits, softmax):
        np.testing.assert_allclose(run.model.predict(split.images, verbose=0).sum(axis=1), 1, atol=1e-6)


def test_in_cross_validation_a_network_is_the_same_as_without_the_images_of_its_fold(split):
    folds = np.arange(24) // 3 % 3
    chosen = settings(replicates=3, batch_size=5)
    runs = trainer.fit(split, CLASSES, chosen, folds=folds)

    for fold, run in enumerate(runs):
        others = Split(split.images[folds != fold], split.labels[folds != fold])
        (alone,) = trainer.fit(others, CLASSES, chosen, replicates=[fold])
        assert_equal(run, alone)


@pytest.mark.parametrize(
    ("network", "optimizer"), [("dense", "adam"), pytest.param("cnn", "muon", marks=pytest.mark.slow)]
)
def test_a_replicate_is_the_same_alone_or_among_others(split, monkeypatch, network, optimizer):
    """Two replicates share a loop; the last of them alone has a loop of its own."""
    monkeypatch.setattr(trainer, "cores", lambda: 1)
    options = settings(network=network, batch_size=8, optimizer=optimizer, epochs=2, replicates=2)

    *_, last = trainer.fit(split, CLASSES, options)
    (alone,) = trainer.fit(split, CLASSES, options, replicates=[1])

    assert_equal(last, alone)


def test_each_row_is_reported_once_it_is_there_and_replicates_take_turns(split, monkeypatch):
    monkeypatch.setattr(trainer, "cores", lambda: 1)
    reported = []

    runs = trainer.fit(split, CLASSES, settings(epochs=2, replicates=3), report=lambda *row: reported.append(row))

    assert reported == [(number, runs[number].history[epoch]) for epoch in range(3) for number in range(3)]


def test_seeds_of_replicates_are_all_different_and_are_seeds_of_keras():
    seeds = {trainer.seed_of(seed, replicate) for seed in [*range(30), 2**32 - 1] for replicate in range(30)}

    assert len(seeds) == 31 * 30
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(("threads", "expected"), [(1, 2), (3, 1), (9, 1)])
def test_as_many_replicates_are_trained_at_once_as_there_are_cores_for(split, monkeypatch, threads, expected):
    at_once = []
    monkeypatch.setattr(trainer, "cores", lambda: 5)
    monkeypatch.setattr(trainer, "_train_all", lambda replicates, loops, report: at_once.append(len(loops)))

    trainer.fit(split, CLASSES, settings(replicates=2, threads=threads))

    assert at_once == [expected]


def test_a_network_learns_with_augmentation_and_the_one_cycle_schedule(split):
    images = np.pad(split.images, ((0, 0), (4, 4), (4, 4)))
    changes = {"learning_rate_schedule": "one_cycle", "augmentation_shift": 1, "augmentation_flip": True}
    changes |= {"network": "cnn_small", "optimizer": "adam", "learning_rate": 0.01, "epochs": 12, "weight_decay": 0.001}

    (run,) = trainer.fit(Split(images, split.labels), CLASSES, settings(batch_size=8, **changes))

    assert len(run.history) == 13
    assert run.history[-1]["train_loss"] < run.history[1]["train_loss"] - 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "official", "changes"),
    [
        ((60, 60), 0, {}),
        ((60, 60), 0, {"network": "cnn", "dropout": 0.5, "augmentation_flip": True}),
        ((42, 42, 3), 20, {"network": "cnn", "augmentation_flip": True, "augmentation_shift": 3}),
    ],
    ids=["dense", "cnn", "colour"],
)
@pytest.mark.fault("more training images than memory has room for")
@pytest.mark.fault("results that depend on the size of batches or blocks")
def test_images_from_their_file_give_the_same_networks_and_history(tmp_path, monkeypatch, shape, official, changes):
    """Calls of three batches and a batch of its own size, each read in parts. No tensor may hold many images."""
    images = np.random.RandomState(0).uniform(size=(72 + official, *shape)).astype(np.float32)
    labels = (np.arange(72 + official) % CLASSES).astype(np.uint8)
    made, validation = Split(images[official:], labels[official:]), Split(images[:official], labels[:official])
    write_split(tmp_path, made)
    if official:
        write_split(tmp_path / arrays.VALIDATION, validation)
    fraction = 0.0 if official else 0.2
    options = settings(**{"optimizer": "adam", "batch_size": 7, "epochs": 2, "validation_fraction": fraction} | changes)
    monkeypatch.setattr(loop, "AT_ONCE", 3 * options.batch_size * math.prod(shape) * 4)
    monkeypatch.setattr(arrays, "PICKED", 10)
    in_memory = trainer.fit(made, CLASSES, options, validation if official else None)
    monkeypatch.setenv("MEMORY_LIMIT_MB", "1")
    split = arrays.read_split(tmp_path)
    assert split.images.nbytes > memory.limit()
    monkeypatch.setattr(loop, "tensor", None)  # which would hold all images
    monkeypatch.setattr(trainer.tf, "constant", partial(_few_images, trainer.tf.constant, 3 * options.batch_size))

    from_file = trainer.fit(split, CLASSES, options, arrays.read_validation(tmp_path))

    assert all("validation_loss" in row for run in from_file for row in run.history)
    for run, other in zip(in_memory, from_file, strict=True):
        assert_equal(run, other)


def _few_images(constant, most, value, *rest, **options):
    assert np.ndim(value) < 3 or len(value) <= most
    return constant(value, *rest, **options)


@pytest.mark.fault("a batch larger than the training images")
def test_a_batch_larger_than_the_training_images_is_refused(split):
    with pytest.raises(InputError) as caught:
        trainer.fit(split, CLASSES, settings(batch_size=19, validation_fraction=0.25))

    assert str(caught.value) == (
        "params.yaml: train.batch_size: a batch larger than the images to train on (expected at most 18, got 19); "
        "fix: lower train.batch_size or train.validation_fraction, then dvc repro"
    )


@pytest.mark.parametrize(
    ("epochs", "what"), [(3, "the loss is no longer a number after epoch 2"), (1, "a weight is no longer a number")]
)
@pytest.mark.fault("the loss is no longer a number")
@pytest.mark.fault("weights or probabilities that are no numbers")
def test_a_training_that_diverges_ends_and_names_the_param_to_lower(split, epochs, what):
    """The first step makes infinite weights, which show in the loss of the second step, if there is a second step."""
    huge = Split(split.images * np.float32(1e30), split.labels)
    chosen = settings(epochs=epochs).model_copy(update={"learning_rate": 1e10})

    with pytest.raises(
        InputError, match=f"^params.yaml: train.learning_rate: {what}.*; fix: lower train.learning_rate"
    ):
        trainer.fit(huge, CLASSES, chosen)
