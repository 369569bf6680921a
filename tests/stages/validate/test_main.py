"""The stage `validate` by its command line: it refuses bad files before any result is touched."""

import os

import pytest

FIX = "fix: edit params.yaml, then dvc repro"


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
    assign("datasets/mnist.yaml", "title", "Ziffern für Übung")
    second = validate(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")

    assert (first.code, first.stderr, second.code, second.stderr) == (0, "", 0, "")
    assert first.stdout == "params.yaml and the cards are valid; data set: fashion_mnist\n"
    assert second.stdout == "params.yaml and the cards are valid; data set: garments\n"
    assert first.after == first.before | {"data/validated": b"params.yaml and the cards are valid\n"}
    assert second.after == second.before


@pytest.mark.fault("several faults in one file")
@pytest.mark.fault("a bad card of a data set that is not chosen")
def test_all_problems_of_all_files_are_listed(project, validate, assign, edit, assert_clean_failure):
    """Also those of data sets that params.yaml does not choose."""
    assign("params.yaml", "train.learning_rate", ".nan")
    assign("params.yaml", "train.epochs", "true")
    edit("datasets/mnist.yaml", "size: 28881", "size: 0")
    assign("datasets/garments.yaml", "seed", "-1")
    (project / "datasets/My own.yaml").touch()

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: train.learning_rate: wrong value (expected a finite number, got NaN); {FIX}",
        f"error: params.yaml: train.epochs: wrong value (expected a valid integer, got true); {FIX}",
        "error: datasets/My own.yaml: cannot name a data set (expected a to z, 0 to 9 and _, a letter first, at most "
        "64, got My own); fix: rename this file, and sources/My own with it, then dvc repro",
        "error: datasets/garments.yaml: seed: wrong value (expected greater than or equal to 0, got -1); "
        "fix: edit datasets/garments.yaml, then dvc repro",
        "error: datasets/mnist.yaml: archives.train-labels-idx1-ubyte.gz.size: wrong value "
        "(expected greater than or equal to 1, got 0); fix: edit datasets/mnist.yaml, then dvc repro",
    )


@pytest.mark.fault("datasets.yaml of an earlier version is left")
def test_the_data_sets_of_an_earlier_version_are_not_silently_ignored(project, validate, assert_clean_failure):
    (project / "datasets.yaml").write_text("own: {title: Own}\n", encoding="utf-8")

    assert_clean_failure(
        validate(),
        2,
        "error: datasets.yaml: no longer read: each data set has a file of its own in datasets/; fix: see From "
        "datasets.yaml in docs/your-data.md, then delete this file, then dvc repro",
    )


OWN = "title: Own\ndescription: mine\nlicence: mine\nformat: pictures\n"


@pytest.mark.fault("the files of a data set are missing, or not pulled")
def test_only_the_chosen_data_set_needs_its_files(project, validate, assign, assert_clean_failure):
    (project / "datasets/own.yaml").write_text(OWN, encoding="utf-8")
    assert validate().code == 0

    assign("params.yaml", "dataset.name", "own")

    fix = "put the files of own there, or dvc pull, then dvc repro"
    assert_clean_failure(validate(), 2, f"error: sources/own: no such folder; fix: {fix}")
    (project / "sources/own/pictures").mkdir(parents=True)
    assert validate().code == 0


@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("the file or a key is missing")
def test_a_missing_file_says_where_to_look(project, validate, assert_clean_failure):
    (project / "params.yaml").unlink()

    fix = "git checkout -- params.yaml, or run from the folder that holds it"
    assert_clean_failure(validate(), 2, f"error: params.yaml: no such file; fix: {fix}")


@pytest.mark.fault("early stopping without validation images, or validation images of two kinds")
@pytest.mark.parametrize(
    ("files", "param", "value", "line"),
    [
        ("", "early_stopping_patience", "2", "early_stopping_patience: needs validation images; fix: set "),
        ("{train: a.csv, test: b.csv}", "early_stopping_patience", "2", "early_stopping_patience: needs validation "),
        ("{train: a.csv, validation: c.csv}", "validation_fraction", "0.1", "validation_fraction: the data set has "),
        ("{train: a.csv, validation: c.csv}", "early_stopping_patience", "2", None),
        (None, "early_stopping_patience", "2", None),
    ],
)
def test_a_card_that_tells_of_validation_images_is_held_against_the_params(
    project, validate, assign, files, param, value, line
):
    """Fashion-MNIST has none. If only the files tell, `train` finds out."""
    if files != "":
        own = "title: Own\ndescription: own\nlicence: none\nformat: csv\n" + (f"files: {files}\n" if files else "")
        (project / "datasets/own.yaml").write_text(own, encoding="utf-8")
        (project / "sources/own").mkdir()
        (project / "sources/own/a.csv").touch()
        assign("params.yaml", "dataset.name", "own")
    assign("params.yaml", f"train.{param}", value)
    ended = validate()

    assert ended.code == (2 if line else 0), ended.stderr
    assert ended.stderr.startswith(f"error: params.yaml: train.{line}" if line else "")
    assert ended.stderr.count("\n") == bool(line)
