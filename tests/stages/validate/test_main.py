"""The stage `validate` by its command line: it refuses bad files before any result is touched."""

import os

import pytest

FIX = "fix: edit params.yaml, then dvc repro"
FIX_DATASETS = "fix: edit datasets.yaml, then dvc repro"


@pytest.fixture
def validate(project, run_stage):
    """A function that runs the stage beside the results of an earlier run."""
    for name in ("data/validated", "data/model/replicate-0.keras", "reports/metrics.json"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(os.urandom(32))
    return lambda **environment: run_stage("stages.validate", "data/validated", **environment)


def test_the_stamp_is_the_same_for_any_valid_files(validate, assign):
    """Later stages depend on its bytes: a valid edit must rerun none of them by itself."""
    first = validate()
    assign("params.yaml", "dataset.name", "garments")
    assign("params.yaml", "train.epochs", "3")
    assign("datasets.yaml", "mnist.title", "Ziffern für Übung")
    second = validate(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (first.code, first.stderr, second.code, second.stderr) == (0, "", 0, "")
    assert first.stdout == "params.yaml and datasets.yaml are valid; data set: fashion_mnist\n"
    assert second.stdout == "params.yaml and datasets.yaml are valid; data set: garments\n"
    assert first.after == first.before | {"data/validated": b"params.yaml and datasets.yaml are valid\n"}
    assert second.after == second.before


@pytest.mark.fault("several faults in one file")
def test_all_problems_of_both_files_are_listed(validate, assign, assert_clean_failure):
    """Also those of data sets that params.yaml does not choose."""
    assign("params.yaml", "train.learning_rate", ".nan")
    assign("params.yaml", "train.epochs", "true")
    assign("datasets.yaml", "mnist.archives.train_labels.size", "0")
    assign("datasets.yaml", "garments.seed", "-1")

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: train.learning_rate: wrong value (expected a finite number, got NaN); {FIX}",
        f"error: params.yaml: train.epochs: wrong value (expected a valid integer, got true); {FIX}",
        "error: datasets.yaml: mnist.archives.train_labels.size: wrong value "
        f"(expected greater than or equal to 1, got 0); {FIX_DATASETS}",
        "error: datasets.yaml: garments.seed: wrong value "
        f"(expected greater than or equal to 0, got -1); {FIX_DATASETS}",
    )


@pytest.mark.fault("an unknown data set, network or optimizer")
@pytest.mark.fault("params.yaml names a data set that is not there")
def test_an_unknown_data_set_has_the_choices_listed(validate, assign, assert_clean_failure):
    assign("params.yaml", "dataset.name", "mnits")

    assert_clean_failure(
        validate(),
        2,
        "error: params.yaml: dataset.name: no such data set: did you mean mnist? (expected fashion_mnist, mnist or "
        "garments, got mnits); fix: choose one of datasets.yaml in params.yaml, then dvc repro",
    )


@pytest.mark.fault("images too small for the network of params.yaml")
def test_a_network_that_needs_larger_images_is_refused_before_training(validate, assign, assert_clean_failure):
    assign("params.yaml", "train.network", "cnn_small")
    assign("datasets.yaml", "fashion_mnist.image_shape", "[9, 28]")

    assert_clean_failure(
        validate(),
        2,
        "error: params.yaml: train.network: cnn_small needs larger images (expected 10 x 10 pixels at least, "
        "got 9 x 28); fix: choose another network, or a larger image_shape; then dvc repro",
    )


@pytest.mark.parametrize("name", ["params.yaml", "datasets.yaml"])
@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("the file or a key is missing")
def test_a_missing_file_says_where_to_look(project, validate, assert_clean_failure, name):
    (project / name).unlink()

    fix = f"git checkout -- {name}, or run from the folder that holds it"
    assert_clean_failure(validate(), 2, f"error: {name}: no such file; fix: {fix}")
