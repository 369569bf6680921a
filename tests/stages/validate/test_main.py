"""The stage validate by its command line: bad files are refused before anything is touched."""

import os

import pytest

FIX = "fix: edit params.yaml, then dvc repro"
FIX_DATASETS = "fix: edit datasets.yaml, then dvc repro"


@pytest.fixture
def results(project):
    """What earlier runs left: a failure must cost none of it."""
    for name in ("data/validated", "data/model/replicate-0.keras", "reports/metrics.json"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(os.urandom(32))


@pytest.fixture
def validate(project, run_stage):
    def validate(arguments=("data/validated",), **environment):
        return run_stage("stages.validate", *arguments, **environment)

    return validate


def test_the_committed_files_are_valid_and_leave_a_stamp(validate):
    ended = validate()

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == "params.yaml and datasets.yaml are valid; data set: fashion_mnist\n"
    assert ended.after == ended.before | {"data/validated": b"params.yaml and datasets.yaml are valid\n"}


def test_the_stamp_says_nothing_of_what_was_chosen(validate, assign):
    """Its bytes are what later stages depend on: an edit that stays valid must rerun none of them by itself."""
    first = validate()
    assign("params.yaml", "dataset.name", "garments")
    assign("params.yaml", "train.epochs", "3")
    second = validate()

    assert second.stdout == "params.yaml and datasets.yaml are valid; data set: garments\n"
    assert second.after["data/validated"] == first.after["data/validated"]


@pytest.mark.usefixtures("results")
@pytest.mark.fault("several faults in one file")
def test_all_problems_of_both_files_are_listed(validate, assign, assert_clean_failure):
    assign("params.yaml", "train.learning_rate", ".nan")
    assign("params.yaml", "train.epochs", "true")
    assign("datasets.yaml", "mnist.archives.train_labels.size", "0")
    assign("datasets.yaml", "garments.seed", "-1")

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: train.learning_rate: not a finite number (expected a number 0 < x <= 1, got .nan); {FIX}",
        f"error: params.yaml: train.epochs: wrong type (expected an integer 1 <= x <= 10000, got true); {FIX}",
        "error: datasets.yaml: mnist.archives.train_labels.size: out of range "
        f"(expected an integer 1 <= x <= 4294967296, got 0); {FIX_DATASETS}",
        "error: datasets.yaml: garments.seed: out of range "
        f"(expected an integer 0 <= x <= 4294967295, got -1); {FIX_DATASETS}",
    )


@pytest.mark.usefixtures("results")
def test_entries_that_were_not_chosen_are_checked_too(validate, assign, assert_clean_failure):
    assign("datasets.yaml", "garments.classes", "[coat, Coat]")

    assert_clean_failure(
        validate(),
        2,
        f"error: datasets.yaml: garments.classes: classes 0 and 1 have the same name: Coat; {FIX_DATASETS}",
    )


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(("name", "hint"), [("mnits", ": did you mean mnist?"), ("imagenet", "")])
@pytest.mark.fault("an unknown data set, network or optimizer")
@pytest.mark.fault("params.yaml names a data set that is not there")
def test_an_unknown_data_set_has_the_choices_listed(validate, assign, assert_clean_failure, name, hint):
    assign("params.yaml", "dataset.name", name)

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: dataset.name: no such data set{hint} (expected fashion_mnist, mnist or garments, "
        f"got {name}); fix: choose one of datasets.yaml in params.yaml, then dvc repro",
    )


@pytest.mark.usefixtures("results")
def test_an_unknown_data_set_is_told_of_beside_what_else_is_wrong(validate, assign, assert_clean_failure):
    assign("params.yaml", "dataset.name", "imagenet")
    assign("params.yaml", "train.epochs", "0")

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: train.epochs: out of range (expected an integer 1 <= x <= 10000, got 0); {FIX}",
        "error: params.yaml: dataset.name: no such data set (expected fashion_mnist, mnist or garments, "
        "got imagenet); fix: choose one of datasets.yaml in params.yaml, then dvc repro",
    )


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("name", ["params.yaml", "datasets.yaml"])
@pytest.mark.fault("a stage fails that was run by its command line: nothing else changes")
@pytest.mark.fault("the file or a key is missing")
def test_a_missing_file_says_where_to_look(project, validate, assert_clean_failure, name):
    (project / name).unlink()

    assert_clean_failure(
        validate(),
        2,
        f"error: {name}: no such file; fix: git checkout -- {name}, or run from the folder that holds it",
    )


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            b"dataset: {name: mnist}\ntrain: {epochs: 1, epochs: 2}\n",
            "line 2: key 'epochs' stands twice, also on line 2",
        ),
        (b"dataset:\n\tname: mnist\n", "line 2: found character '\\t' that cannot start any token"),
        (b"dataset: {name: B\xfccher}\n", "not UTF-8 on line 1"),
        (b"dataset: {name: mnist}\0\n", "line 1: not used here: \\x00"),
        (b"", "not a mapping of keys to values (expected a mapping, got nothing)"),
        (b"a: " + b"[" * 3000, "line 1: nested more than 20 levels deep"),
        (b"#" * 65537, "too large (expected at most 65536 bytes, got more)"),
    ],
    ids=["twice", "tab", "Latin-1", "NUL", "empty", "deep", "large"],
)
@pytest.mark.fault("bad syntax, a tab, Latin-1, NUL")
def test_a_file_that_is_no_yaml_gives_one_line(project, validate, assert_clean_failure, data, line):
    (project / "params.yaml").write_bytes(data)

    assert_clean_failure(validate(), 2, f"error: params.yaml: {line}; {FIX}")


@pytest.mark.usefixtures("results")
@pytest.mark.fault("tags that would run code")
def test_tags_run_no_code(project, validate, assert_clean_failure):
    (project / "params.yaml").write_text(
        "dataset: !!python/object/apply:os.system ['touch canary']\n", encoding="utf-8"
    )

    assert_clean_failure(
        validate(),
        2,
        f"error: params.yaml: line 1: tags are not used here; {FIX}",
    )


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["data/validated", "data/more"], "unrecognized arguments: data/more"),
        (["data/validated", "--quiet"], "unrecognized arguments: --quiet"),
        ([], "the following arguments are required: validated"),
    ],
)
def test_bad_arguments_give_the_usage(validate, assert_clean_failure, arguments, what):
    assert_clean_failure(
        validate(arguments),
        2,
        f"error: python -m stages.validate: {what}; fix: python -m stages.validate [-h] [--debug] validated",
    )


def test_a_file_in_place_of_the_folder_is_named(project, validate, assert_clean_failure):
    """Stands for every place that can't be written to; the super-user may write to a folder without that right."""
    (project / "data").write_bytes(b"")

    assert_clean_failure(validate(), 1, "error: data: File exists; fix: mend that, then dvc repro")


def test_the_locale_is_of_no_influence(project, validate, assign):
    assign("datasets.yaml", "mnist.title", "Ziffern für Übung")

    assert validate(PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C").code == 0
