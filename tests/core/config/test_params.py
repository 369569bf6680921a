"""What params.yaml may say: the committed file, and the lines for an edit of it."""

from difflib import ndiff

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml

from core.cli.errors import InputError
from core.config import params
from tests.conftest import ROOT

COMMITTED = load_yaml(str(ROOT / "params.yaml"))
SECTIONS = [params.Dataset, params.Train, params.Evaluate, params.Render]


def lines(read=params.load, *arguments):
    """Return the lines that refuse params.yaml, without its name and the fix, which are always the same."""
    with pytest.raises(InputError) as caught:
        read(*arguments)
    texts = [str(problem) for problem in caught.value.problems]
    start, end = "params.yaml: ", "; fix: edit params.yaml, then dvc repro"
    assert all(text.startswith(start) and text.endswith(end) for text in texts)
    return [text.removeprefix(start).removesuffix(end) for text in texts]


def test_the_committed_file_has_the_values_that_dvc_reads(project):
    units = COMMITTED["train"]["hidden_units"]

    assert params.load().model_dump() == COMMITTED | {"train": COMMITTED["train"] | {"hidden_units": [units]}}


@pytest.mark.parametrize("model", SECTIONS)
def test_a_section_depends_on_no_other(project, model):
    """A stage that reads another section would have to declare it to DVC, and would run again for nothing."""
    section = getattr(params.load(), model.__name__.lower())
    text = f"other: 1\n{model.__name__.lower()}: {section.model_dump_json()}\n"
    (project / "params.yaml").write_text(text, encoding="utf-8")

    assert params.section(model) == section


INTEGER, NUMBER = "a valid integer", "a valid number"
FORM = "String should match pattern '^[a-z][a-z0-9_]{0,63}$'"


@pytest.mark.parametrize(
    ("key", "value", "expected", "got"),
    [
        ("dataset", "mnist", "a mapping", '"mnist"'),
        ("train.hidden_units", "true", "a list", "true"),
        ("train.augmentation_shift", "9", "less than or equal to 8", "9"),
        ("train.augmentation_flip", "1", "true or false", "1"),
        ("train.dropout", "1", "less than 1", "1"),
        ("train.learning_rate", "0", "greater than 0", "0"),
        ("train.learning_rate", ".nan", "a finite number", "NaN"),
        ("train.learning_rate", "1e400", "a finite number", "Infinity"),
        ("train.learning_rate", '"1"', NUMBER, '"1"'),
        ("train.learning_rate", "", NUMBER, "null"),
        ("train.epochs", "true", INTEGER, "true"),
        ("train.epochs", "10.0", INTEGER, "10.0"),
        ("train.epochs", "0", "greater than or equal to 1", "0"),
        ("train.seed", "4294967296", "less than or equal to 4294967295", "4294967296"),
        ("train.replicates", "1001", "less than or equal to 1000", "1001"),
        ("train.threads", "65", "less than or equal to 64", "65"),
        ("evaluate.batch_size", "1000001", "less than or equal to 1000000", "1000001"),
        ("render.training_image", "-1", "greater than or equal to 0", "-1"),
        ("render.dpi", "49", "greater than or equal to 50", "49"),
    ],
)
@pytest.mark.fault('true, 1.0 or "1" where an integer is due')
@pytest.mark.fault("true for 1, which DVC takes for the same")
@pytest.mark.fault("not a number, infinity, a number beyond all floats")
@pytest.mark.fault("a number beyond its bounds, below or above")
def test_a_wrong_value_gives_one_line(assign, key, value, expected, got):
    assign("params.yaml", key, value)

    assert lines() == [f"{key}: wrong value (expected {expected}, got {got})"]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("dataset.name", "7", ": wrong value (expected a text, in quotes if it looks like a number, got 7)"),
        ("dataset.name", "../x", f": {FORM}"),
        (
            "train.optimizer",
            "{class_name: SGD}",
            ': unknown choice (expected adam, muon, rmsprop or sgd, got {"class_name": "SGD"})',
        ),
        ("train.hidden_units", "0", ".0: wrong value (expected greater than or equal to 1, got 0)"),
        (
            "train.hidden_units",
            "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
            ": List should have at most 8 items after validation, not 9",
        ),
        ("render.examples", "[0, true]", f".1: wrong value (expected {INTEGER}, got true)"),
    ],
)
@pytest.mark.fault("an unknown data set, network or optimizer")
@pytest.mark.fault("an object of Keras described in place of a name")
@pytest.mark.fault("a name that is a path, or of letters that are not seen")
def test_a_wrong_name_or_list_gives_one_line(assign, key, value, line):
    assign("params.yaml", key, value)

    assert lines() == [key + line]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  epochs:", "  epcohs:", ["train.epochs: missing", "train.epcohs: unknown key: did you mean epochs?"]),
        ("\nevaluate:", "\nevaluat:", ["evaluate: missing", "evaluat: unknown key: did you mean evaluate?"]),
        ("  dpi:", "  fast: true\n  dpi:", ["render.fast: unknown key"]),
    ],
)
@pytest.mark.fault("a misspelt key")
def test_a_misspelt_key_gives_both_names(edit, old, new, said):
    edit("params.yaml", old, new)

    assert lines() == said


@pytest.mark.parametrize("text", ["other: 1\n", "train:\n"])
def test_a_missing_section_is_named(project, text):
    (project / "params.yaml").write_text(text, encoding="utf-8")

    assert lines(params.section, params.Train) == ["train: wrong value (expected a mapping, got null)"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("learning_rate", "1", 1.0),
        ("hidden_units", "1", [1]),
        ("dropout", "0.999", 0.999),
        ("seed", "4294967295", 4294967295),
    ],
)
def test_values_at_the_bounds_are_accepted(assign, name, text, value):
    assign("params.yaml", f"train.{name}", text)

    read = getattr(params.section(params.Train), name)
    assert (read, type(read)) == (value, type(value))


def another(value):
    if isinstance(value, list):
        return [value[0] + 1, *value[1:]]
    if isinstance(value, bool):
        return not value
    return f"{value}_x" if isinstance(value, str) else value / 2 + 0.25 if isinstance(value, float) else value + 1


@pytest.mark.parametrize(("section", "key"), [(section, key) for section in COMMITTED for key in COMMITTED[section]])
@pytest.mark.fault("DVC sets one value and rewrites the rest of the file")
def test_dvc_changes_one_line_of_the_committed_file_to_set_one_value(project, section, key):
    """By the function that `dvc exp run -S` calls, which writes the whole file again."""
    path, value = project / "params.yaml", COMMITTED[section][key]
    committed = path.read_text(encoding="utf-8")

    apply_overrides(path, [f"{section}.{key}={value}"])
    assert path.read_text(encoding="utf-8") == committed

    apply_overrides(path, [f"{section}.{key}={another(value)}"])
    changed = [line for line in ndiff(committed.splitlines(), path.read_text(encoding="utf-8").splitlines())]
    changed = [line for line in changed if line[0] in "+-"]
    assert [line[0] for line in changed] == ["-", "+"]
    assert changed[0].partition("#")[2] == changed[1].partition("#")[2]  # the reason beside the value stays
    assert load_yaml(path) == COMMITTED | {section: COMMITTED[section] | {key: another(value)}}
