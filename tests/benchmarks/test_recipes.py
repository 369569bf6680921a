"""Recipes are measured once, in steps; earlier results stay; and the figure can be read."""

import json
from itertools import combinations

import pytest

from benchmarks import frontier, measure, recipes
from core.cli.errors import InputError, StageError
from stages.render import style
from tools import recipe

RESULTS = json.loads((measure.RESULTS / "recipes.json").read_text(encoding="utf-8"))
KNOWN = recipe.Recipe(what="of the tests", params={"train.epochs": 2})


def test_multiply_adds_are_those_worked_out_by_hand():
    from core.networks.runtime import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same"),  # 3 x 3 x 3 numbers for each of 4 x 4 x 4 outputs
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),  # 3 x 3 for each of 4 x 4 x 4
            keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(5)]),  # 4 for each of 5
        ]
    )

    assert recipes.multiply_adds(model) == 27 * 64 + 9 * 64 + 4 * 5


def test_a_score_stays_under_its_date_and_commit_when_its_recipe_changes_or_is_scored_again():
    new, score = dict(KNOWN), {"accuracy": 0.9, "date": "2026-11-20", "commit": "66a0846"}
    old, same = {"params": {}} | score, new | {"what": "other words", "ratio": 1} | score
    results = {"same": same, "changed": old, "timed": {"params": {}, "ratio": 2}}

    assert recipes.current(results, "same", KNOWN, False) == same | new
    assert [recipes.current(results, name, KNOWN, False) for name in ("changed", "timed", "missing")] == [new] * 3
    assert results.keys() == {"same", "changed", "timed", "changed_2026-11-20_66a0846"}
    assert results["changed_2026-11-20_66a0846"] == old
    assert recipes.current(results, "same", KNOWN, True) == same | new
    assert results["same_2026-11-20_66a0846"] == same


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """The names of the steps that ran, as (name of the recipe, step). No step takes time."""
    ran = []
    known = {"one": KNOWN, "two": recipe.Recipe(what="without data", params={})}
    score = {"accuracy": 0.9, "accuracy_std": 0.01, "date": "2026-11-29", "commit": "1"}
    tried = {"time": {"ratio": 2.0, "ratios": {"a processor": 2.0}}, "score": score}

    def step(name):
        return lambda changes: ran.append(name) or tried[name]

    def require_data(each):
        if not each.params:
            raise InputError

    (tmp_path / "recipes.json").write_text("{}", encoding="utf-8")
    (tmp_path / "epochs.json").write_text('{"points": {}}', encoding="utf-8")
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(recipes, "FIGURE", tmp_path / "figure.png")
    monkeypatch.setattr(recipes, "STEPS", {"time": (step("time"), "ratio"), "score": (step("score"), "accuracy")})
    monkeypatch.setattr(recipes, "_prepare", lambda changes: ran.append("prepare"))
    monkeypatch.setattr(recipe, "load", known.__getitem__)
    monkeypatch.setattr(recipe, "names", lambda: list(known))
    monkeypatch.setattr(recipe, "require_committed", lambda: None)
    monkeypatch.setattr(recipe, "require_data", require_data)
    return ran


def test_what_was_measured_is_not_measured_again_unless_asked(measured, tmp_path, capsys):
    recipes.main([], "time", False)
    recipes.main([], None, False)
    recipes.main([], None, False)
    recipes.main(["one"], "score", True)

    assert measured == ["prepare", "time", "prepare", "score", "prepare", "score"]
    written = json.loads((tmp_path / "recipes.json").read_text(encoding="utf-8"))
    assert written.keys() == {"one", "one_2026-11-29_1"}
    assert {"params": KNOWN.params, "what": KNOWN.what, "ratio": 2.0, "accuracy": 0.9}.items() <= written["one"].items()
    assert "| one | of the tests |  |  |  | 2.00 | 0.9000 ± 0.0100 |" in (tmp_path / "recipes.md").read_text("utf-8")
    assert (tmp_path / "figure.png").exists()
    assert "two is skipped: " in capsys.readouterr().out


def test_each_processor_keeps_its_own_ratio(measured, monkeypatch, tmp_path):
    recipes.main([], None, False)
    there = {"ratio": 3.0, "ratios": {"Other(R) 2.5 GHz": 3.0}}
    monkeypatch.setattr(recipes, "STEPS", recipes.STEPS | {"time": (lambda changes: there, "ratio")})
    recipes.main(["one"], "time", True)

    row = json.loads((tmp_path / "recipes.json").read_text(encoding="utf-8"))["one"]
    assert (row["ratio"], row["ratios"]) == (3.0, {"Other(R) 2.5 GHz": 3.0, "a processor": 2.0})
    head, _, line, *_ = recipes.best({"one": row}).splitlines()
    assert head == "| recipe | what | ratio to plain, Other(R) 2.5 GHz | ratio to plain, a processor | test accuracy |"
    assert line == "| one | of the tests | 3.00 | 2.00 | 0.9000 ± 0.0100 |"


def test_what_was_measured_before_a_failure_is_kept(measured, monkeypatch):
    def fail(changes):
        raise StageError

    steps = recipes.STEPS
    monkeypatch.setattr(recipes, "STEPS", steps | {"score": (fail, "accuracy")})
    with pytest.raises(StageError):
        recipes.main([], None, False)
    monkeypatch.setattr(recipes, "STEPS", steps)
    recipes.main([], None, False)

    assert measured == ["prepare", "time", "prepare", "score"]


@pytest.mark.slow
def test_a_recipe_is_timed_and_scored(tmp_path, monkeypatch):
    """On drawn clothing, and with half a second for the plain script."""
    plain = measure.Process(0.5, 0, 0, [(0.4, "epoch 10"), (0.5, "accuracy 0.8812")])
    monkeypatch.setattr(measure, "plain", lambda: plain)
    monkeypatch.setattr(recipes, "FOLDER", tmp_path / "copy")
    monkeypatch.setattr(recipes, "ALL", {"train.replicates": 2})
    changes = {"dataset.name": "garments", "train.epochs": 1, "train.batch_size": 128}

    recipes._prepare(changes)
    row = recipes._time(changes) | recipes._score(changes)

    assert row["ratio"] == pytest.approx(row["seconds"] / 0.5, rel=0.01) and row["plain_accuracy"] == 0.8812
    assert (row["parameters"], row["multiply_adds"], row["replicates"]) == (101_770, 784 * 128 + 128 * 10, 2)
    assert row["accuracy"] > 0.3 and row["accuracy_std"] > 0 and row["seconds_all"] > 0 and len(row["load"]) == 3
    assert "cores; Python" in row["machine"]
    assert row["ratios"] == {measure.processor(): row["ratio"]}
    assert row["commit"] == row["timed_commit"] != ""


def test_each_row_of_a_recipe_has_its_params():
    """Otherwise it belongs to an earlier recipe: `make recipes` then renames it."""
    assert all(RESULTS[name]["params"] == recipe.load(name).params for name in recipe.names() if name in RESULTS)


def test_the_committed_figure_is_that_of_the_committed_numbers():
    assert recipes.FIGURE.read_bytes() == recipes.figure(RESULTS)


def test_points_are_what_was_timed_and_scored_on_fashion_mnist():
    row = {"params": {}, "ratio": 2, "accuracy": 0.9}
    rows = {
        "cnn": row | {"plain_accuracy": 0.88},
        "cnn_mnist": row | {"params": {"dataset.name": "mnist"}, "plain_accuracy": 0.86},
        "dense": {"params": {}, "accuracy": 0.9},
        "cnn_2026-11-20": row,
    }

    assert frontier.points(rows, {"another library": {"ratio": 3, "accuracy": 0.8}}) == {
        "cnn": (2, 0.9, style.FIRST),
        "cnn_2026-11-20": (2, 0.9, style.GUIDE),
        "plain script": (1, pytest.approx(0.87), style.TOGETHER),
        "another library": (3, 0.8, style.SECOND),
    }


CROWD = {f"a recipe {number}": (0.2 + 0.01 * number, 0.88 + 0.001 * number, style.FIRST) for number in range(4)}
ENDS = {"the slowest of all": (12.9, 0.949, style.FIRST), "the quickest of all": (0.08, 0.86, style.FIRST)}


@pytest.mark.parametrize("shown", [CROWD | ENDS, frontier.points(RESULTS, {})], ids=["crowd", "committed"])
def test_names_overlap_neither_each_other_nor_a_point_nor_the_axes(shown):
    with style.styled():
        figure = frontier.draw(shown)
        (ax,) = figure.axes
        names, dots = [[part.get_window_extent() for part in parts] for parts in (ax.texts, ax.lines)]

    assert len(names) == len(dots) == len(shown) > 0
    assert not any(one.overlaps(other) for one, other in combinations(names, 2))
    assert not any(name.overlaps(dot) for name in names for dot in dots)
    assert all(ax.bbox.count_contains(name.corners()) == 4 for name in names)  # off the numbers of the axes
