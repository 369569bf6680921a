"""The audit of small pictures, from files to the CSV file."""

import csv
import sys

import numpy as np
import pytest

from core.cli.errors import DataError, InputError
from core.config import params
from tests.tools.audit.conftest import COPIED, SWAPPED
from tools.audit import __main__ as audit
from tools.audit import cross_validation, reading

ROOT_PARAMS = params.load().train


def rows(run):
    return list(csv.DictReader(run.after["build/audit/own.csv"].decode().splitlines()))


@pytest.mark.slow
def test_swapped_labels_come_first_by_their_files_and_nothing_but_the_results_is_written(audited):
    run = audited("own")
    labels = [row for row in rows(run) if row["finding"] == "label"]
    copies = [row for row in rows(run) if row["finding"] == "near-duplicate"]

    assert (run.code, run.stderr) == (0, "")
    assert {row["image"] for row in labels[:3]} == SWAPPED.keys()
    names = ("first", "second", "<third>")
    assert {row["image"]: row["suggested"] for row in labels[:3]} == {file: names[n] for file, n in SWAPPED.items()}
    assert [float(row["score"]) for row in labels] == sorted(float(row["score"]) for row in labels)
    assert {row["image"]: row["twin"] for row in copies} == COPIED
    assert run.after.keys() - run.before.keys() == {"build/audit/own.csv", "build/audit/own.html"}
    assert f"Labels proposed for a check: {len(labels)} of 90," in run.stdout and "train/first/07.png" in run.stdout
    assert audited("own").after == run.after  # the same bytes


@pytest.mark.slow
@pytest.mark.fault("names of files and classes that a terminal or a spreadsheet would obey")
def test_validation_images_are_audited_and_names_do_nothing_in_a_spreadsheet(audited, project):
    folder = project / "sources/own"
    (folder / "val/first").mkdir(parents=True)
    (folder / "train/second/11.png").rename(folder / "val/first/=\x1b[31m.png")
    for name in ("second", "<third>"):
        (folder / f"val/{name}").mkdir()
        (folder / f"test/{name}/01.png").rename(folder / f"val/{name}/01.png")

    run = audited("own")

    [row] = [row for row in rows(run) if "31m" in row["image"]]
    assert (row["finding"], row["label"], row["suggested"]) == ("label", "first", "<third>")
    assert row["image"].endswith("[31m.png") and "\x1b" not in run.after["build/audit/own.csv"].decode() + run.stdout
    assert "% (validation)" in run.stdout


@pytest.mark.usefixtures("project")
@pytest.mark.fault("a package of an extra that is not installed")
def test_without_cleanlab_a_line_says_what_to_install(run_here, monkeypatch, assert_clean_failure):
    monkeypatch.setitem(sys.modules, "cleanlab", None)

    run = run_here(audit.main, "garments", declare=audit.declare)

    line = "error: cleanlab: not installed, and the audit needs it (the extra audit); fix: make setup, or "
    assert_clean_failure(run, 2, line + 'python -m pip install "cleanlab>=2.7"')


@pytest.mark.usefixtures("project")
def test_an_unknown_data_set_is_refused(run_here):
    run = run_here(audit.main, "garment", declare=audit.declare)

    assert run.code == 2 and "no such data set: did you mean garments?" in run.stderr


def test_each_class_is_spread_evenly_over_the_folds_of_equal_size():
    labels = np.repeat([0, 1, 2], [50, 7, 2])

    folds = cross_validation.folds(labels, ["a", "b", "c"], seed=3)

    assert np.ptp(np.bincount(folds, minlength=5)) <= 1
    for label in range(3):
        assert np.ptp(np.bincount(folds[labels == label], minlength=5)) <= 1
    assert (cross_validation.folds(labels, ["a", "b", "c"], seed=4) != folds).any()


@pytest.mark.fault("too few images to audit")
def test_a_class_with_one_image_and_fewer_images_than_folds_are_refused():
    with pytest.raises(DataError, match=r"images of the class b \(expected at least 2, got 1\); fix: add images"):
        cross_validation.folds(np.array([0, 1, 0]), ["a", "b"], seed=0)
    with pytest.raises(DataError, match=r"too few training images \(expected at least 5, got 4\); fix: add images"):
        cross_validation.folds(np.array([0, 1, 0, 1]), ["a", "b"], seed=0)


def test_small_data_sets_have_more_epochs_of_smaller_batches():
    small, large = (cross_validation.settings_for(images, ROOT_PARAMS) for images in (160, 60_000))

    assert (small.batch_size, small.epochs) == (20, 63)  # 63 epochs of 8 batches: 504 steps
    assert (large.batch_size, large.epochs) == (ROOT_PARAMS.batch_size, ROOT_PARAMS.epochs)


def test_a_recipe_changes_training_but_not_the_mirroring():
    settings = reading.with_recipe(ROOT_PARAMS, "quick")

    assert (settings.network, settings.optimizer) == ("cnn_small", "muon")
    assert settings.augmentation_flip == ROOT_PARAMS.augmentation_flip
    with pytest.raises(InputError, match="did you mean quick"):
        reading.with_recipe(ROOT_PARAMS, "quik")
