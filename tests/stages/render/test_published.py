import pytest

from core.config import params
from stages.render import published
from tests.conftest import ROOT

PARAMS = params.load(ROOT / "params.yaml")
TRAIN = {f"train.{name}": value for name, value in PARAMS.train}
VIEWS = {"evaluate.mirrored": PARAMS.evaluate.mirrored, "evaluate.shift": PARAMS.evaluate.shift}
COMMITTED = {"dataset.name": PARAMS.dataset.name, **TRAIN, **VIEWS}


def test_the_committed_params_are_recipe_r1_with_any_seeds():
    """A new param of training or prediction must be added to the recipes: otherwise no run has a published result."""
    assert published.run_of(COMMITTED).recipe == "R1"
    assert published.run_of(COMMITTED | {"train.seed": 7, "train.replicates": 1}).accuracy == 0.8848


@pytest.mark.parametrize(
    ("name", "value"),
    [("dataset.name", "mnist"), ("train.dropout", 0.2), ("evaluate.mirrored", True), ("evaluate.shift", 1)],
)
def test_one_other_setting_is_another_recipe(name, value):
    assert published.run_of(COMMITTED | {name: value}) is None
