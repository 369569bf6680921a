import csv
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import InputError
from core.config import params
from core.files import arrays, atomic, durations
from core.networks import models, runtime
from core.networks.runtime import keras, tf
from stages.train import __main__ as stage
from stages.train import trainer
from tests.conftest import write_split

OUTPUTS = ("data/model", "data/training.json", "reports/history.csv")


@pytest.fixture
def command_line(project, assign, monkeypatch) -> list[str]:
    """Thirty images of three classes, and two networks, wide enough for XLA to share a product among threads."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    labels = np.arange(30, dtype=np.uint8) % 3
    images = np.random.RandomState(0).uniform(size=(30, 28, 28)).astype(np.float32)
    write_split(Path("train"), arrays.Split(images, labels))
    atomic.write_json(Path("classes.json"), ["a", "b", "c"])
    values = {"hidden_units": "128", "epochs": "3", "batch_size": "8", "validation_fraction": "0.2", "replicates": "2"}
    for name, value in values.items():
        assign("params.yaml", f"train.{name}", value)
    return ["stages.train", "train", "classes.json", *OUTPUTS]


@pytest.mark.fault("start-up noise of TensorFlow and Keras")
@pytest.mark.fault("run twice, on one core and on all")
def test_models_history_and_training_json_are_those_of_the_runs_and_equal_on_one_core(command_line, run_stage):
    run = run_stage(*command_line)

    assert (run.code, run.stderr) == (0, "")
    assert all(len(line) <= 80 for line in run.stdout.splitlines())
    with open("reports/history.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    assert list(rows[0]) == ["replicate", "epoch", *scores]
    assert [(row["replicate"], row["epoch"]) for row in rows] == [(r, e) for r in "01" for e in "0123"]
    untrained = [float(row["train_loss"]) for row in rows if row["epoch"] == "0"]
    assert json.loads(Path("data/training.json").read_text(encoding="utf-8")) == {
        "versions": {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__},
        "parameters": 28 * 28 * 128 + 128 + 128 * 3 + 3,
        "untrained_loss": pytest.approx(sum(untrained) / 2, abs=1e-4),
        "networks": [hashlib.sha256(run.after[f"data/model/{number}.keras"]).hexdigest() for number in "01"],
        "classes": ["a", "b", "c"],
        "image_shape": [28, 28],
        "settings": params.section(params.Train).model_dump(),
    }
    split = arrays.read_split(Path("train"))
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in split.images]
    held_out = [sorted(np.flatnonzero(split.labels == label), key=hashes.__getitem__)[:2] for label in range(3)]
    images, labels = split.images[np.ravel(held_out)], np.repeat([0, 1, 2], 2)
    trained = models.read(Path("data/model"), Path("data/training.json"), ["a", "b", "c"], (28, 28))
    for replicate, model in enumerate(trained):
        loss = -np.log(model.predict(images, verbose=0)[np.arange(6), labels]).mean()
        assert float(rows[4 * replicate + 3]["validation_loss"]) == pytest.approx(loss, abs=1e-5)
    assert written_on_one_core(command_line, run_stage) == written(run)


def written(run):
    assert run.code == 0
    return {path: data for path, data in run.after.items() if path.startswith(("data/", "reports/"))}


def written_on_one_core(command_line, run_stage):
    """Return what the stage writes on one core, in another locale, with other settings of the user."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # which a process passes on to those it starts
    try:
        return written(run_stage(*command_line, PYTHONHASHSEED="7", LC_ALL="C", TZ="Asia/Tokyo", OMP_NUM_THREADS="3"))
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "optimizer", "threads"),
    [("dense", "adam", 2), ("cnn_small", "muon", 1), ("cnn", "muon", 2), ("cnn_wide", "muon", 1)],
)
@pytest.mark.fault("run twice, on one core and on all")
def test_a_network_has_the_same_bytes_on_one_core_as_on_all(
    command_line, run_stage, assign, network, optimizer, threads
):
    for param, value in {"network": network, "optimizer": optimizer, "threads": threads}.items():
        assign("params.yaml", f"train.{param}", str(value))

    first = written(run_stage(*command_line))

    assert first.keys() == {"data/model/0.keras", "data/model/1.keras", *OUTPUTS[1:]}
    assert written_on_one_core(command_line, run_stage) == first


def test_the_number_of_threads_is_set_before_training(command_line, assign, monkeypatch):
    class Trained(Exception):
        """Raised in place of a training."""

    def fit(split, classes, settings, validation, report):
        raise Trained

    assign("params.yaml", "train.threads", "3")
    shared = []
    monkeypatch.setattr(runtime, "share_operations", shared.append)
    monkeypatch.setattr(trainer, "fit", fit)

    with pytest.raises(Trained):
        stage.main(*map(Path, command_line[1:]))
    assert shared == [3]


@pytest.mark.slow
@pytest.mark.parametrize("allocation", ["tf.zeros((1 << 48,))", "numpy.ones(1 << 48)"])
@pytest.mark.fault("no memory")
def test_an_allocation_that_the_machine_has_no_memory_for_is_one_line(run_main, assert_clean_failure, allocation):
    """As TensorFlow and numpy themselves refuse a petabyte."""
    run = run_main("import numpy", "from core.networks.runtime import tf", allocation)

    fix = "end other programs or lower batch_size in params.yaml, then dvc repro"
    assert_clean_failure(run, 1, f"error: stages.stub: out of memory; fix: {fix}")


@pytest.mark.parametrize("address", ["", "auto"])
@pytest.mark.fault("a class left without a training image or a validation image")
def test_a_class_without_a_validation_image_is_refused_before_training(command_line, assign, monkeypatch, address):
    """Also before a cluster is connected."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    assign("params.yaml", "train.validation_fraction", "0.05")

    with pytest.raises(InputError) as caught:
        stage.main(*map(Path, command_line[1:]))

    assert str(caught.value) == (
        "params.yaml: train.validation_fraction: leaves no validation image of the class a, which has 10 images "
        "(expected more than 0.05 and less than 0.95, got 0.05); "
        "fix: set it to such a value, or add images of the class; then dvc repro"
    )


@pytest.mark.parametrize("address", ["", "auto"])
@pytest.mark.fault("validation images of two kinds, or early stopping without any")
def test_validation_images_come_from_one_source(command_line, assign, monkeypatch, address):
    """Also before a cluster is connected."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    write_split(Path("train", arrays.VALIDATION), arrays.read_split(Path("train")))

    with pytest.raises(InputError) as caught:
        stage.main(*map(Path, command_line[1:]))
    assert str(caught.value) == (
        "params.yaml: train.validation_fraction: the data set has validation images of its own (expected 0, got 0.2); "
        "fix: set train.validation_fraction to 0, then dvc repro"
    )

    shutil.rmtree(Path("train", arrays.VALIDATION))
    assign("params.yaml", "train.validation_fraction", "0.0")
    assign("params.yaml", "train.early_stopping_patience", "3")
    with pytest.raises(InputError) as caught:
        stage.main(*map(Path, command_line[1:]))
    assert str(caught.value) == (
        "params.yaml: train.early_stopping_patience: needs validation images; "
        "fix: set train.validation_fraction above 0, then dvc repro"
    )


def test_official_validation_images_of_colour_are_scored_each_epoch(command_line, assign):
    """Early stopping may go by them."""
    images = np.random.RandomState(0).uniform(size=(36, 8, 9, 3)).astype(np.float32)
    labels = (np.arange(36) % 3).astype(np.uint8)
    write_split(Path("train"), arrays.Split(images[:30], labels[:30]))
    write_split(Path("train", arrays.VALIDATION), arrays.Split(images[30:], labels[30:]))
    assign("params.yaml", "train.validation_fraction", "0.0")
    assign("params.yaml", "train.early_stopping_patience", "3")

    stage.main(*map(Path, command_line[1:]))

    record = Path("data/training.json")
    assert json.loads(record.read_text(encoding="utf-8"))["image_shape"] == [8, 9, 3]
    model = models.read(Path("data/model"), record, ["a", "b", "c"], (8, 9, 3))[0]
    with open("reports/history.csv", encoding="utf-8", newline="") as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file) if row["replicate"] == "0"]
    loss = -np.log(np.asarray(model(images[30:]))[np.arange(6), labels[30:]]).mean()
    assert min(losses[1:]) == pytest.approx(loss, abs=1e-5)


@pytest.mark.fault("a stage fails or is killed with half an output written")
def test_how_long_training_took_is_recorded_once_it_has_ended(command_line, assign, monkeypatch):
    """Of a training that failed, nothing is recorded."""
    Path(".dvc").mkdir()
    settings = params.section(params.Train)
    assign("params.yaml", "train.batch_size", "31")
    with pytest.raises(InputError):
        stage.main(*map(Path, command_line[1:]))
    assert not Path(".dvc/tmp").exists()

    assign("params.yaml", "train.batch_size", "8")
    start = time.monotonic()
    stage.main(*map(Path, command_line[1:]))
    took = time.monotonic() - start

    assert 0 < durations.estimate(settings, 30, (28, 28)) < took
