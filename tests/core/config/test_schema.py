"""Values checked against a model, on a small model of the tests."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from core.cli.errors import InputError
from core.config import schema
from core.config.schema import ClassNames, Name, Strict
from tests.anything import ANYTHING

PATH = Path("menu.yaml")


class Soup(Strict):
    kind: Literal["soup"]
    litres: Annotated[float, Field(gt=0, le=5)]


class Bread(Strict):
    kind: Literal["bread"]
    slices: Annotated[list[Annotated[int, Field(ge=1, lt=9)]], Field(min_length=1, max_length=3)]


class Menu(Strict):
    name: Name
    warm: bool
    dish: Annotated[Soup | Bread, Field(discriminator="kind")]


SOUP = {"name": "lunch", "warm": True, "dish": {"kind": "soup", "litres": 0.5}}
BREAD = {"name": "lunch", "warm": False, "dish": {"kind": "bread", "slices": [1, 2]}}


def problems(value, model=Menu, under=""):
    """Return the lines that refuse a value, without the file and the fix, which are always the same."""
    with pytest.raises(InputError) as caught:
        schema.check(value, model, PATH, under=under)
    lines = list(map(str, caught.value.problems))
    assert all(line.endswith("; fix: edit menu.yaml, then dvc repro") for line in lines)
    return [line.removeprefix("menu.yaml: ").partition("; fix: ")[0] for line in lines]


def test_a_valid_value_becomes_a_model_that_cannot_change():
    menu = schema.check(SOUP, Menu, PATH)

    assert menu == Menu(name="lunch", warm=True, dish=Soup(kind="soup", litres=0.5))
    assert schema.check(BREAD, Menu, PATH).dish.slices == [1, 2]
    assert schema.check({"kind": "soup", "litres": 5}, Soup, PATH).litres == 5.0
    with pytest.raises(ValidationError):
        menu.warm = False


FORM = "String should match pattern '^[a-z][a-z0-9_]{0,63}$'"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"warm": 1}, ["warm: wrong value (expected true or false, got 1)"]),
        ({"warm": "yes"}, ['warm: wrong value (expected true or false, got "yes")']),
        ({"warm": None}, ["warm: wrong value (expected true or false, got null)"]),
        ({"warm": {(1,): 2}}, ["warm: wrong value (expected true or false, got {})"]),
        ({"name": 7}, ["name: wrong value (expected a text, in quotes if it looks like a number, got 7)"]),
        ({"name": "lunch\n"}, [f"name: {FORM}"]),
        ({"xyz": "a"}, ["xyz: unknown key"]),
        ({1: 1}, ["1: Keys should be strings"]),
        ({"dish": 3}, ["dish: wrong value (expected a mapping, got 3)"]),
        ({"dish": {}}, ["dish.kind: missing"]),
        (
            {"dish": {"kind": "bred"}},
            ['dish.kind: unknown choice: did you mean bread? (expected soup or bread, got "bred")'],
        ),
        ({"dish": {"kind": "soup"}}, ["dish.litres: missing"]),
        ({"dish": {"kind": "soup"}, "litre": 1}, ["dish.litres: missing", "litre: unknown key"]),
        (
            {"dish": {"kind": "soup", "litre": 1}},
            ["dish.litres: missing", "dish.litre: unknown key: did you mean litres?"],
        ),
        ({"dish": {"kind": "bread", "slices": [1, 9]}}, ["dish.slices.1: wrong value (expected less than 9, got 9)"]),
        (
            {"dish": {"kind": "bread", "slices": []}},
            ["dish.slices: List should have at least 1 item after validation, not 0"],
        ),
        ({"name": "Lunch", "warm": 1}, [f"name: {FORM}", "warm: wrong value (expected true or false, got 1)"]),
    ],
)
@pytest.mark.fault("a misspelt key")
def test_each_problem_names_the_key_and_what_is_expected(change, lines):
    assert problems(SOUP | change) == lines


@pytest.mark.parametrize(
    ("litres", "line"),
    [
        (0.0, "wrong value (expected greater than 0, got 0.0)"),
        (5.1, "wrong value (expected less than or equal to 5, got 5.1)"),
        (True, "wrong value (expected a valid number, got true)"),
        ("1", 'wrong value (expected a valid number, got "1")'),
        (float("nan"), "wrong value (expected a finite number, got NaN)"),
        (float("inf"), "wrong value (expected a finite number, got Infinity)"),
        (10**100, f"wrong value (expected less than or equal to 5, got 1{'0' * 76}...)"),
    ],
)
def test_a_number_is_finite_within_bounds_and_not_a_text(litres, line):
    assert problems({"kind": "soup", "litres": litres}, Soup) == [f"litres: {line}"]


def test_the_key_starts_where_the_value_stands_in_its_file():
    assert problems({"kind": "soup"}, Soup, under="dish") == ["dish.litres: missing"]
    assert problems(None, Soup, under="dish") == ["dish: wrong value (expected a mapping, got null)"]
    assert problems([], Soup) == ["wrong value (expected a mapping, got [])"]
    assert problems({"noon": {"name": "x"}, "Eve": BREAD}, dict[Name, Menu]) == [
        "noon.warm: missing",
        "noon.dish: missing",
        f"Eve: {FORM}",
    ]


def test_a_password_in_an_address_is_not_shown():
    [line] = problems(SOUP | {"warm": ["https://me:secret@host/"]})

    assert line == 'warm: wrong value (expected true or false, got ["https://***@host/"])'


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], "List should have at least 1 item after validation, not 0"),
        (["a"] * 257, "List should have at most 256 items after validation, not 257"),
        (["a", ""], "1: String should have at least 1 character"),
        (["a", "b" * 65], "1: String should have at most 64 characters"),
        (["a", "b\nc"], "1: has blanks around it, or characters that cannot be shown: 'b\\nc'"),
        ([" a"], "0: has blanks around it, or characters that cannot be shown: ' a'"),
        (["a\u202eb"], "0: has blanks around it, or characters that cannot be shown: 'a\\u202eb'"),
        (["coat", "bag", "Coat"], "two classes have the same name: Coat"),
    ],
)
@pytest.mark.fault("class names too few, equal to the eye, empty, long or unseen")
def test_class_names_are_few_short_printable_and_different(names, line):
    assert problems(names, ClassNames) == [line]


@pytest.mark.fault("one class, 256 of them, images that are not square")
def test_one_class_to_256_are_possible():
    for number in (1, 256):
        names = [f"class {label}" for label in range(number)]
        assert schema.check(names, ClassNames, PATH) == names


SLIPS = st.dictionaries(st.sampled_from(["name", "warm", "dish", "kind", "litres", "slices", "x"]), ANYTHING)


@given(st.one_of(ANYTHING, SLIPS, SLIPS.map(lambda slips: SOUP | slips), SLIPS.map(lambda s: {"dish": BREAD | s})))
def test_any_value_gives_the_model_or_one_line_for_each_problem(value):
    try:
        menu = schema.check(value, Menu, PATH)
    except InputError as error:
        for problem in error.problems:
            line = str(problem)
            assert line.startswith("menu.yaml: ") and "\n" not in line and len(line) < 500
        return
    assert menu.model_dump() == value


@pytest.mark.parametrize(
    ("names", "prose"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_choices_read_as_prose(names, prose):
    assert schema.one_of(iter(names)) == prose


@pytest.mark.parametrize(
    ("name", "hint"),
    [("epcohs", ": did you mean epochs?"), ("epoch", ": did you mean epochs?"), ("batch", ""), (3, "")],
)
def test_the_nearest_name_is_proposed_only_if_it_is_near(name, hint):
    assert schema.nearest(name, ["epochs", "seed"]) == hint
