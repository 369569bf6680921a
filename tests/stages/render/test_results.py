"""What the report needs of the files before it: what is there is read, what is missing is named."""

import json

import pytest

from stages.command import DataError
from stages.evaluate import scores
from stages.render import report, results

CLASSES = ["Coat", "Trägerkleid", "Bag"]
HEADER = "replicate,epoch,train_loss,train_accuracy"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record"


@pytest.fixture
def lines(path):
    """A function that returns what is said of a file that holds a text, without its name and the remedy."""

    def lines(text, read, *arguments):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError) as caught:
            read(path, *arguments)
        end = "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
        return [str(problem).removeprefix(f"{path}: ").removesuffix(end) for problem in caught.value.problems]

    return lines


@pytest.fixture
def metrics(some):
    """What `evaluate` writes of networks that know three classes."""
    made = some(3)
    split = scores.tally([made.probabilities], made.test.labels, len(CLASSES))
    return scores.summarize(CLASSES, {"train": split, "test": split})


def without(node, *keys):
    """Return JSON of a mapping without one of its keys."""
    copy = json.loads(json.dumps(node))
    place = copy
    for key in keys[:-1]:
        place = place[key]
    del place[keys[-1]]
    return json.dumps(copy)


def test_what_evaluate_writes_is_what_is_needed(path, metrics):
    path.write_text(json.dumps(metrics), encoding="utf-8")

    read = results.read_metrics(path, CLASSES)

    assert read["test"] == metrics["test"]
    assert read["train"] == {name: metrics["train"][name] for name in ("accuracy", "loss")}
    assert read["gap"] == {name: metrics["gap"][name] for name in ("accuracy", "loss")}
    assert list(read["classes"]) == CLASSES
    for name in CLASSES:
        assert read["classes"][name].items() <= metrics["classes"][name].items()


def test_scores_that_others_read_are_no_fault(path, metrics):
    path.write_text(json.dumps(metrics | {"validation": {}}), encoding="utf-8")

    assert "validation" not in results.read_metrics(path, CLASSES)


def test_every_score_of_the_report_is_asked_for(path, metrics, lines, some, render):
    """The report is made of what was read alone: a score that it uses and that is not asked for would end it."""
    path.write_text(json.dumps(metrics), encoding="utf-8")
    read = results.read_metrics(path, CLASSES)
    assert report.build(some(3)._replace(classes=CLASSES, metrics=read), render()).sections

    for section in ("train", "test", "gap"):
        for score in read[section]:
            [line] = lines(without(metrics, section, score), results.read_metrics, CLASSES)
            assert line.startswith(f"{section}.{score}: missing (expected a number ")
    for score in read["classes"]["Bag"]:
        [line] = lines(without(metrics, "classes", "Bag", score), results.read_metrics, CLASSES)
        assert line.startswith(f"classes.Bag.{score}: missing (expected a number ")


def test_a_class_without_scores_is_named(lines, metrics):
    assert lines(without(metrics, "classes", "Trägerkleid"), results.read_metrics, CLASSES) == [
        "no scores of class Trägerkleid (expected those of each class, got those of 2)"
    ]


def test_what_is_no_score_is_refused(lines, metrics):
    metrics["test"]["accuracy"], metrics["train"]["loss"] = 1.5, -0.1
    metrics["classes"]["Bag"]["recall"] = "much"

    said = lines(json.dumps(metrics), results.read_metrics, CLASSES)

    assert said[0].startswith("train.loss: out of range (expected a number 0 <= x <= ")
    assert said[1:] == [
        "test.accuracy: out of range (expected a number 0 <= x <= 1, got 1.5)",
        'classes.Bag.recall: wrong type (expected a number 0 <= x <= 1, got "much")',
    ]


TRAINING = {"epochs": 3, "parameters": 101770, "untrained_loss": 2.3, "versions": {"keras": "3.15.1"}}


def test_what_train_writes_is_what_is_needed(path):
    path.write_text(json.dumps(TRAINING), encoding="utf-8")

    assert results.read_training(path) == {name: TRAINING[name] for name in TRAINING if name != "epochs"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"parameters": 0}, "parameters: out of range (expected an integer 1 <= x <= 1000000000000, got 0)"),
        ({"parameters": 1.5}, "parameters: wrong type (expected an integer 1 <= x <= 1000000000000, got 1.5)"),
        ({"versions": ["3"]}, "versions: wrong type (expected a mapping, got ['3'])"),
        (
            {"versions": {"keras": None}},
            "versions.keras: wrong type (expected a text like ^[!-~]{1,100}$, got nothing)",
        ),
        ({"versions": {"a\nb": "1"}}, 'versions.a\\nb: wrong form (expected a text like ^[!-~]{1,100}$, got "a\\nb")'),
        ({"versions": {"keras": "<\ud800>"}}, "versions.keras: wrong form (expected a text like ^[!-~]{1,100}$, got "),
    ],
)
def test_what_is_no_record_of_training_is_refused(lines, change, line):
    [said] = lines(json.dumps(TRAINING | change), results.read_training)

    assert said.startswith(line)


@pytest.mark.parametrize("key", ["parameters", "untrained_loss", "versions"])
def test_what_is_missing_of_the_training_is_named(lines, key):
    [line] = lines(without(TRAINING, key), results.read_training)

    assert line.startswith(f"{key}: missing (")


@pytest.mark.parametrize("more", [[], ["0,2,0.25,1"]])
def test_history_is_read_by_column_and_replicates_may_differ_in_length(path, more):
    path.write_text("\n".join([HEADER, "0,0,1.1,0.3", "0,1,0.5,0.8", *more, "1,0,1,0", "1,1,3e38,1"]), encoding="utf-8")

    history = results.read_history(path)

    assert history["replicate"].tolist() == [0, 0, *[0] * len(more), 1, 1]
    assert history["train_loss"].tolist() == [1.1, 0.5, *[0.25] * len(more), 1, 3e38]


EPOCHS = "not a row for each epoch (expected epochs 0, 1, ... of replicates 0, 1, ..., got other epochs or replicates)"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["0,0,1,0"], EPOCHS),
        (["0,1,1,0", "0,2,1,0"], EPOCHS),
        (["0,0,1,0", "0,2,1,0"], EPOCHS),
        (["0,0,1,0", "0,0,1,0"], EPOCHS),
        (["0,0,1,0", "0,0.5,1,0"], EPOCHS),
        (["1,0,1,0", "1,1,1,0"], EPOCHS),
        (["0,0,1,0", "1,0,1,0", "0,1,1,0", "1,1,1,0"], EPOCHS),
        (["0,0,1,0", "0,1,1,0", "2,0,1,0", "2,1,1,0"], EPOCHS),
        (["0,0,1,0", "0,1,1,1.5"], "train_accuracy out of range (expected 0 <= x <= 1, got 0 to 1.5)"),
        (["0,0,1,0", "0,1,-1,1"], "train_loss out of range (expected 0 <= x <= 3.40282e+38, got -1 to 1)"),
        (["0,0,1,0", "0,1,1e39,1"], "train_loss out of range (expected 0 <= x <= 3.40282e+38, got 1 to 1e+39)"),
    ],
)
def test_a_history_that_is_not_whole_is_refused(lines, rows, line):
    assert lines("\n".join([HEADER, *rows, ""]), results.read_history) == [line]


def test_validation_is_both_of_its_columns_or_none(path, lines):
    path.write_text(f"{HEADER},validation_loss,validation_accuracy\n0,0,1,0,1,0\n0,1,1,1,0,1\n", encoding="utf-8")
    assert results.read_history(path)["validation_accuracy"].tolist() == [0, 1]

    [line] = lines(f"{HEADER},validation_loss\n0,0,1,0,1\n0,1,1,1,0\n", results.read_history)
    assert line.startswith(f"not the columns that are needed (expected {HEADER} or {HEADER},validation_loss,")
