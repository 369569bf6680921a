import hashlib

import numpy as np
import pytest

from core.files import arrays
from stages.render import run
from stages.render.document import Illustration

NAMES = ("replicate", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def history(*losses: list[float]) -> np.ndarray:
    """A history of validation losses, a list a replicate."""
    rows = [(number, epoch, 1, 0.5, loss, 0.5) for number, each in enumerate(losses) for epoch, loss in enumerate(each)]
    return np.array(rows, [(name, float) for name in NAMES])


def with_accuracies(made, *, train, low, high):
    test = {**made.metrics["test"], "accuracy_low": low, "accuracy_high": high}
    return made._replace(metrics=made.metrics | {"test": test, "train": {"accuracy": train, "loss": 1}})


@pytest.mark.parametrize(
    ("train", "beginning"),
    [(0.91, "By the gap it overfits: "), (0.88, "By the gap there is no sign that it overfits: ")],
)
def test_it_overfits_where_training_images_fare_better_than_chance_explains(some, train, beginning):
    text = run.overfitting(with_accuracies(some(), train=train, low=0.87, high=0.89))

    assert text.startswith(f"{beginning}the training accuracy, {train:.4f}, is ")
    assert "the 95 % interval of the test accuracy, 0.8700 to 0.8900," in text
    assert text.endswith(
        "is another question: it can't be told, since no images were held out of training; set "
        "train.validation_fraction to hold some out."
    )


def test_a_validation_loss_that_has_risen_tells_that_training_went_on_for_too_long(some):
    """Lowest after epoch 1 and epoch 2; up by 10 % and by 5 %, on average 7.5 %."""
    made = some(history=history([2, 1, 1.2, 1.1], [2, 1.5, 1, 1.05]))

    expected = (
        "another question: the validation loss was lowest after epoch 1 and 2 and ended 7.5% above that: more than 5%, "
        "so the last epochs did harm"
    )
    assert run.overfitting(made).endswith(f"{expected}.")
    stopped = made._replace(settings=made.settings | {"train.early_stopping_patience": 2})
    assert run.overfitting(stopped).endswith(f"{expected}; the networks are those of their best epochs.")


def test_with_early_stopping_it_is_told_after_how_many_epochs_each_replicate_stopped(some, render, written_tables):
    """The training loss goes to the mean of the last rows, wherever they stand: from 3 to (0.5 + 0.25) / 2."""
    rows = [(0, 0, 3, 0, 1, 0), (0, 1, 0.5, 1, 1, 1), (1, 0, 3, 0, 1, 0), (1, 1, 2, 0.5, 1, 0), (1, 2, 0.25, 1, 1, 1)]
    made = some(history=np.array(rows, [(name, float) for name in NAMES]))
    stopped = made._replace(settings=made.settings | {"train.early_stopping_patience": 1})

    told = dict(written_tables(run.section, stopped)[0].rows)
    figures = [block for block in run.section(stopped, render()).blocks if isinstance(block, Illustration)]

    assert told["epochs after which each replicate stopped"] == "1, 2"
    assert "epochs after which each replicate stopped" not in dict(written_tables(run.section, made)[0].rows)
    assert figures[0].alternative.endswith("the training loss goes from 3.0000 to 0.3750")


def test_a_validation_loss_that_still_falls_tells_that_no_harm_was_done(some):
    text = run.overfitting(some(history=history([2, 1, 0.9])))

    assert text.endswith("after epoch 2 and ended 0.0% above that: not more than 5%, so the last epochs did no harm.")


def test_a_validation_loss_of_nothing_at_all_did_not_rise(some):
    text = run.overfitting(some(history=history([2, 1, 0.9], [1, 0, 0])))

    assert "lowest after epoch 1 and 2 and ended 0.0% above that: not more" in text


def test_the_digests_are_those_of_the_files(some, written_tables, tmp_path):
    made = some()
    arrays.write_split(tmp_path / "train", made.train)
    arrays.write_split(tmp_path / "test", made.test)

    _, digests, _ = written_tables(run.section, made)

    assert digests.columns == ["file", "images", "SHA-256"]
    assert [row[0] for row in digests.rows] == [
        "train/images.npy",
        "train/labels.npy",
        "test/images.npy",
        "test/labels.npy",
    ]
    for file, _, digest in digests.rows:
        assert digest == hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()


def test_the_packages_are_those_that_trained_the_networks(some, render):
    assert (
        "Packages that trained the networks: keras 3.2.1 and tensorflow 2.1.0." in run.section(some(), render()).blocks
    )


def test_settings_and_sizes_are_told(some, written_tables):
    settings, _, gap = written_tables(run.section, some())

    assert settings.rows[-3:] == [
        ["parameters of the network", "101,770"],
        ["loss before training, nats", "2.3189"],
        ["loss of guessing, ln 3", "1.0986"],
    ]
    assert ["train.learning_rate", "0.001"] in settings.rows
    assert gap.columns == ["", "62 training images", "60 test images", "generalisation gap"]
