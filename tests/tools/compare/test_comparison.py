"""From probabilities to scores, verdicts and images, by hand; and each format, read back."""

import json
import re

import numpy as np
import pytest
from markdown_it import MarkdownIt
from scipy import stats

from core.cli.errors import InputError
from core.scores import scores
from tools.compare import comparison, formats
from tools.compare.comparison import Comparison, Context, Score, Values
from tools.compare.statistics import Change

CLASSES = ["Shirt", "Coat"]
HOSTILE = ["<img src=x onerror=alert(1)>", "a | b [c](javascript:alert(1)) `d`"]
CONTEXT = Context(
    sides=Values("HEAD (1234567)", "workspace"),
    params={"train.epochs": Values(10, 5), "train.hidden_units": Values([128], None)},
    files={"stages/train": Values("0123456789abcdef", "fedcba9876543210")},
    packages={"keras": Values("3.15.1", "3.16.0")},
    notes=[],
)


def probabilities(right, labels):
    """Return probabilities of two classes, 0.75 for the label where `right` (replicates, n) says so, else 0.25."""
    chance = np.where(right, 0.75, 0.25)
    return np.stack([np.where(labels == label, chance, 1 - chance) for label in (0, 1)], axis=2).astype(np.float32)


def compare(right_base, right_new, labels, classes=CLASSES, **context):
    sides = (probabilities(np.array(right, bool), labels) for right in (right_base, right_new))
    return comparison.of_predictions(*sides, labels, classes, CONTEXT._replace(**context))


LABELS = np.array([0, 0, 1, 1, 0, 1] * 20, np.uint8)


def made(classes=CLASSES, *, replicates=(3, 3), gain=0.3, **context):
    generator = np.random.default_rng(0)
    base, new = (
        generator.random((number, len(LABELS))) < share
        for number, share in zip(replicates, (0.6, 0.6 + gain), strict=True)
    )
    return compare(base, new, LABELS, classes, **context)


def test_the_scores_are_those_of_metrics_json():
    """Held against the scores of evaluate, which have tests of their own."""
    generator = np.random.default_rng(0)
    base, new = (generator.dirichlet(np.ones(2), (number, 120)).astype(np.float32) for number in (3, 4))

    found = comparison.of_predictions(base, new, LABELS, CLASSES, CONTEXT)

    assert (found.replicates, found.images) == ((3, 4), 120)
    for side, array in (("base", base), ("new", new)):
        accuracies = [scores.accuracy(each, LABELS) for each in array]
        losses = [scores.cross_entropy(each, LABELS) for each in array]
        recall = (array.argmax(2)[:, LABELS == 1] == 1).mean()
        assert getattr(found.accuracy.change, side) == pytest.approx(np.mean(accuracies))
        assert getattr(found.loss.change, side) == pytest.approx(np.mean(losses))
        assert getattr(found.recalls["Coat"].change, side) == pytest.approx(recall)


@pytest.mark.parametrize(("gain", "verdict"), [(0.3, "better"), (-0.3, "worse"), (0.0, "no evidence")])
def test_a_lower_loss_is_better_as_a_higher_accuracy_is(gain, verdict):
    found = made(gain=gain)

    assert found.accuracy.verdict == found.loss.verdict == verdict
    assert found.covers == "recipes"
    assert np.sign(found.accuracy.change.difference) == -np.sign(found.loss.change.difference)


def test_classes_without_test_images_are_left_out_and_p_values_adjusted_for_the_others():
    found = made(["Shirt", "Coat", "none"], gain=0.05)

    changes = {name: score.change.p_value for name, score in found.recalls.items()}
    assert list(changes) == ["Shirt", "Coat"]
    assert min(score.p_value for score in found.recalls.values()) == pytest.approx(2 * min(changes.values()))


def test_fixed_and_broken_are_by_majority_and_the_largest_change_comes_first():
    """Of three networks a side; half of four is no majority."""
    base = [[0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 1, 0], [0, 1, 1, 0, 1, 0]]
    new = [[1, 1, 0, 1, 0, 1], [1, 1, 0, 1, 0, 0], [0, 1, 0, 1, 1, 0]]
    labels = LABELS[:6]

    found = compare(base, new, labels)
    even = compare(
        [[0, 1, 0], [1, 1, 1], [0, 1, 0], [1, 1, 1]], [[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]], labels[:3]
    )

    assert (found.fixed, found.broken) == ([0, 1], [2, 4])
    assert (even.fixed, even.broken) == ([0], [1])


def test_with_one_replicate_on_a_side_one_network_is_held_against_one():
    found = made(replicates=(3, 1))
    first = made(replicates=(3, 1)).accuracy.change

    assert found.covers == "networks" and found.replicates == (3, 1)
    generator = np.random.default_rng(0)
    assert first.base == (generator.random((3, len(LABELS))) < 0.6)[0].mean()
    right = np.array([[0, 1, 1], [1, 1, 0], [1, 1, 0]])
    of_firsts = compare(right, [[1, 0, 1]], LABELS[:3])
    assert (of_firsts.fixed, of_firsts.broken) == ([0], [1])
    with pytest.raises(InputError, match="no verdict on the recipes"):
        comparison.shown_worse(found, 0)


def test_shown_worse_is_that_even_the_best_end_of_the_interval_is_below_the_tolerance():
    found = made(gain=-0.3)
    high = found.accuracy.change.interval[1]

    assert high < 0 and comparison.shown_worse(found, 0) and comparison.shown_worse(found, -high - 1e-9)
    assert not comparison.shown_worse(found, -high + 1e-9)
    assert not comparison.shown_worse(made(gain=0.0), 0)


def test_params_and_files_are_those_of_dvc_lock_that_differ():
    def record(epochs, digest, **more):
        train = {"deps": [{"path": "data/x", "md5": "1"}, {"path": "stages/train", "md5": digest}]}
        params = {"params.yaml": {"train": {"epochs": epochs, "units": [1], **more}}, "datasets.yaml": {"m": {"n": 1}}}
        return {
            "download": {"outs": [{"path": "data/raw", "md5": "r"}], "deps": []},
            "train": train | {"params": params},
        }

    base, new = record(1, "a"), record(2, "b", shift=True)

    assert comparison.different_params(base, new) == {"train.epochs": (1, 2), "train.shift": (None, True)}
    assert comparison.different_files(base, new) == {"stages/train": ("a", "b")}
    assert comparison.different_params(base, base) == comparison.different_files(new, new) == {}


def test_one_and_true_are_different_params():
    """In Python they are equal."""
    one, true = ({"train": {"params": {"params.yaml": {"x": value}}, "deps": []}} for value in (1, True))

    assert comparison.different_params(one, true) == {"x": (1, True)}


def test_packages_are_compared_where_both_sides_tell_of_theirs():
    versions = {"keras": "3.15.1", "numpy": "2.4.6"}

    assert comparison.different_packages(versions, versions | {"keras": "3.16.0"}) == {"keras": ("3.15.1", "3.16.0")}
    assert comparison.different_packages(versions, {"numpy": "2.4.6"}) == {"keras": ("3.15.1", None)}
    assert comparison.different_packages(versions, versions) == {}
    assert comparison.different_packages(versions, None) is comparison.different_packages(None, None) is None


@pytest.mark.parametrize(
    ("packages", "title"),
    [
        ({}, "params, code, data and packages that differ: none"),
        (None, "params, code and data that differ: none"),
    ],
)
def test_where_nothing_differs_both_formats_say_so_and_markdown_has_no_table_of_it(packages, title):
    found = made(params={}, files={}, packages=packages)

    markdown = formats.markdown(found)

    assert formats.text(found).endswith(f"\n\n{title}\n")
    assert markdown.endswith(f"\n\n{title}\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert sum(token.type == "table_open" for token in tokens) == 2


@pytest.mark.parametrize(
    ("replicates", "spreads"),
    [
        ((1, 5), "by an unknown amount (base) and 0.50 points (new)."),
        ((5, 1), "by 0.50 points (base) and an unknown amount (new)."),
        ((5, 5), "by 0.50 points (base) and 0.50 points (new)."),
    ],
)
def test_of_one_replicate_the_spread_is_unknown(replicates, spreads):
    """In metrics.json it is 0, as there is no null."""
    sides = (
        {"accuracy": 0.5, "loss": 1.0, "accuracy_std": 0.005 * (number > 1), "recalls": {}} for number in replicates
    )

    (note,) = comparison.of_metrics(Values(*sides), Values(*replicates), CONTEXT).context.notes

    assert note == f"Accuracies spread over the replicates {spreads}"


@pytest.mark.parametrize(("replicates", "told"), [((2, 5), True), ((5, 2), True), ((3, 5), False), ((1, 2), False)])
def test_two_replicates_on_a_side_are_told_to_be_few(replicates, told):
    notes = made(replicates=replicates).context.notes

    assert [note.startswith("So few replicates on a side: ") for note in notes] == [True] * told


def test_of_two_networks_the_verdict_is_the_exact_tests_also_where_the_interval_leaves_out_0():
    """Six images fixed and none broken are not enough for McNemar, once adjusted for two classes."""
    labels = np.repeat([0, 1], 60).astype(np.uint8)
    base, new = np.ones((2, 1, 120), bool)
    base[0, :6] = False

    found = compare(base, new, labels)
    of_class = found.recalls["Shirt"]

    assert of_class.verdict == "no evidence" and of_class.change.interval[0] > 0
    assert "An interval without 0 may go with no evidence, as the verdict is the exact" in " ".join(
        formats.text(found).split()
    )
    assert "Test images that one of the two networks alone gets right" in formats.text(found)
    assert "most networks" not in formats.text(found)
    # Of the other class nothing differs, which tells nothing of how certain that is.
    cells = formats.as_json(found)
    assert json.loads(cells)["recalls"]["Coat"]["low"] is None
    assert "+0.00 to +0.00" not in formats.text(found)


def test_a_verdict_without_an_interval_keeps_its_p_value():
    """Of twenty images all were fixed: no variance, but hardly chance."""
    found = compare(np.zeros((1, 20), bool), np.ones((1, 20), bool), LABELS[:20])

    accuracy = json.loads(formats.as_json(found))["accuracy"]

    assert (accuracy["verdict"], accuracy["low"], accuracy["high"]) == ("better", None, None)
    assert accuracy["p_value"] == pytest.approx(2 / 2**20, abs=1e-6)


def test_the_text_has_at_most_80_columns_and_tells_all():
    printed = formats.text(made(["A class with a name that is longer than the column", "Coat"]))

    assert max(map(len, printed.splitlines())) <= 80
    assert re.search(
        r"^accuracy +\d\d\.\d\d +\d\d\.\d\d +\+\d\d\.\d\d +\+\d+\.\d\d to \+\d\d\.\d\d  better$", printed, re.M
    )
    assert printed.startswith("Accuracy is better: +")
    assert "\n  train.epochs: 10 -> 5\n  train.hidden_units: [128] -> none\n" in printed
    assert "\n  stages/train: 01234567 -> fedcba98\n" in printed
    assert "\npackages that differ\n  keras: 3.15.1 -> 3.16.0\n" in printed
    assert re.search(r"^fixed \d\d: (\d+, ){10}\.\.\.$", printed, re.M)


def test_long_names_that_begin_alike_can_be_told_apart():
    names = [f"A class with a name longer than the column, {end}" for end in ("red", "blue")]

    printed = formats.text(made(names)).splitlines()

    assert [line for line in printed if line in names] == names
    assert re.match(r" {8,}\d\d\.\d\d ", printed[printed.index(names[1]) + 1])


def test_of_one_network_against_one_it_is_said_which_of_how_many():
    printed = formats.text(made(replicates=(5, 1)))

    assert "base: HEAD (1234567), network 0 of 5 replicates\nnew: workspace, network 0 of 1 replicate\n" in printed


def test_control_characters_do_not_reach_the_terminal():
    printed = formats.text(made(["\x1b[31mred", "Coat"], sides=Values("a\x07b", "c")))

    assert "\x1b" not in printed and "\x07" not in printed


def spelt_out():
    """A comparison of which no two numbers are equal: 4 degrees of freedom for the accuracy, 8 for the loss."""
    return Comparison(
        context=CONTEXT._replace(notes=["Mind this."]),
        covers="recipes",
        replicates=Values(3, 5),
        images=1234,
        accuracy=Score(Change(0.8, 0.91, 0.02, 4, 0.0052), 0.0052, "better"),
        loss=Score(Change(0.5, 0.75, 0.05, 8, 0.0011), 0.0011, "worse"),
        recalls={
            "Shirt": Score(Change(0.62, 0.52, 0.01, 2, 0.0098), 0.0196, "worse"),
            "Coat": Score(Change(0.71, 0.95, 0.05, 10, 0.0007), 0.0021, "better"),
        },
        fixed=list(range(100, 112)),
        broken=[7, 3],
    )


@pytest.mark.fault("a number of a comparison that is that of the other side, score or class")
def test_each_number_of_the_text_stands_in_its_place():
    printed = re.sub(" +", " ", formats.text(spelt_out()))

    assert printed.split("\n\n")[:4] == [
        "Accuracy is better: +11.00 points (95 %: +5.45 to +16.55).\n"
        "Loss is worse: +0.2500 (95 %: +0.1347 to +0.3653).\n"
        "Recall is better for Coat; worse for Shirt.",
        "base: HEAD (1234567), 3 replicates\nnew: workspace, 5 replicates\nBoth scored on the same 1,234 test images.",
        "score base new change 95 % interval verdict\n"
        "accuracy 80.00 91.00 +11.00 +5.45 to +16.55 better\n"
        "loss 0.5000 0.7500 +0.2500 +0.1347 to +0.3653 worse",
        "recall base new change 95 % interval verdict\n"
        "Shirt 62.00 52.00 -10.00 -14.30 to -5.70 worse\n"
        "Coat 71.00 95.00 +24.00 +12.86 to +35.14 better",
    ]
    assert printed.split("\n\n")[5].splitlines()[2:] == [
        "fixed 12: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, ...",
        "broken 2: 7, 3",
        "Mind this.",
    ]


@pytest.mark.fault("a number of a comparison that is that of the other side, score or class")
def test_each_number_of_the_json_has_its_name():
    found = spelt_out()
    value = json.loads(formats.as_json(found))

    of_scores = {"accuracy": found.accuracy, "loss": found.loss, "Shirt": found.recalls["Shirt"]}
    for (name, (change, p_value, verdict)), part in zip(
        of_scores.items(), (value["accuracy"], value["loss"], value["recalls"]["Shirt"]), strict=True
    ):
        half = stats.t.ppf(0.975, change.degrees_of_freedom) * change.error
        difference = change.new - change.base
        numbers = {"base": change.base, "new": change.new, "difference": difference, "p_value": p_value}
        numbers |= {"low": difference - half, "high": difference + half}
        assert part.pop("verdict") == verdict, name
        assert part == pytest.approx(numbers, abs=1e-6), name
    assert (value["replicates"], value["images"]) == ({"base": 3, "new": 5}, 1234)
    assert (value["fixed"], value["broken"]) == (list(range(100, 112)), [7, 3])


def test_of_metrics_each_score_is_that_of_its_side_and_class():
    def metrics(accuracy, loss, spread, shirt, coat):
        recalls = {"Shirt": shirt, "Coat": coat}
        return {"accuracy": accuracy, "loss": loss, "accuracy_std": spread, "recalls": recalls}

    base, new = metrics(0.81, 0.5, 0.004, 0.62, 0.73), metrics(0.92, 0.4, 0.002, 0.65, 0.95)

    found = comparison.of_metrics(Values(base, new), Values(3, 5), CONTEXT)

    assert (found.accuracy.change[:2], found.loss.change[:2]) == ((0.81, 0.92), (0.5, 0.4))
    changes = {name: (score.change[:2], score.verdict) for name, score in found.recalls.items()}
    assert changes == {"Shirt": ((0.62, 0.65), "unknown"), "Coat": ((0.73, 0.95), "unknown")}
    assert found.context.notes == ["Accuracies spread over the replicates by 0.40 points (base) and 0.20 points (new)."]


def test_json_has_all_of_it_and_null_where_nothing_is_known():
    found = made()
    metrics = {"accuracy": 0.5, "accuracy_std": 0, "loss": 1.0, "recalls": {"Coat": 0.5}}
    bare = comparison.of_metrics(Values(metrics, metrics), Values(1, 1), CONTEXT)

    value, unknown = json.loads(formats.as_json(found)), json.loads(formats.as_json(bare))

    assert value["fixed"] == found.fixed and len(found.fixed) > formats.SHOWN
    change = found.accuracy.change
    assert value["accuracy"]["difference"] == pytest.approx(change.difference, abs=1e-6)
    assert [value["accuracy"]["low"], value["accuracy"]["high"]] == pytest.approx(change.interval, abs=1e-6)
    assert value["packages"] == {"keras": {"base": "3.15.1", "new": "3.16.0"}}
    assert value["sides"] == {"base": "HEAD (1234567)", "new": "workspace"}
    assert unknown["accuracy"] == {
        "base": 0.5,
        "new": 0.5,
        "difference": 0.0,
        "low": None,
        "high": None,
        "p_value": None,
        "verdict": "unknown",
    }


@pytest.mark.parametrize("replicates", [(3, 3), (1, 3)])
def test_hostile_names_stay_text_in_markdown(replicates):
    sides = Values("<script>x</script>", "**bold** | [x](https://example.org) @octocat")
    params = {"x.<b>y</b>": Values("<i>z</i>", "`w`")}
    found = made(HOSTILE, replicates=replicates, sides=sides, params=params, notes=["<u>note</u>"])

    tokens = MarkdownIt("commonmark").enable("table").parse(formats.markdown(found))

    inline = [token for token in tokens if token.type == "inline"]
    kinds = {child.type for token in inline for child in token.children}
    assert kinds <= {"text", "text_special", "strong_open", "strong_close"}
    assert not any(token.type in ("html_block", "heading_open", "code_block", "bullet_list_open") for token in tokens)
    assert not re.search(r"://|@octocat", formats.markdown(found))
    cells = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "td_open"]
    shown = ["".join(child.content for child in token.children) for token in inline]
    assert len(cells) == 6 * 4 + 3 * 3
    assert set(HOSTILE) <= set(shown) and "<u>note</u>" in shown and "x.<b>y</b>" in shown
    assert any(text.startswith("base: <script>x</script>, ") for text in shown)


def test_markdown_and_text_say_the_same_numbers():
    found = made()
    tokens = MarkdownIt("commonmark").enable("table").parse(formats.markdown(found))
    cells = [tokens[i + 1].children[0].content for i, token in enumerate(tokens) if token.type == "td_open"]

    printed = " ".join(formats.text(found).split())

    assert " ".join(cells[:6]) in printed and cells[0] == "accuracy"
