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
        (["a"] * 257, "List should have at most 256 items after validation, not 257"),
        (["a", ""], "1: String should have at least 1 character"),
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


# Values that YAML or JSON can hold; some are nearly right, or right for another key.
LIKELY = st.sampled_from(
    [0, 1, -1, 1.0, True, False, None, "", "true", "1", "dense", [], [1], {}, 10**100, 1e308, "a@b"]
)
SCALARS = LIKELY | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
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
    ("name", "hint"),
    [("epcohs", ": did you mean epochs?"), ("epoch", ": did you mean epochs?"), ("batch", ""), (3, "")],
)
def test_the_nearest_name_is_proposed_only_if_it_is_near(name, hint):
    assert schema.nearest(name, ["epochs", "seed"]) == hint
