"""Validation images are scored each epoch and never learned from; early stopping goes by their loss.

Each image has a pixel of its own. The weights of the pixel change only if the image is learned from, so the tests see
which images are held out.
"""

import numpy as np
import pytest

from core.files.arrays import Split
from stages.train import trainer
from tests.stages.train import plain

CLASSES, COUNT, PATIENCE = 3, 24, 2
LABELS = np.arange(COUNT, dtype=np.uint8) % CLASSES
SETTINGS = plain.settings(
    hidden_units=[16],
    optimizer="adam",
    learning_rate=0.2,
    batch_size=6,
    epochs=25,
    validation_fraction=0.25,
    replicates=2,
)


def pictures() -> np.ndarray:
    """Return images of four rows of six pixels, a pixel for each image, and a row with a pixel for each class.

    Some images show another class than their label, so the validation loss rises again after some epochs.
    """
    shown = np.where(np.arange(COUNT) % 5 == 0, LABELS + 1, LABELS) % CLASSES
    pixels = np.concatenate([np.eye(COUNT), 0.5 * np.eye(6)[shown]], axis=1)
    return pixels.reshape(COUNT, 5, 6).astype(np.float32)


SPLIT = Split(pictures(), LABELS)


def fit(replicates=None, **changes) -> list[trainer.Run]:
    return trainer.fit(SPLIT, CLASSES, SETTINGS.model_copy(update=changes), replicates=replicates)


def untrained(replicate: int) -> list[np.ndarray]:
    return plain.untrained((5, 6), CLASSES, SETTINGS, replicate).get_weights()


def scores(weights: list[np.ndarray], rows: np.ndarray) -> tuple[float, float]:
    """Return loss and accuracy on some of the images, worked out in numpy."""
    kernel, bias, out_kernel, out_bias = weights
    exponentials = np.exp(np.maximum(SPLIT.images[rows].reshape(-1, 30) @ kernel + bias, 0) @ out_kernel + out_bias)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    loss = -np.log(probabilities[np.arange(len(rows)), LABELS[rows]]).mean()
    return float(loss), float((probabilities.argmax(axis=1) == LABELS[rows]).mean())


def learned(run: trainer.Run, replicate: int) -> np.ndarray:
    """Return whether each image was learned from, bool (24,)."""
    return (run.model.get_weights()[0] != untrained(replicate)[0])[:COUNT].any(axis=1)


@pytest.fixture(scope="module")
def to_the_end() -> list[trainer.Run]:
    return fit()


@pytest.fixture(scope="module")
def stopped() -> list[trainer.Run]:
    return fit(early_stopping_patience=PATIENCE)


@pytest.mark.fault("validation images are learned from, or others are scored")
@pytest.mark.fault("validation images that differ between seeds or replicates, or are trained on")
def test_validation_scores_are_those_of_the_images_that_are_not_learned_from(to_the_end):
    chosen = set()
    for replicate, run in enumerate(to_the_end):
        kept = learned(run, replicate)
        held_out, trained_on = np.flatnonzero(~kept), np.flatnonzero(kept)
        first, last = run.history[0], run.history[-1]
        before, after = scores(untrained(replicate), held_out), scores(run.model.get_weights(), held_out)

        assert np.bincount(LABELS[held_out]).tolist() == [2, 2, 2]  # a quarter of eight each
        assert (first["train_loss"], first["train_accuracy"]) == pytest.approx(scores(untrained(replicate), trained_on))
        assert (first["validation_loss"], first["validation_accuracy"]) == pytest.approx(before, abs=2e-6)
        assert (last["validation_loss"], last["validation_accuracy"]) == pytest.approx(after, abs=2e-6)
        assert last["epoch"] == len(run.history) - 1 == 25
        chosen.add(tuple(held_out))
    assert len(chosen) == 1, "the same images for every replicate, and so for every seed"


@pytest.mark.fault("early stopping ends at a wrong epoch, or leaves the weights of one")
def test_each_replicate_stops_when_its_loss_has_not_fallen_for_as_many_epochs_as_patience_says(to_the_end, stopped):
    ends = []
    for whole, run in zip(to_the_end, stopped, strict=True):
        best, waited, epoch = np.inf, 0, 0
        while waited < PATIENCE:
            epoch += 1
            loss = whole.history[epoch]["validation_loss"]
            best, waited = (loss, 0) if loss < best else (best, waited + 1)
        ends.append(epoch)

        assert run.history == whole.history[: epoch + 1]
    assert len(set(ends)) > 1 and max(ends) < 25, "the replicates of this test stop at different epochs"


@pytest.mark.fault("early stopping ends at a wrong epoch, or leaves the weights of one")
def test_a_network_that_stops_early_has_the_weights_of_its_best_epoch(stopped):
    for replicate, run in enumerate(stopped):
        losses = [row["validation_loss"] for row in run.history[1:]]
        found, _ = scores(run.model.get_weights(), np.flatnonzero(~learned(run, replicate)))

        assert found == pytest.approx(min(losses), abs=2e-6)
        assert sorted(losses)[1] > min(losses) + 1e-4, "the best epoch of this test is plainly the best"


def test_a_network_whose_epochs_end_while_it_waits_has_the_weights_of_its_best_epoch(stopped):
    best = int(np.argmin([row["validation_loss"] for row in stopped[0].history[1:]])) + 1

    (run,) = fit([0], early_stopping_patience=PATIENCE, epochs=best + 1)

    assert run.history == stopped[0].history[: best + 2]
    for weights, its in zip(run.model.get_weights(), stopped[0].model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, its)


@pytest.mark.fault("official validation images are learned from, or others are scored")
def test_official_validation_images_are_scored_and_stop_the_training_but_are_never_learned_from():
    """The last six images are the official ones. Without them, the networks are the same to the bit."""
    split, official = Split(SPLIT.images[:18], LABELS[:18]), Split(SPLIT.images[18:], LABELS[18:])
    chosen = SETTINGS.model_copy(update={"validation_fraction": 0.0})
    whole = trainer.fit(split, CLASSES, chosen, official)
    without = trainer.fit(split, CLASSES, chosen)
    stopped = trainer.fit(split, CLASSES, chosen.model_copy(update={"early_stopping_patience": PATIENCE}), official)

    for replicate, run in enumerate(whole):
        assert learned(run, replicate).tolist() == [True] * 18 + [False] * 6
        first, last = run.history[0], run.history[-1]
        before, after = (scores(w, np.arange(18, 24)) for w in (untrained(replicate), run.model.get_weights()))
        assert (first["validation_loss"], first["validation_accuracy"]) == pytest.approx(before, abs=2e-6)
        assert (last["validation_loss"], last["validation_accuracy"]) == pytest.approx(after, abs=2e-6)
        for weights, its in zip(run.model.get_weights(), without[replicate].model.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, its)
        best = min(row["validation_loss"] for row in stopped[replicate].history[1:])
        assert stopped[replicate].history == run.history[: len(stopped[replicate].history)]
        assert len(stopped[replicate].history) < len(run.history)
        assert scores(stopped[replicate].model.get_weights(), np.arange(18, 24))[0] == pytest.approx(best, abs=2e-6)
