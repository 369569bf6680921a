import hashlib
from functools import partial
from typing import get_args

import numpy as np
import pytest

from core.cli.errors import InputError
from core.config.params import Train
from core.files import arrays
from core.files.arrays import Split
from core.networks import architectures as networks
from stages.train import loop, memory, trainer
from tests.stages.train.plain import settings

CLASSES = 3


@pytest.fixture(scope="module")
def split() -> Split:
    random = np.random.RandomState(0)
    labels = np.arange(24, dtype=np.uint8) % CLASSES
    images = random.uniform(0, 0.4, (24, 4, 6)).astype(np.float32)
    images[np.arange(24), labels] += 0.6  # each class has a bright row of its own
    return Split(images, labels)


def of_smallest_hashes(split: Split, shares: list[int]) -> np.ndarray:
    """Return which images are held out, bool (n,), where each class gives so many: by hashlib, one by one."""
    by_hash = sorted(range(len(split.labels)), key=lambda row: hashlib.sha256(split.images[row].tobytes()).digest())
    is_held_out = np.zeros(len(split.labels), bool)
    for label, share in enumerate(shares):
        is_held_out[[row for row in by_hash if split.labels[row] == label][:share]] = True
    return is_held_out


def weights(run: trainer.Run) -> list[np.ndarray]:
    return run.model.get_weights()


def forward(images: np.ndarray, parameters: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tutorials' network in numpy: flattened images, hidden activations, probabilities."""
    kernel, bias, out_kernel, out_bias = (p.astype(np.float64) for p in parameters)
    flat = images.reshape(len(images), -1).astype(np.float64)
    hidden = np.maximum(flat @ kernel + bias, 0)
    exponentials = np.exp(hidden @ out_kernel + out_bias)
    return flat, hidden, exponentials / exponentials.sum(axis=1, keepdims=True)


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


@pytest.fixture(scope="module")
def initial(split: Split) -> list[np.ndarray]:
    """The weights before training: those after a step too small to change a float32."""
    return weights(trainer.fit(split, CLASSES, settings(learning_rate=1e-30))[0])


def test_a_step_of_gradient_descent_is_the_one_worked_out_by_hand(split, initial):
    """Backpropagation through the network, written out in numpy, for one batch of all images. Decay draws each weight
    towards 0 by its share of the learning rate, whatever the gradient.
    """
    flat, hidden, probabilities = forward(split.images, initial)
    error = (probabilities - np.eye(CLASSES)[split.labels]) / len(split.labels)
    back = (error @ initial[2].T) * (hidden > 0)
    gradients = flat.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)

    (run,) = trainer.fit(split, CLASSES, settings(learning_rate=0.1, weight_decay=0.5))

    for fitted, start, gradient in zip(weights(run), initial, gradients, strict=True):
        np.testing.assert_allclose(fitted, start - 0.1 * 0.5 * start - 0.1 * gradient, atol=1e-6)


def test_row_0_is_the_untrained_network_and_row_1_scores_before_it_learns(split, initial):
    _, _, probabilities = forward(split.images, initial)
    expected_loss = loss(probabilities, split.labels)
    expected_accuracy = np.mean(probabilities.argmax(axis=1) == split.labels)

    (run,) = trainer.fit(split, CLASSES, settings())  # one batch an epoch

    assert [row["epoch"] for row in run.history] == [0, 1]
    for row in run.history:
        assert row["train_loss"] == pytest.approx(expected_loss, abs=1e-5)
        assert row["train_accuracy"] == pytest.approx(expected_accuracy)


def test_row_0_scores_the_first_training_images_alone(split, initial, monkeypatch):
    monkeypatch.setattr(loop, "SCORING_BATCH", 10)
    _, _, probabilities = forward(split.images[:10], initial)

    (run,) = trainer.fit(split, CLASSES, settings())

    assert run.history[0]["train_loss"] == pytest.approx(loss(probabilities, split.labels[:10]), abs=1e-5)


def test_large_images_are_scored_a_few_at_a_time_to_the_same_scores(split, initial, monkeypatch):
    _, _, probabilities = forward(split.images, initial)
    sizes, pick = [], arrays.pick
    monkeypatch.setattr(arrays, "pick", lambda images, rows: sizes.append(len(rows)) or pick(images, rows))
    monkeypatch.setattr(memory, "fits", lambda images: False)
    monkeypatch.setattr(loop, "AT_ONCE", 10 * split.images[:1].nbytes)

    (run,) = trainer.fit(split, CLASSES, settings())

    assert run.history[0]["train_loss"] == pytest.approx(loss(probabilities, split.labels), abs=1e-5)
    assert sizes == [10, 10, 4, 24]  # of 24 images, 10 scored at once; then they are a batch, which is not divided


@pytest.mark.fault("validation images that differ between seeds or replicates, or are trained on")
def test_validation_images_are_of_each_class_and_are_not_trained_on(split, initial):
    """Two of the eight of each class. Their order in the split is what it was, and so is that of the others."""
    out = of_smallest_hashes(split, [2, 2, 2])
    _, _, probabilities = forward(split.images, initial)

    (run,) = trainer.fit(split, CLASSES, settings(validation_fraction=0.25, batch_size=5, epochs=2))
    (alone,) = trainer.fit(Split(split.images[~out], split.labels[~out]), CLASSES, settings(batch_size=5, epochs=2))

    untrained = run.history[0]
    assert untrained["validation_loss"] == pytest.approx(loss(probabilities[out], split.labels[out]), abs=1e-5)
    right = probabilities.argmax(axis=1) == split.labels
    assert untrained["validation_accuracy"] == pytest.approx(right[out].mean(), abs=1e-6)
    assert untrained["train_loss"] == pytest.approx(loss(probabilities[~out], split.labels[~out]), abs=1e-5)
    for row, same in zip(run.history, alone.history, strict=True):
        assert same.items() < row.items()
    for with_validation, without in zip(weights(run), weights(alone), strict=True):
        np.testing.assert_array_equal(with_validation, without)


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.fault("validation images that differ between seeds or replicates, or are trained on")
def test_validation_images_are_the_same_for_every_seed_and_replicate(split, seed):
    out = of_smallest_hashes(split, [2, 2, 2])

    runs = trainer.fit(split, CLASSES, settings(validation_fraction=0.25, batch_size=5, seed=seed, replicates=3))

    assert len({run.history[-1]["validation_loss"] for run in runs}) == 3
    for run in runs:
        _, _, probabilities = forward(split.images[out], weights(run))
        assert run.history[-1]["validation_loss"] == pytest.approx(loss(probabilities, split.labels[out]), abs=1e-5)


@pytest.mark.fault("validation images that are of the last classes alone, or depend on the order of the images")
def test_images_sorted_by_class_are_validated_on_all_classes(split):
    """As a folder of pictures or an archive may have them: here the last quarter is of one class."""
    order = np.argsort(split.labels, kind="stable")
    by_class = Split(split.images[order], split.labels[order])
    out = of_smallest_hashes(by_class, [2, 2, 2])
    assert set(by_class.labels[18:]) == {2}

    (run,) = trainer.fit(by_class, CLASSES, settings(validation_fraction=0.25, batch_size=5, epochs=30))

    _, _, probabilities = forward(by_class.images[out], weights(run))
    assert run.history[-1]["validation_loss"] == pytest.approx(loss(probabilities, by_class.labels[out]), abs=1e-5)
    assert run.history[-1]["validation_accuracy"] == 1.0


def test_the_last_partial_batch_is_trained_on_and_counted(split, initial):
    """Three copies of an image make its batches alike: one of two copies, then one of one, whatever the order."""
    copies = Split(np.repeat(split.images[:1], 3, axis=0), np.repeat(split.labels[:1], 3))
    parameters, losses = initial, []
    for _ in range(2):
        flat, hidden, probabilities = forward(copies.images[:1], parameters)
        losses.append(loss(probabilities, copies.labels[:1]))
        error = probabilities - np.eye(CLASSES)[copies.labels[:1]]
        back = (error @ parameters[2].T) * (hidden > 0)
        gradients = flat.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)
        parameters = [p - 0.1 * g for p, g in zip(parameters, gradients, strict=True)]

    (run,) = trainer.fit(copies, CLASSES, settings(batch_size=2))

    for fitted, expected in zip(weights(run), parameters, strict=True):
        np.testing.assert_allclose(fitted, expected, atol=1e-6)
    assert run.history[1]["train_loss"] == pytest.approx((2 * losses[0] + losses[1]) / 3, abs=1e-5)


def test_the_output_changes_neither_the_training_nor_that_the_model_gives_probabilities(split):
    """Keras looks through a softmax to the logits. These are so large that the loss of probabilities, which Keras takes
    for 1e-7 at least, would be 16.1 at most.
    """
    large = Split(split.images * np.float32(300), split.labels)
    (logits,) = trainer.fit(large, CLASSES, settings(output="logits", epochs=2))
    (softmax,) = trainer.fit(large, CLASSES, settings(output="softmax", epochs=2))

    assert logits.history == softmax.history
    assert logits.history[0]["train_loss"] > 17
    for one, other in zip(weights(logits), weights(softmax), strict=True):
        np.testing.assert_array_equal(one, other)
    for run in (logits, softmax):
        _, _, expected = forward(split.images, weights(run))
        np.testing.assert_allclose(run.model.predict(split.images, verbose=0), expected, atol=1e-6)


def test_a_replicate_is_the_same_alone_or_among_others(split, monkeypatch):
    """Three take turns in two loops; the last of them has one of its own."""
    monkeypatch.setattr(trainer, "cores", lambda: 2)
    options = settings(batch_size=8, optimizer="adam", epochs=2, replicates=3)

    *_, last = trainer.fit(split, CLASSES, options)
    (alone,) = trainer.fit(split, CLASSES, options, [2])

    assert last.history == alone.history
    for one, other in zip(weights(last), weights(alone), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_of_replicates_are_all_different():
    seeds = {trainer.seed_of(seed, replicate) for seed in range(30) for replicate in range(30)}

    assert len(seeds) == 900


def test_dropout_acts_in_training_alone(split):
    (run,) = trainer.fit(split, CLASSES, settings(dropout=0.9, learning_rate=1e-30))

    _, _, expected = forward(split.images, weights(run))
    np.testing.assert_allclose(run.model.predict(split.images, verbose=0), expected, atol=1e-6)
    assert run.history[0]["train_loss"] == pytest.approx(loss(expected, split.labels), abs=1e-5)
    assert run.history[1]["train_loss"] != pytest.approx(run.history[0]["train_loss"], abs=1e-3)


def test_parameters_are_counted():
    """784 * 128 weights and 128 biases, then 128 * 10 and 10: the published 101,770."""
    assert networks.dense((28, 28), 10, hidden_units=[128], dropout=0.2).count_params() == 101_770


def test_parameters_of_the_small_convolutional_network():
    """3 * 3 * 32 + 32, then 3 * 3 * 32 * 64 + 64, then 5 * 5 * 64 * 10 + 10."""
    assert networks.cnn_small((28, 28), 10, hidden_units=[], dropout=0.0).count_params() == 320 + 18_496 + 16_010


def test_images_too_small_for_its_convolutions_are_refused():
    """10 pixels are 8 after the first convolution, then 4, 2, 1."""
    assert networks.cnn_small((10, 10), 1, hidden_units=[], dropout=0.0).output_shape == (None, 1)

    with pytest.raises(InputError) as caught:
        networks.cnn_small((30, 9), 1, hidden_units=[], dropout=0.0)
    assert str(caught.value).startswith(
        "params.yaml: train.network: cnn_small needs larger images (expected 10 x 10 pixels at least, got 30 x 9); "
    )


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_takes_any_image_and_gives_logits(name):
    model = networks.NETWORKS[name].build((10, 12), 7, hidden_units=[6, 5], dropout=0.1)

    outputs = model.predict(np.linspace(-1, 1, 3 * 10 * 12, dtype=np.float32).reshape(3, 10, 12), verbose=0)
    assert outputs.shape == (3, 7)
    assert (outputs < 0).any(), "probabilities would not be negative"


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network_learns_with_augmentation_and_a_schedule(split, name):
    """Loss goes down, statistics of batch normalization included; early stopping and decay do their part."""
    images = np.pad(split.images, ((0, 0), (4, 4), (4, 4)))
    changes = {"learning_rate_schedule": "one_cycle", "augmentation_shift": 1, "augmentation_flip": True}
    changes |= {"network": name, "optimizer": "adam", "learning_rate": 0.01, "epochs": 12, "weight_decay": 0.001}

    (run,) = trainer.fit(Split(images, split.labels), CLASSES, settings(batch_size=8, **changes))

    assert len(run.history) == 13
    assert run.history[-1]["train_loss"] < run.history[1]["train_loss"] - 0.05


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"optimizer": "rmsprop", "dropout": 0.5, "batch_size": 17}, marks=pytest.mark.slow),
        {"network": "cnn_small", "dropout": 0.5, "augmentation_shift": 1, "augmentation_flip": True},
        pytest.param({"network": "cnn", "dropout": 0.5, "augmentation_flip": True}, marks=pytest.mark.slow),
    ],
    ids=lambda changes: changes.get("network", "dense"),
)
@pytest.mark.fault("more training images than memory has room for")
@pytest.mark.fault("results that depend on the size of batches or blocks")
def test_images_from_their_file_give_the_same_networks_and_history(tmp_path, monkeypatch, changes):
    """Eight batches in calls of three and one of a size of its own, each picked in parts; the images are more than the
    memory that they may take.
    """
    random = np.random.RandomState(0)
    made = Split(random.uniform(size=(72, 42, 42)).astype(np.float32), (np.arange(72) % CLASSES).astype(np.uint8))
    arrays.write_split(tmp_path, made)
    options = {"optimizer": "adam", "batch_size": 7, "epochs": 2, "validation_fraction": 0.2} | changes
    monkeypatch.setattr(loop, "AT_ONCE", 3 * options["batch_size"] * 42 * 42 * 4)
    monkeypatch.setattr(arrays, "PICKED", 10)
    held = trainer.fit(made, CLASSES, settings(**options))
    assert memory.fits(made.images)
    monkeypatch.setenv("MEMORY_LIMIT_MB", "1")
    split = arrays.read_split(tmp_path)
    assert not memory.fits(split.images)
    monkeypatch.setattr(trainer.tf, "constant", partial(_of_few, trainer.tf.constant, 30))

    streamed = trainer.fit(split, CLASSES, settings(**options))

    for run, other in zip(held, streamed, strict=True):
        assert run.history == other.history
        for one, another in zip(weights(run), weights(other), strict=True):
            np.testing.assert_array_equal(one, another)


def _of_few(constant, most, value, *rest, **options):
    """Make a tensor, but of no array of many images."""
    assert np.ndim(value) < 3 or len(value) <= 3 * most
    return constant(value, *rest, **options)


@pytest.mark.parametrize(("threads", "expected"), [(1, 2), (3, 1), (9, 1)])
def test_as_many_replicates_are_trained_at_once_as_there_are_cores_for(split, monkeypatch, threads, expected):
    monkeypatch.setattr(trainer, "cores", lambda: 5)
    built = []
    monkeypatch.setattr(
        loop, "Loop", lambda *args, compiled=loop.Loop, **options: built.append(1) or compiled(*args, **options)
    )

    trainer.fit(split, CLASSES, settings(replicates=2, threads=threads))

    assert len(built) == expected


def test_the_schema_and_the_networks_name_the_same():
    assert list(get_args(Train.model_fields["network"].annotation)) == list(networks.NETWORKS)


@pytest.mark.fault("a batch larger than the training images")
def test_a_batch_larger_than_the_training_images_is_refused(split):
    with pytest.raises(InputError) as caught:
        trainer.fit(split, CLASSES, settings(batch_size=19, validation_fraction=0.25))

    assert str(caught.value) == (
        "params.yaml: train.batch_size: a batch larger than the images to train on (expected at most 18, got 19); "
        "fix: lower train.batch_size or train.validation_fraction, then dvc repro"
    )


@pytest.mark.fault("the loss is no longer a number")
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_param_to_lower(split):
    huge = Split(split.images * np.float32(1e30), split.labels)

    with pytest.raises(
        InputError, match=r"^params.yaml: train.learning_rate: the loss is no longer a number"
    ) as caught:
        trainer.fit(huge, CLASSES, settings(learning_rate=1.0, epochs=3))

    assert "fix: lower train.learning_rate" in str(caught.value)
