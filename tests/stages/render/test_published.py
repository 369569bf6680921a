from pathlib import Path

import pytest

from core.config import params
from stages.render import published

PARAMS = params.load(Path(__file__).parents[3] / "params.yaml")
COMMITTED = {"dataset.name": PARAMS.dataset.name} | {f"train.{name}": value for name, value in PARAMS.train}


def test_the_committed_params_are_recipe_r1_whatever_the_seeds():
    """A new param of training has to be added to the recipes, or no run would be one of them any more."""
    assert published.run_of(COMMITTED).recipe == "R1"
    assert published.run_of(COMMITTED | {"train.seed": 7, "train.replicates": 1}).accuracy == 0.8848


def test_the_five_epochs_of_r4_are_the_other_published_run():
    settings = COMMITTED | {"train.output": "softmax", "train.epochs": 5}

    assert published.run_of(settings).recipe == "R4"
    assert published.run_of(settings).accuracy == 0.8741


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset.name", "mnist"),
        ("train.epochs", 11),
        ("train.hidden_units", [128, 128]),
        ("train.dropout", 0.2),
        ("train.augmentation_flip", True),
    ],
)
def test_one_other_setting_is_another_recipe(name, value):
    assert published.run_of(COMMITTED | {name: value}) is None
