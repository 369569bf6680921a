"""From probabilities to scores, verdicts and images, worked by hand; and each format, read back."""

import json
import re
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest
from markdown_it import MarkdownIt
from scipy import stats

from core.cli.errors import InputError
from core.scores import ensemble, scores
from core.scores.metrics import HeldOutScores as Scores
from tests.tools.compare import conftest
from tools import blocks
from tools.compare import comparison, differences, formats, statistics
from tools.compare.comparison import Comparison, Plan, Score
from tools.compare.differences import Pair
from tools.compare.statistics import Change

CLASSES = ["Shirt", "Coat"]
LABELS = np.array([0, 0, 1, 1, 0, 1] * 20, np.uint8)
DIFFERENCES = conftest.DIFFERENCES._replace(
    params={"train.epochs": Pair(10, 5), "train.hidden_units": Pair([128], None)}
)


def compare(right_base, right_new, labels, classes=CLASSES, **given):
    """Compare networks of two classes that give 0.75 to the label if `right` (replicates, n) says so, else 0.25."""
    sides = []
    for right in (right_base, right_new):
        chance = np.where(np.array(right, bool), 0.75, 0.25)
        sides.append(np.stack([np.where(labels == label, chance, 1 - chance) for label in (0, 1)], 2, dtype=np.float32))
    return comparison.of_predictions(*sides, labels, classes, **given)


def made(classes=CLASSES, *, replicates=(3, 3), gain=0.3, **given):
    generator = np.random.default_rng(0)
    base, new = (
        generator.random((number, len(LABELS))) < share
        for number, share in zip(replicates, (0.6, 0.6 + gain), strict=True)
    )
    return compare(base, new, LABELS, classes, **given)


def test_the_scores_are_those_of_metrics_json():
    """Compared with the functions of evaluate, which have tests of their own."""
    generator = np.random.default_rng(0)
    base, new = (generator.dirichlet(np.ones(2), (number, 120)).astype(np.float32) for number in (3, 4))

    found = comparison.of_predictions(base, new, LABELS, CLASSES)

    assert (found.replicates, found.images) == ((3, 4), 120)
    for side, array in (("base", base), ("new", new)):
        accuracies = [scores.right(each, LABELS).mean() for each in array]
        losses = [scores.losses(each, LABELS).mean() for each in array]
        recall = (array.argmax(2)[:, LABELS == 1] == 1).mean()
        assert getattr(found.accuracy.change, side) == pytest.approx(np.mean(accuracies))
        assert getattr(found.loss.change, side) == pytest.approx(np.mean(losses))
        assert getattr(found.recalls["Coat"].change, side) == pytest.approx(recall)


@pytest.mark.parametrize(("gain", "verdict"), [(0.3, "better"), (-0.3, "worse"), (0.0, "no evidence")])
def test_a_lower_loss_is_better_and_a_higher_accuracy_is(gain, verdict):
    found = made(gain=gain)

    assert found.accuracy.verdict == found.loss.verdict == verdict
    assert found.covers == "recipes"
    assert np.sign(found.accuracy.change.difference) == -np.sign(found.loss.change.difference)


def test_classes_without_test_images_are_left_out_and_p_values_adjusted_for_the_other_classes():
    found = made(["Shirt", "Coat", "none"], gain=0.05)

    changes = [score.change for score in found.recalls.values()]
    smallest = min(2 * stats.t.sf(abs(each.difference) / each.error, each.degrees_of_freedom) for each in changes)
    assert list(found.recalls) == ["Shirt", "Coat"]
    assert min(each.p_value for each in changes) == pytest.approx(2 * smallest)


def test_images_are_fixed_or_broken_by_the_ensemble_and_the_largest_change_comes_first():
    """Of three networks, images 0 to 3 have 1, 1, 3 and 1 right ones, then 2, 2, 0 and 3."""
    base = [[1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0]]
    new = [[1, 1, 0, 1, 1, 0], [1, 1, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]]

    found = compare(base, new, LABELS[:6])

    assert list(found.changed.items()) == [(2, "broken"), (3, "fixed"), (0, "fixed"), (1, "fixed")]
    assert (found.of_kind("fixed"), found.of_kind("broken")) == ([3, 0, 1], [2])


@pytest.mark.fault("images that are fixed or broken, but not by the ensemble whose accuracy changed")
@pytest.mark.parametrize("replicates", [(3, 4), (1, 1), (2, 1)])
def test_fixed_less_broken_images_are_the_change_of_the_accuracy(replicates):
    """Of the ensemble; of two networks, of network 0."""
    base, new = (np.random.default_rng(n).dirichlet((3, 2), (n, 120)).astype(np.float32) for n in replicates)
    if replicates == (1, 1):
        new = new[:, ::-1]

    found = comparison.of_predictions(base, new, LABELS, CLASSES)

    change = (found.ensemble or {"accuracy": found.accuracy})["accuracy"].change
    fixed, broken = found.of_kind("fixed"), found.of_kind("broken")
    assert fixed and broken and len(fixed) - len(broken) == round(120 * change.difference)
    if found.covers == "networks":
        base, new = base[:1], new[:1]
    before, after = (side.mean(axis=0)[np.arange(120), LABELS] for side in (base, new))
    assert sorted(found.changed, key=lambda index: (-abs(after[index] - before[index]), index)) == list(found.changed)


@pytest.mark.parametrize("replicates", [(2, 1), (1, 1)])
def test_of_one_replicate_against_one_or_two_network_0_of_each_side_is_compared(replicates):
    right = np.array([[0, 1, 1], [1, 1, 0]], bool)
    found = compare(right[: replicates[0]], [[1, 0, 1]], LABELS[:3])

    assert (found.covers, found.replicates, found.plan) == ("networks", replicates, None)
    assert (found.changed, found.accuracy.change.base) == ({0: "fixed", 1: "broken"}, pytest.approx(2 / 3))
    text = blocks.text(formats.report(found, DIFFERENCES))
    counts = "Network 0 of 2 and 1 networks" if replicates == (2, 1) else "1 network each"
    assert f"workspace {counts} (train.replicates), scored on the same 3 test images" in " ".join(text.split())
    assert "ensemble of" not in text and found.ensemble == {}
    assert "Run both sides with train.replicates of 3 or more, better 5." in " ".join(text.split())
    with pytest.raises(InputError, match="no verdict on the recipes"):
        comparison.shown_worse(found, 0)
    with pytest.raises(InputError, match=r"--tolerance: no verdict on the recipes .* leave out --tolerance"):
        compare(right[: replicates[0]], [[1, 0, 1]], LABELS[:3], tolerance=0.5)
    with pytest.raises(InputError, match="no spread to plan from"):
        compare(right[: replicates[0]], [[1, 0, 1]], LABELS[:3], plan=0.01)


def test_one_replicate_against_three_or_more_is_a_new_draw_without_verdicts_on_classes():
    found = made(replicates=(1, 4), gain=0.35)

    assert (found.covers, found.accuracy.verdict, found.plan) == ("draw", "better", None)
    assert found.accuracy.change.degrees_of_freedom >= 3
    assert {score.verdict for score in found.recalls.values()} == {"unknown"}
    assert (found.ensemble, found.notes) == ({}, [])
    assert "varies as much as the other side. They" in " ".join(blocks.text(formats.report(found, DIFFERENCES)).split())
    with pytest.raises(InputError, match="no verdict on the recipes"):
        comparison.shown_worse(found, 0)
    with pytest.raises(InputError, match="--tolerance: no verdict on the recipes"):
        made(replicates=(1, 4), tolerance=0.5)


def test_the_same_networks_are_identical_and_a_plan_is_made_from_their_spread():
    right = np.random.default_rng(0).random((3, len(LABELS))) < 0.6

    found = compare(right, right, LABELS, plan=0.05)

    every = [found.accuracy, found.loss, *found.recalls.values(), *found.ensemble.values()]
    assert found.identical and {score.verdict for score in every} == {"identical"}
    assert {score.change.interval for score in every} == {(0, 0)}
    assert found.plan.change == 0.05 and found.plan.replicates == statistics.spread(right).replicates(0.05)
    lines = blocks.text(formats.report(found, DIFFERENCES)).splitlines()
    assert lines[0] == "identical: the same networks"
    assert (
        lines[2]
        == f"To detect 5.00 points, train {found.plan.replicates} networks a side (the time is not known here)."
    )
    assert "no evidence" not in "\n".join(lines).lower() and found.notes == [comparison.ALIKE]
    assert not comparison.shown_worse(found, 0) and compare(right[:1], right[:1], LABELS, tolerance=0.0).identical
    assert not comparison.shown_worse(compare(right[:1], right[:1], LABELS), 0)


def test_the_ensembles_are_compared_and_their_values_are_their_own():
    base, new = (np.random.default_rng(seed).dirichlet((2, 1), (4, 120)).astype(np.float32) for seed in (0, 1))
    labels = np.zeros(120, np.uint8)

    found = comparison.of_predictions(base, new, labels, CLASSES).ensemble

    for side, array in (("base", base), ("new", new)):
        together = ensemble.average(array)
        assert getattr(found["accuracy"].change, side) == pytest.approx((together[:, 0] > 0.5).mean())
        assert getattr(found["loss"].change, side) == pytest.approx(-np.log(together[:, 0]).mean())
        assert getattr(found["brier"].change, side) == pytest.approx(2 * np.square(together[:, 1]).mean())
        confidence, right = together.max(axis=1), together[:, 0] >= 0.5
        bins = [np.ceil(confidence * 15) == number for number in range(1, 16)]
        error = sum(abs((right * 1.0 - confidence)[inside].sum()) for inside in bins) / 120
        assert getattr(found["expected_calibration_error"].change, side) == pytest.approx(error)
    verdicts = {"accuracy": "no evidence", "loss": "no evidence", "brier": "no evidence"}
    assert {name: each.verdict for name, each in found.items()} == verdicts | {"expected_calibration_error": "unknown"}


@pytest.mark.parametrize(
    ("gain", "tolerance", "verdict"), [(0.3, 0.6, "equivalent"), (0.3, 0.31, "better"), (0.0, 0.01, "no evidence")]
)
def test_within_the_tolerance_accuracies_are_equivalent_even_if_a_change_is_certain(gain, tolerance, verdict):
    found = made(gain=gain, tolerance=tolerance)

    assert (found.accuracy.verdict, found.tolerance) == (verdict, tolerance)
    assert "equivalent" not in {score.verdict for score in (found.loss, *found.recalls.values())}
    line = f"Equivalent within ±{100 * tolerance:g} points: accuracy of one network, "
    assert (line in blocks.text(formats.report(found, DIFFERENCES))) == (verdict == "equivalent")


def test_without_evidence_a_plan_finds_half_of_the_smallest_change():
    found, certain = made(gain=0.0), made(gain=0.3)

    assert certain.plan is None and certain.accuracy.change.smallest < 1
    assert found.plan.change == found.accuracy.change.smallest / 2
    assert made(gain=0.0, plan=found.plan.change).plan == found.plan
    assert found.plan.replicates is None or found.plan.replicates > 3


def test_shown_worse_means_that_even_the_upper_end_of_the_interval_is_below_the_tolerance():
    found = made(gain=-0.3)
    high = found.accuracy.change.interval[1]

    assert high < 0 and comparison.shown_worse(found, 0) and comparison.shown_worse(found, -high - 1e-9)
    assert not comparison.shown_worse(found, -high + 1e-9)
    assert not comparison.shown_worse(made(gain=0.0), 0)


@pytest.mark.parametrize(("replicates", "few"), [((2, 5), True), ((3, 5), False), ((1, 2), False)])
def test_a_note_says_that_two_replicates_are_few(replicates, few):
    assert (comparison.FEW in made(replicates=replicates).notes) == few
    assert (comparison.SIZES in made(replicates=replicates).notes) == (replicates != (1, 2))
    assert made().notes == []


@pytest.mark.parametrize(("kept", "shared"), [(slice(1), True), (slice(3), True), (slice(5), False)])
def test_a_note_says_that_a_side_has_networks_of_the_other(kept, shared):
    """As after a change of train.replicates alone; five of five are identical sides."""
    probabilities = np.random.default_rng(0).dirichlet([1, 1], (5, 40)).astype(np.float32)
    labels = np.arange(40) % 2

    found = comparison.of_predictions(probabilities, probabilities[kept], labels, ["a", "b"])

    assert (comparison.SHARED in found.notes) == shared


def test_for_two_networks_the_exact_test_decides_also_if_the_interval_excludes_0():
    """Six images fixed and none broken are not enough for McNemar's test, once adjusted for two classes."""
    base, new = np.ones((2, 1, 120), bool)
    base[0, :6] = False

    found = compare(base, new, np.repeat([0, 1], 60).astype(np.uint8))

    assert found.recalls["Shirt"].verdict == "no evidence" and found.recalls["Shirt"].change.interval[0] > 0
    # Nothing differs in the other class, which does not make it certain.
    assert json.loads(blocks.as_json(formats.report(found, DIFFERENCES)))["recalls"]["Coat"]["low"] is None
    assert "+0.00 to +0.00" not in blocks.text(formats.report(found, DIFFERENCES))


# What else differs


def side(params, sources, versions):
    record = SimpleNamespace(params=lambda: params, sources=lambda: sources, output=lambda path: f"md5 of {path}")
    return SimpleNamespace(
        title="", path=lambda name: f"data/{name}", record=record, versions=lambda: versions, name="x"
    )


def test_params_code_and_packages_that_differ_are_found():
    """One and true are different params, though equal in Python."""
    base = side({"epochs": 1, "flip": 1, "seed": 0}, {"stages": "a"}, {"keras": "3.15", "numpy": "2.4"})
    new = side({"epochs": 1, "flip": True, "shift": 2, "seed": 0}, {"stages": "b"}, {"numpy": "2.4"})

    found = differences.between(base, new)

    assert found.params == {"flip": (1, True), "shift": (None, 2)}
    assert found.files == {"stages": ("a", "b")}
    assert found.packages == {"keras": ("3.15", None)}
    assert differences.between(base, side({}, {}, None)).packages is None
    assert differences.between(base, base)[1:] == ({}, {}, {})


@pytest.mark.parametrize(
    ("packages", "title"),
    [
        ({}, "params, code, data and packages that differ: none"),
        (None, "params, code and data that differ: none"),
    ],
)
def test_if_nothing_differs_both_formats_say_so_and_markdown_has_no_table_of_it(packages, title):
    nothing = DIFFERENCES._replace(params={}, files={}, packages=packages)

    markdown = blocks.markdown(formats.report(made(), nothing))

    assert blocks.text(formats.report(made(), nothing)).endswith(f"\n\n{title}\n")
    assert markdown.endswith(f"\n\n{title}\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert sum(token.type == "table_open" for token in tokens) == 2


# From the reports alone


def test_each_reported_score_is_that_of_its_side_and_class():
    base = Scores(accuracy=0.81, loss=0.5, accuracy_std=0.004, ece=0.1, ensemble_accuracy=0.82, ensemble_loss=0.48)
    new = Scores(accuracy=0.92, loss=0.4, accuracy_std=0.002, ece=0.1, ensemble_accuracy=0.93, ensemble_loss=0.38)
    recalls = [{"Shirt": 0.62, "Coat": 0.73}, {"Coat": 0.95, "Shirt": 0.65}]

    found = comparison.of_reports([base, new], recalls, (3, 5))

    assert (found.accuracy.change[:2], found.loss.change[:2]) == ((0.81, 0.92), (0.5, 0.4))
    assert {name: score.change[:2] for name, score in found.ensemble.items()} == {
        "accuracy": (0.82, 0.93),
        "loss": (0.48, 0.38),
    }
    assert comparison.of_reports([base, new], recalls, (1, 5)).ensemble == {}
    old = base.model_copy(update={"ensemble_loss": None})
    assert list(comparison.of_reports([old, new], recalls, (3, 5)).ensemble) == ["accuracy"]
    assert formats.verdicts(found) == [
        "Unknown whether chance: accuracy of one network, +11.00 points; accuracy of the ensemble, +11.00 points; "
        "loss of one network, -0.1000 nats; loss of the ensemble, -0.1000 nats; recall of any class."
    ]
    changes = {name: (score.change[:2], score.verdict) for name, score in found.recalls.items()}
    assert changes == {"Shirt": ((0.62, 0.65), "unknown"), "Coat": ((0.73, 0.95), "unknown")}
    value = json.loads(blocks.as_json(formats.report(found, DIFFERENCES)))["accuracy"]
    assert value == {"base": 0.81, "new": 0.92, "difference": 0.11, "verdict": "unknown"} | dict.fromkeys(
        ("low", "high", "p_value", "smallest")
    )


# Formats


def spelt_out():
    """A comparison in which no two numbers are equal: 4 degrees of freedom for the accuracy, 8 for the loss."""
    accuracy = Change(0.8, 0.91, 0.02, 4, 0.0052)
    return Comparison(
        covers="recipes",
        replicates=(3, 5),
        images=1234,
        accuracy=Score(accuracy, "better"),
        loss=Score(Change(0.5, 0.75, 0.05, 8, 0.0011), "worse"),
        recalls={
            "Shirt": Score(Change(0.62, 0.52, 0.01, 2, 0.0196), "worse"),
            "Coat": Score(Change(0.71, 0.95, 0.05, 10, 0.0021), "better"),
        },
        changed={7: "broken", **dict.fromkeys(range(100, 112), "fixed"), 3: "broken"},
        notes=["Mind this."],
        ensemble={
            "accuracy": Score(Change(0.84, 0.83, 0.005, 12, 0.4), "equivalent"),
            "loss": Score(Change(0.45, 0.43, 0.03, 6, 0.5), "no evidence"),
            "brier": Score(Change(0.18, 0.15, 0.006, 5, 0.02), "better"),
            "expected_calibration_error": Score(Change(0.012, 0.035, inf, 1, 1), "unknown"),
        },
        identical=False,
        tolerance=0.025,
        plan=Plan(accuracy.smallest / 2, 23, 0.0012, 456.7),
    )


@pytest.mark.fault("a number of a comparison that is that of the other side, score or class")
def test_each_number_of_the_text_is_in_its_place():
    text = blocks.text(formats.report(spelt_out(), DIFFERENCES))
    assert "\nscore                 verdict       change  " in text
    assert "\nloss                  worse        +0.2500  " in text
    assert max(map(len, text.splitlines())) <= 80
    parts = re.sub(" +", " ", text).split("\n\n")

    assert parts[:5] == [
        "Worse: loss of one network, +0.2500 nats; recall of Shirt, -10.00 points.\n"
        "Better: accuracy of one network, +11.00 points; Brier score of the ensemble,\n"
        "-0.0300; recall of Coat, +24.00 points.\n"
        "Equivalent within ±2.5 points: accuracy of the ensemble, -1.00 points.\n"
        "No evidence of a change: loss of the ensemble, -0.0200 nats.\n"
        "Judge tools.predict by the ensemble, and the recipe by one network.",
        "With 3 and 5 networks, 4 of 5 comparisons detect a true change of 9.34 points in\n"
        "the accuracy of one network.\n"
        "To detect half of that, train 23 networks a side: about 8 minutes of training\nhere.\nMind this.",
        "base: revision HEAD (1234567)\nnew: workspace\n"
        "3 and 5 networks (train.replicates), scored on the same 1,234 test images",
        "score verdict change 95 % interval base new\n"
        "accuracy better +11.00 +5.45 to +16.55 80.00 91.00\n"
        "ensemble accuracy equivalent -1.00 -2.09 to +0.09 84.00 83.00\n"
        "loss worse +0.2500 +0.1347 to +0.3653 0.5000 0.7500\n"
        "ensemble loss no evidence -0.0200 -0.0934 to +0.0534 0.4500 0.4300\n"
        "ensemble Brier score better -0.0300 -0.0454 to -0.0146 0.1800 0.1500\n"
        "ensemble ECE unknown +0.0230 unknown 0.0120 0.0350",
        "recall verdict change 95 % interval base new\n"
        "Shirt worse -10.00 -14.30 to -5.70 62.00 52.00\n"
        "Coat better +24.00 +12.86 to +35.14 71.00 95.00",
    ]
    assert parts[5].replace("\n", " ").endswith("decide by cost or simplicity, or train more networks.")
    assert parts[6].splitlines()[-2:] == [
        "fixed 12: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, ...",
        "broken 2: 7, 3",
    ]
    assert parts[7:] == [
        "params that differ\n train.epochs: 10 -> 5\n train.hidden_units: [128] -> none",
        "code and data that differ, by MD5\n stages/train: 01234567 -> fedcba98",
        "packages that differ\n keras: 3.15.1 -> 3.16.0\n",
    ]


@pytest.mark.fault("a number of a comparison that is that of the other side, score or class")
def test_each_number_of_the_json_has_its_name():
    found = spelt_out()
    value = json.loads(blocks.as_json(formats.report(found, DIFFERENCES)))

    of_scores = {
        "accuracy": (found.accuracy, value["accuracy"]),
        "loss": (found.loss, value["loss"]),
        "Shirt": (found.recalls["Shirt"], value["recalls"]["Shirt"]),
        "ensemble accuracy": (found.ensemble["accuracy"], value["ensemble"]["accuracy"]),
        "ensemble loss": (found.ensemble["loss"], value["ensemble"]["loss"]),
        "ensemble Brier score": (found.ensemble["brier"], value["ensemble"]["brier"]),
    }
    for name, ((change, verdict), part) in of_scores.items():
        half = stats.t.ppf(0.975, change.degrees_of_freedom) * change.error
        difference = change.new - change.base
        numbers = {"base": change.base, "new": change.new, "difference": difference, "p_value": change.p_value}
        numbers |= {"low": difference - half, "high": difference + half}
        numbers |= {"smallest": 0.093441} if name == "accuracy" else {}
        assert part.pop("verdict") == verdict, name
        assert part == pytest.approx(numbers, abs=1e-6), name
    assert (value["replicates"], value["images"]) == ({"base": 3, "new": 5}, 1234)
    error = {"base": 0.012, "new": 0.035, "difference": 0.023, "low": None, "high": None, "p_value": None}
    assert value["ensemble"]["expected_calibration_error"] == error | {"verdict": "unknown"}
    assert (value["identical"], value["tolerance"]) == (False, 0.025)
    assert value["plan"] == {
        "change": found.accuracy.change.smallest / 2,
        "replicates": 23,
        "limit": 0.0012,
        "seconds": 456.7,
    }
    assert (value["fixed"], value["broken"]) == (list(range(100, 112)), [7, 3])
    assert value["sides"] == {"base": "HEAD (1234567)", "new": "workspace"}
    assert value["packages"] == {"keras": {"base": "3.15.1", "new": "3.16.0"}}


def test_many_classes_with_a_verdict_are_counted_and_the_largest_changes_named():
    worse = {f"c{n}": Score(Change(0.9, 0.9 - n / 100, 0.001, 9, 0), "worse") for n in range(1, 8)}
    other = {"other": Score(Change(0.9, 0.9, 0.001, 9, 1), "no evidence")}

    lines = formats.verdicts(spelt_out()._replace(recalls=worse | other))

    named = "".join(f"; recall of c{n}, -{n}.00 points" for n in range(7, 2, -1))
    assert lines[0] == f"Worse: loss of one network, +0.2500 nats{named}; recall of 2 more of the classes."
    assert lines[3].endswith("-0.0200 nats; recall of any other class.")


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan(0.004, 9, 0.001), "To detect 0.40 points, train 9 networks a side (the time is not known here)."),
        (
            Plan(0.004, None, 0.0052),
            "Not even 1,000 networks a side detect 0.40 points: these test images limit it to 0.52 points.",
        ),
    ],
)
def test_a_plan_says_what_it_does_not_know_and_what_no_number_finds(plan, line):
    printed = blocks.text(formats.report(spelt_out()._replace(plan=plan), DIFFERENCES))

    assert line in " ".join(printed.split())


@pytest.mark.parametrize(("counts", "text"), [((5, 5), "With 5 networks each, "), ((1, 3), "With 1 and 3 networks, ")])
def test_the_power_is_that_of_these_numbers_of_networks(counts, text):
    assert formats.advice(spelt_out()._replace(replicates=counts))[0].startswith(text)


def test_text_keeps_to_80_columns_and_shows_whole_names_and_no_control_characters():
    names = [f"A class with a name longer than the column, {end}" for end in ("red", "blue")]
    sides = DIFFERENCES._replace(sides=Pair("\x1b[31mred", "a\x07b"))

    printed = blocks.text(formats.report(made(names), sides))

    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80 and "\x1b" not in printed and "\x07" not in printed
    assert [line for line in lines if line in names] == names
    assert re.match(r" {8,}(better|no evidence) +\+\d", lines[lines.index(names[1]) + 1])


HOSTILE = ["<img src=x onerror=alert(1)>", "a | b [c](javascript:alert(1)) `d`"]


def test_names_stay_text_in_markdown_beside_the_same_numbers():
    sides = Pair("<script>x</script>", "**bold** | [x](https://example.org)")
    differing = DIFFERENCES._replace(sides=sides, params={"x.<b>y</b>": Pair("<i>z</i>", "`w`")})

    html = MarkdownIt("commonmark").enable("table").render(blocks.markdown(formats.report(made(HOSTILE), differing)))

    assert not re.search("<(?!/?(?:p|strong|table|thead|tbody|tr|th|td|code)[ >])", html)
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall("<td>(.*?)</td>", html)]
    assert len(cells) == 8 * 6 + 3 * 3
    assert " ".join(cells[:6]) in re.sub(" +", " ", blocks.text(formats.report(made(HOSTILE), differing)))
    assert cells[36] == "&lt;img src=x onerror=alert(1)&gt;"
