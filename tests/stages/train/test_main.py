import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.files import arrays, atomic
from core.networks import runtime
from core.networks.runtime import keras, tf
from stages.evaluate import networks
from stages.train import __main__, trainer

OUTPUTS = ("data/model", "data/training.json", "reports/history.csv")


@pytest.fixture
def command_line(project, assign) -> list[str]:
    """Thirty images of three classes, and two small networks to be fitted to them."""
    labels = np.arange(30, dtype=np.uint8) % 3
    images = np.random.RandomState(0).uniform(size=(30, 28, 28)).astype(np.float32)
    arrays.write_split(Path("train"), arrays.Split(images, labels))
    atomic.write_json(Path("classes.json"), ["a", "b", "c"])
    values = {"hidden_units": "4", "epochs": "3", "batch_size": "8", "validation_fraction": "0.2", "replicates": "2"}
    for name, value in values.items():
        assign("params.yaml", f"train.{name}", value)
    return ["stages.train", "train", "classes.json", *OUTPUTS]


@pytest.mark.fault("start-up noise of TensorFlow and Keras")
def test_models_history_and_summary_are_those_of_the_runs(command_line, run_stage):
    run = run_stage(*command_line)

    assert run.code == 0, run.stderr
    assert run.stderr == ""
    with open("reports/history.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    assert list(rows[0]) == ["replicate", "epoch", *scores]
    assert [(row["replicate"], row["epoch"]) for row in rows] == [(r, e) for r in "01" for e in "0123"]
    untrained = [float(row["train_loss"]) for row in rows if row["epoch"] == "0"]
    summary = json.loads(Path("data/training.json").read_text(encoding="utf-8"))
    assert summary == {
        "versions": {"keras": keras.__version__, "numpy": np.__version__, "tensorflow": tf.__version__},
        "parameters": 28 * 28 * 4 + 4 + 4 * 3 + 3,
        "untrained_loss": pytest.approx(sum(untrained) / 2, abs=1e-4),
        "networks": [hashlib.sha256(run.after[f"data/model/{number}.keras"]).hexdigest() for number in "01"],
        "classes": ["a", "b", "c"],
        "image_shape": [28, 28],
    }
    split = arrays.read_split(Path("train"))
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in split.images]
    rows_of = [sorted(np.flatnonzero(split.labels == label), key=hashes.__getitem__)[:2] for label in range(3)]
    held_out, labels = split.images[np.ravel(rows_of)], np.repeat([0, 1, 2], 2)
    trained = networks.read(Path("data/model"), Path("data/training.json"), ["a", "b", "c"], (28, 28))
    for replicate, model in enumerate(trained):
        probabilities = model.predict(held_out, verbose=0)
        loss = -np.log(probabilities[np.arange(6), labels]).mean()
        assert float(rows[4 * replicate + 3]["validation_loss"]) == pytest.approx(loss, abs=1e-5)
    for line in run.stdout.splitlines():
        assert len(line) <= 80


@pytest.mark.parametrize("threads", ["1", pytest.param("2", marks=pytest.mark.slow)])
@pytest.mark.fault("run twice, on one core and on all")
def test_two_processes_write_the_same_bytes_on_one_core_as_on_all(command_line, run_stage, assign, threads):
    assign("params.yaml", "train.threads", threads)
    assign("params.yaml", "train.hidden_units", "128")  # enough for XLA to share a product among threads
    first = run_stage(*command_line)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # which a process passes on to those it starts
    try:
        second = run_stage(*command_line, PYTHONHASHSEED="7", LC_ALL="C", TZ="Asia/Tokyo", OMP_NUM_THREADS="3")
    finally:
        os.sched_setaffinity(0, cores)

    written = {path for path in first.after if path.startswith(("data/", "reports/"))}
    assert written == {"data/model/0.keras", "data/model/1.keras", *OUTPUTS[1:]}
    assert first.code == second.code == 0
    assert {path: first.after[path] for path in written} == {path: second.after[path] for path in written}


def test_so_many_threads_as_params_say_share_an_operation_before_the_first_one_runs(command_line, assign, monkeypatch):
    class Trained(Exception):
        """In place of a training."""

    def fit(split, classes, settings):
        raise Trained

    assign("params.yaml", "train.threads", "3")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    shared = []
    monkeypatch.setattr(runtime, "share_operations", shared.append)
    monkeypatch.setattr(trainer, "fit", fit)

    with pytest.raises(Trained):
        __main__.main(*map(Path, command_line[1:]))
    assert shared == [3]


@pytest.mark.fault("the loss is no longer a number")
def test_a_diverging_training_leaves_nothing(command_line, run_main, assign, assert_clean_failure):
    """The images of this one are enlarged after they were checked: no others diverge so soon."""
    assign("params.yaml", "train.learning_rate", "1.0")
    assign("params.yaml", "train.optimizer", "sgd")

    run = run_main(
        "import numpy",
        "from core.files import arrays",
        "from stages.train import __main__",
        "read = arrays.read_split",
        "arrays.read_split = lambda *given: read(*given)._replace(images=read(*given).images * numpy.float32(1e30))",
        f"__main__.main(*map(Path, {command_line[1:]}))",
    )

    assert_clean_failure(run, 2, run.stderr.splitlines()[-1])
    assert run.stderr.startswith(
        "error: params.yaml: train.learning_rate: the loss is no longer a number after epoch 1 ("
    )
    assert run.stderr.endswith("; fix: lower train.learning_rate, then dvc repro\n")


@pytest.mark.slow
@pytest.mark.parametrize("allocation", ["tf.zeros((1 << 48,))", "numpy.ones(1 << 48)"])
@pytest.mark.fault("no memory")
def test_what_the_machine_has_no_memory_for_is_one_line(run_main, assert_clean_failure, allocation):
    """As TensorFlow and numpy themselves refuse a petabyte, and not as we imagine that they do."""
    run = run_main("import numpy", "from core.networks.runtime import tf", allocation)

    fix = "end other programs or lower batch_size in params.yaml, then dvc repro"
    assert_clean_failure(run, 1, f"error: stages.stub: out of memory; fix: {fix}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place", "value", "line"),
    [
        ("images", (7, 3, 3), np.nan, "not pixels (expected 0 <= x <= 1, got nan to nan)"),
        ("labels", 7, 3, "a label without a class (expected 0 to 2, got 3)"),
    ],
)
@pytest.mark.fault("a pixel that is no number, a label without a class")
def test_a_value_that_nobody_can_learn_from_trains_nothing(
    command_line, run_stage, assert_clean_failure, name, place, value, line
):
    path = Path(f"train/{name}.npy")
    array = np.load(path)
    array[place] = value
    np.save(path, array)

    run = run_stage(*command_line)

    fix = "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
    assert_clean_failure(run, 4, f"error: {path}: {line}; fix: {fix}")


@pytest.mark.parametrize("address", [None, "auto"])
@pytest.mark.fault("a class left without a training image or a validation image")
def test_a_class_without_a_validation_image_is_refused_by_its_name(
    command_line, run_stage, assign, assert_clean_failure, address
):
    """Before a cluster is asked for anything."""
    assign("params.yaml", "train.validation_fraction", "0.05")

    run = run_stage(*command_line, **({"RAY_ADDRESS": address} if address else {}))

    assert_clean_failure(
        run,
        2,
        "error: params.yaml: train.validation_fraction: leaves no validation image of these classes: "
        "a (10 images), b (10 images), c (10 images) (expected more than 0.05 and less than 0.95, got 0.05); "
        "fix: set train.validation_fraction to such a value, or add images of these classes, then dvc repro",
    )
    assign("params.yaml", "train.validation_fraction", "0.051")
    assert run_stage(*command_line).code == 0


def test_a_damaged_array_is_named(command_line, run_stage, assert_clean_failure):
    path = Path("train/images.npy")
    path.write_bytes(path.read_bytes()[:-1])

    run = run_stage(*command_line)

    assert_clean_failure(run, 4, run.stderr.splitlines()[-1])
    assert run.stderr.startswith(f"error: {path}: not a whole .npy file")


@pytest.mark.slow
@pytest.mark.fault("MEMORY_LIMIT_MB is no number of MB")
def test_a_memory_limit_that_is_no_number_is_refused(command_line, run_stage, assert_clean_failure):
    assert_clean_failure(
        run_stage(*command_line, MEMORY_LIMIT_MB="4 GB"),
        2,
        "error: MEMORY_LIMIT_MB: not a number of MB (expected a whole number, 1 to 999999999, got 4 GB); "
        "fix: unset it, or give a number as in MEMORY_LIMIT_MB=4000",
    )


@pytest.mark.slow
def test_the_files_are_the_same_whatever_the_memory(command_line, run_stage):
    """Some 300 images are more than half of one MB. Which replicate prints its line first is open."""
    images = np.random.RandomState(0).uniform(size=(300, 28, 28)).astype(np.float32)
    arrays.write_split(Path("train"), arrays.Split(images, np.arange(300, dtype=np.uint8) % 3))

    held, streamed = (run_stage(*command_line, MEMORY_LIMIT_MB=limit) for limit in ("100", "1"))

    assert (held.code, streamed.code) == (0, 0)
    assert sorted(held.stdout.splitlines()) == sorted(streamed.stdout.splitlines())
    assert streamed.before == streamed.after == held.after


def test_the_seed_of_each_replicate_is_in_the_range_of_keras_seeds():
    assert all(0 <= trainer.seed_of(2**32 - 1, replicate) < 2**32 for replicate in range(100))
