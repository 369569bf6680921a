"""What params.yaml may say: the committed file, and what is said of it after an edit."""

from difflib import ndiff
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from core.cli.errors import InputError
from core.config import params, schema
from tests.anything import ANYTHING

ROOT = Path(__file__).parents[3]

SECTIONS = [params.Dataset, params.Train, params.Evaluate, params.Render]

EXPECTED = {
    "dataset": "a mapping",
    "dataset.name": "a text like ^[a-z][a-z0-9_]{0,63}$",
    "train.network": "a text",
    "train.hidden_units": "a list of 1 to 8 items, each an integer 1 <= x <= 8192",
    "train.hidden_units.0": "an integer 1 <= x <= 8192",
    "train.hidden_units.1": "an integer 1 <= x <= 8192",
    "train.dropout": "a number 0 <= x < 1",
    "train.output": "logits or softmax",
    "train.optimizer": "adam, rmsprop or sgd",
    "train.learning_rate": "a number 0 < x <= 1",
    "train.learning_rate_schedule": "constant, linear, cosine or one_cycle",
    "train.weight_decay": "a number 0 <= x < 1",
    "train.augmentation_shift": "an integer 0 <= x <= 8",
    "train.augmentation_flip": "true or false",
    "train.batch_size": "an integer 1 <= x <= 65536",
    "train.epochs": "an integer 1 <= x <= 10000",
    "train.validation_fraction": "a number 0 <= x < 1",
    "train.seed": "an integer 0 <= x <= 4294967295",
    "train.replicates": "an integer 1 <= x <= 1000",
    "train.threads": "an integer 1 <= x <= 64",
    "evaluate": "a mapping",
    "evaluate.batch_size": "an integer 1 <= x <= 1000000",
    "render.training_image": "an integer 0 <= x <= 1000000",
    "render.examples": "a list of 1 to 24 items, each an integer 0 <= x <= 1000000",
    "render.examples.1": "an integer 0 <= x <= 1000000",
    "render.mistakes": "an integer 1 <= x <= 100",
    "render.dpi": "an integer 50 <= x <= 150",
}


def lines(read=params.load, *arguments):
    """Return the lines that refuse params.yaml, without its name and the remedy, which are always the same."""
    with pytest.raises(InputError) as caught:
        read(*arguments)
    texts = [str(problem) for problem in caught.value.problems]
    start, end = "params.yaml: ", "; fix: edit params.yaml, then dvc repro"
    assert all(text.startswith(start) and text.endswith(end) for text in texts)
    return [text.removeprefix(start).removesuffix(end) for text in texts]


def test_the_committed_file_has_the_values_that_dvc_reads(project):
    as_dvc_reads = YAML(typ="safe", pure=True).load((project / "params.yaml").read_text(encoding="utf-8"))
    as_dvc_reads["train"]["hidden_units"] = [as_dvc_reads["train"]["hidden_units"]]

    assert params.load().model_dump() == as_dvc_reads


@pytest.mark.parametrize("model", SECTIONS)
def test_a_section_is_the_same_alone_as_in_the_whole(project, model):
    assert params.section(model) == getattr(params.load(), model.__name__.lower())


@pytest.mark.parametrize(
    ("key", "value", "what", "got"),
    [
        ("dataset", "mnist", "wrong type", '"mnist"'),
        ("dataset.name", "7", "wrong type: put it in quotes", "7"),
        ("dataset.name", "Mnist", "wrong form", '"Mnist"'),
        ("dataset.name", "../x", "wrong form", '"../x"'),
        ("dataset.name", '"a/../b"', "wrong form", '"a/../b"'),
        ("dataset.name", "'mnist '", "wrong form", '"mnist "'),
        ("dataset.name", '"mnist\\0"', "wrong form", '"mnist\\x00"'),
        ("dataset.name", '"mnist\\n"', "wrong form", '"mnist\\n"'),
        ("dataset.name", "mnïst", "wrong form", '"mnïst"'),
        ("dataset.name", '"a\\u202eb"', "wrong form", '"a\\u202eb"'),
        ("train.network", "[dense]", "wrong type", "['dense']"),
        ("train.hidden_units", "128.0", "wrong type", "128.0"),
        ("train.hidden_units", "[]", "out of range", "[]"),
        ("train.hidden_units", "true", "wrong type", "true"),
        ("train.hidden_units", "128.5", "wrong type", "128.5"),
        ("train.hidden_units", "{units: 128}", "wrong type", "{'units': 128}"),
        ("train.hidden_units", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "out of range", "[1, 2, 3, 4, 5, 6, 7, 8, 9]"),
        ("train.learning_rate_schedule", "cosin", "unknown choice: did you mean cosine?", '"cosin"'),
        ("train.weight_decay", "1", "out of range", "1"),
        ("train.augmentation_shift", "9", "out of range", "9"),
        ("train.augmentation_flip", "1", "wrong type", "1"),
        ("train.dropout", "1", "out of range", "1"),
        ("train.dropout", "-0.1", "out of range", "-0.1"),
        ("train.dropout", "false", "wrong type", "false"),
        ("train.output", "logit", "unknown choice: did you mean logits?", '"logit"'),
        ("train.optimizer", "Adam", "unknown choice: did you mean adam?", '"Adam"'),
        ("train.optimizer", "lion", "unknown choice", '"lion"'),
        ("train.optimizer", "{class_name: SGD}", "unknown choice", "{'class_name': 'SGD'}"),
        ("train.learning_rate", "0", "out of range", "0"),
        ("train.learning_rate", "-1e-3", "out of range", "-0.001"),
        ("train.learning_rate", "1.0001", "out of range", "1.0001"),
        ("train.learning_rate", ".nan", "not a finite number", ".nan"),
        ("train.learning_rate", ".inf", "not a finite number", ".inf"),
        ("train.learning_rate", "1e400", "not a finite number", ".inf"),
        ("train.learning_rate", "-1e400", "not a finite number", "-.inf"),
        ("train.learning_rate", "true", "wrong type", "true"),
        ("train.learning_rate", '"1"', "wrong type", '"1"'),
        ("train.learning_rate", "nan", "wrong type", '"nan"'),
        ("train.learning_rate", "abc", "wrong type", '"abc"'),
        ("train.learning_rate", "", "wrong type", "nothing"),
        ("train.batch_size", "0", "out of range", "0"),
        ("train.batch_size", "65537", "out of range", "65537"),
        ("train.epochs", "true", "wrong type", "true"),
        ("train.epochs", "1.0", "wrong type", "1.0"),
        ("train.epochs", "1e1", "wrong type", "10.0"),
        ("train.epochs", '"1"', "wrong type", '"1"'),
        ("train.epochs", "[1]", "wrong type", "[1]"),
        ("train.epochs", "0", "out of range", "0"),
        ("train.epochs", "-1", "out of range", "-1"),
        ("train.epochs", "10001", "out of range", "10001"),
        ("train.validation_fraction", "1", "out of range", "1"),
        ("train.validation_fraction", "1.5", "out of range", "1.5"),
        ("train.seed", "-1", "out of range", "-1"),
        ("train.seed", "9" * 100, "out of range", f"{'9' * 77}..."),
        ("train.learning_rate", "9" * 100, "out of range", f"{'9' * 77}..."),
        ("train.seed", "4294967296", "out of range", "4294967296"),
        ("train.replicates", "0", "out of range", "0"),
        ("train.replicates", "1001", "out of range", "1001"),
        ("evaluate", "", "wrong type", "nothing"),
        ("evaluate", "1000", "wrong type", "1000"),
        ("evaluate.batch_size", "0", "out of range", "0"),
        ("evaluate.batch_size", "1000001", "out of range", "1000001"),
        ("render.training_image", "-1", "out of range", "-1"),
        ("render.training_image", "1.0", "wrong type", "1.0"),
        ("render.examples", "[]", "out of range", "[]"),
        ("render.examples", "12", "wrong type", "12"),
        ("render.mistakes", "101", "out of range", "101"),
        ("render.dpi", "49", "out of range", "49"),
        ("render.dpi", "151", "out of range", "151"),
    ],
)
@pytest.mark.fault('true, 1.0 or "1" where an integer is due')
@pytest.mark.fault("true for 1, which DVC takes for the same")
@pytest.mark.fault("not a number, infinity, a number beyond all floats")
@pytest.mark.fault("a number beyond its bounds, below or above")
@pytest.mark.fault("an unknown data set, network or optimizer")
@pytest.mark.fault("an object of Keras described in place of a name")
@pytest.mark.fault("a name that is a path, or of letters that are not seen")
def test_a_value_that_is_no_use_gives_one_line(assign, key, value, what, got):
    assign("params.yaml", key, value)

    assert lines() == [f"{key}: {what} (expected {EXPECTED[key]}, got {got})"]


@pytest.mark.parametrize(
    ("units", "place", "what", "got"),
    [
        ("0", 0, "out of range", "0"),
        ("8193", 0, "out of range", "8193"),
        ("1000000000", 0, "out of range", "1000000000"),
        ("[128, 0]", 1, "out of range", "0"),
        ("[128, a]", 1, "wrong type", '"a"'),
        ("[true]", 0, "wrong type", "true"),
        ("[128, {dropout: 0}]", 1, "wrong type", "{'dropout': 0}"),
    ],
)
@pytest.mark.fault("a number beyond its bounds, below or above")
def test_hidden_units_alone_are_a_list_of_one(assign, units, place, what, got):
    assign("params.yaml", "train.hidden_units", units)

    key = f"train.hidden_units.{place}"
    assert lines() == [f"{key}: {what} (expected {EXPECTED[key]}, got {got})"]


def test_early_stopping_needs_validation_images(assign):
    assign("params.yaml", "train.early_stopping_patience", "3")

    needs = "train.early_stopping_patience: needs validation images: give validation_fraction a value above 0"
    assert lines() == [needs]

    assign("params.yaml", "train.epochs", "0")
    assert lines() == ["train.epochs: out of range (expected an integer 1 <= x <= 10000, got 0)", needs]


@pytest.mark.parametrize(
    ("item", "what", "got"),
    [
        ("-1", "out of range", "-1"),
        ("a", "wrong type", '"a"'),
        ("true", "wrong type", "true"),
        ("1.0", "wrong type", "1.0"),
        ("[1]", "wrong type", "[1]"),
        ("{epochs: 1}", "wrong type", "{'epochs': 1}"),
        ("null", "wrong type", "nothing"),
    ],
)
def test_an_item_of_a_list_is_named_by_its_place(assign, item, what, got):
    assign("params.yaml", "render.examples", f"[0, {item}]")

    assert lines() == [f"render.examples.1: {what} (expected {EXPECTED['render.examples.1']}, got {got})"]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("0x10", "YAML readers differ on 0x10: put it in quotes, or write a plain number, true or false"),
        ("!!int 10", "tags are not used here"),
        ("&ten 10", "anchors and aliases are not used here"),
        ("1" * 400, "an integer of 400 digits: put it in quotes, or write a smaller one"),
        ("10: 20", "mapping values are not allowed here"),
        ("10\n\t# ten", "found character '\\t' that cannot start any token"),
    ],
)
def test_what_is_no_plain_yaml_gives_its_line(project, assign, value, what):
    rows = (project / "params.yaml").read_text(encoding="utf-8").splitlines()
    number = next(number for number, row in enumerate(rows, 1) if row.startswith("  epochs:"))
    assign("params.yaml", "train.epochs", value)

    assert lines() == [f"line {number + value.count(chr(10))}: {what}"]


@pytest.mark.fault("a key twice")
def test_a_key_that_stands_twice_gives_both_lines(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(f"seed: 0\n{text}seed: 1\n", encoding="utf-8")

    assert lines() == [f"line {text.count(chr(10)) + 2}: key 'seed' stands twice, also on line 1"]


@pytest.mark.fault("a misspelt key")
def test_a_misspelt_key_is_found_under_both_its_names(edit):
    edit("params.yaml", "  epochs:", "  epcohs:")
    keys = (
        "network, hidden_units, dropout, output, optimizer, learning_rate, learning_rate_schedule, weight_decay, "
        "batch_size, epochs, validation_fraction, early_stopping_patience, augmentation_shift, augmentation_flip, "
        "seed, replicates or threads"
    )

    assert lines() == [
        "train.epochs: missing (expected an integer 1 <= x <= 10000, got nothing)",
        f"train.epcohs: unknown key: did you mean epochs? (expected {keys}, got epcohs)",
    ]


@pytest.mark.fault("a misspelt key")
def test_a_misspelt_section_is_found_under_both_its_names(edit):
    edit("params.yaml", "\nevaluate:\n", "\nevaluat:\n")

    assert lines() == [
        "evaluate: missing (expected a mapping, got nothing)",
        "evaluat: unknown key: did you mean evaluate? (expected dataset, train, evaluate or render, got evaluat)",
    ]


def test_all_problems_are_reported_together(assign):
    assign("params.yaml", "render.dpi", "true")
    assign("params.yaml", "train.epochs", "0")
    assign("params.yaml", "train.learning_rate", ".nan")

    assert lines() == [
        "train.learning_rate: not a finite number (expected a number 0 < x <= 1, got .nan)",
        "train.epochs: out of range (expected an integer 1 <= x <= 10000, got 0)",
        "render.dpi: wrong type (expected an integer 50 <= x <= 150, got true)",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("learning_rate", "1", 1.0),
        ("learning_rate", "1e-300", 1e-300),
        ("hidden_units", "1", [1]),
        ("hidden_units", "[8192, 7]", [8192, 7]),
        ("dropout", "0", 0.0),
        ("dropout", "0.999", 0.999),
        ("seed", "4294967295", 4294967295),
    ],
)
def test_bounds_are_within_reach(assign, name, text, value):
    assign("params.yaml", f"train.{name}", text)

    read = getattr(params.section(params.Train), name)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("model", SECTIONS)
def test_a_section_depends_on_no_other(project, model):
    """A stage that looked further would have to declare it to DVC, and would run again for nothing."""
    section = params.section(model).model_dump_json()
    (project / "params.yaml").write_text(f"other: 1\n{model.__name__.lower()}: {section}\n", encoding="utf-8")

    assert params.section(model).model_dump_json() == section


@pytest.mark.parametrize("text", ["other: 1\n", "train:\n"])
def test_a_section_that_is_not_there_is_named(project, text):
    (project / "params.yaml").write_text(text, encoding="utf-8")

    assert lines(params.section, params.Train) == ["train: wrong type (expected a mapping, got nothing)"]


def test_all_problems_of_a_section_are_reported_together_and_no_others(assign):
    assign("params.yaml", "train.epochs", "0")
    assign("params.yaml", "train.learning_rate", "2")
    assign("params.yaml", "render.dpi", "true")

    assert lines(params.section, params.Train) == [
        "train.learning_rate: out of range (expected a number 0 < x <= 1, got 2)",
        "train.epochs: out of range (expected an integer 1 <= x <= 10000, got 0)",
    ]


COMMITTED = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
KEYS = [(section, key) for section in COMMITTED for key in COMMITTED[section]]


def set_by_dvc(path, key, value):
    """Set a param by the function that `dvc exp run -S key=value` calls, which writes the whole file anew."""
    from dvc.utils.hydra import apply_overrides

    apply_overrides(path, [f"{key}={value}"])


def another(value):
    if isinstance(value, list):
        return [value[0] + 1, *value[1:]]
    if isinstance(value, bool):
        return not value
    return f"{value}_x" if isinstance(value, str) else value / 2 + 0.25 if isinstance(value, float) else value + 1


@pytest.mark.parametrize(("section", "key"), KEYS)
@pytest.mark.fault("DVC sets one value and rewrites the rest of the file")
def test_dvc_changes_one_line_of_the_committed_file_to_set_one_value(project, section, key):
    path, value = project / "params.yaml", COMMITTED[section][key]
    committed = path.read_text(encoding="utf-8")

    set_by_dvc(path, f"{section}.{key}", value)
    assert path.read_text(encoding="utf-8") == committed

    set_by_dvc(path, f"{section}.{key}", another(value))
    lines = ndiff(committed.splitlines(), path.read_text(encoding="utf-8").splitlines())
    changed = [line for line in lines if line[0] in "+-"]
    assert [line[0] for line in changed] == ["-", "+"]
    assert changed[0].partition("#")[2] == changed[1].partition("#")[2]  # the reason beside the value stays
    read = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    assert read == COMMITTED | {section: COMMITTED[section] | {key: another(value)}}


@given(st.sampled_from(KEYS), ANYTHING)
@settings(max_examples=200)
def test_any_value_of_any_key_is_taken_as_it_is_or_gives_lines_that_name_the_key(place, value):
    section, key = place
    changed = COMMITTED | {section: COMMITTED[section] | {key: value}}
    try:
        read = schema.check(changed, params.Params, params.PATH)
    except InputError as error:
        for problem in error.problems:
            line = str(problem)
            assert line.startswith((f"params.yaml: {section}.{key}", "params.yaml: train.early_stopping_patience"))
            assert "\n" not in line and len(line) < 600
        return
    taken = getattr(getattr(read, section), key)
    assert taken == ([value] if key == "hidden_units" and type(value) is int else value)
    assert isinstance(value, bool) == isinstance(taken, bool)


@given(st.dictionaries(st.sampled_from([*COMMITTED, "x"]), ANYTHING), st.sampled_from(list(COMMITTED)), ANYTHING)
def test_any_mapping_is_refused_in_lines(mapping, section, value):
    for changed in (mapping, COMMITTED | {section: value}, value):
        with pytest.raises(InputError) as caught:
            schema.check(changed, params.Params, params.PATH)
        assert all("\n" not in str(problem) for problem in caught.value.problems)
