"""Values held against a model, on a small model of the tests' own."""

import time
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, ValidationError

from core.cli.errors import InputError
from core.config import schema
from core.config.schema import Name, Strict
from tests.anything import ANYTHING

PATH = Path("menu.yaml")
SOON_S = 2  # a second, and another one for a slow machine


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
    """Return the lines that refuse a value, without the remedy, which is always the same."""
    with pytest.raises(InputError) as caught:
        schema.check(value, model, PATH, under=under)
    return [str(problem).removesuffix("; fix: edit menu.yaml, then dvc repro") for problem in caught.value.problems]


def test_a_valid_value_becomes_the_model():
    assert schema.check(SOUP, Menu, PATH) == Menu(name="lunch", warm=True, dish=Soup(kind="soup", litres=0.5))
    assert schema.check(BREAD, Menu, PATH).dish.slices == [1, 2]


def test_a_model_can_not_be_changed():
    menu = schema.check(SOUP, Menu, PATH)

    with pytest.raises(ValidationError):
        menu.warm = False


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"warm": 1}, "menu.yaml: warm: wrong type (expected true or false, got 1)"),
        ({"warm": "yes"}, 'menu.yaml: warm: wrong type (expected true or false, got "yes")'),
        ({"warm": None}, "menu.yaml: warm: wrong type (expected true or false, got nothing)"),
        (
            {"name": 7},
            "menu.yaml: name: wrong type: put it in quotes (expected a text like ^[a-z][a-z0-9_]{0,63}$, got 7)",
        ),
        ({"name": ["a"]}, "menu.yaml: name: wrong type (expected a text like ^[a-z][a-z0-9_]{0,63}$, got ['a'])"),
        (
            {"name": "lunch\n"},
            'menu.yaml: name: wrong form (expected a text like ^[a-z][a-z0-9_]{0,63}$, got "lunch\\n")',
        ),
        ({"name": "../x"}, 'menu.yaml: name: wrong form (expected a text like ^[a-z][a-z0-9_]{0,63}$, got "../x")'),
        ({"nam": "a"}, "menu.yaml: nam: unknown key: did you mean name? (expected name, warm or dish, got nam)"),
        ({"xyz": "a"}, "menu.yaml: xyz: unknown key (expected name, warm or dish, got xyz)"),
        ({"dish": 3}, "menu.yaml: dish: wrong type (expected a mapping, got 3)"),
        ({"dish": {}}, "menu.yaml: dish.kind: missing (expected bread or soup, got nothing)"),
        (
            {"dish": {"kind": "bred"}},
            'menu.yaml: dish.kind: unknown choice: did you mean bread? (expected bread or soup, got "bred")',
        ),
        ({"dish": {"kind": 3}}, "menu.yaml: dish.kind: unknown choice (expected bread or soup, got 3)"),
        ({"dish": {"kind": "soup"}}, "menu.yaml: dish.litres: missing (expected a number 0 < x <= 5, got nothing)"),
        (
            {"dish": {"kind": "soup", "litres": 1.0, "litre": 1}},
            "menu.yaml: dish.litre: unknown key: did you mean litres? (expected kind or litres, got litre)",
        ),
        (
            {"dish": {"kind": "bread", "slices": [1, 9]}},
            "menu.yaml: dish.slices.1: out of range (expected an integer 1 <= x < 9, got 9)",
        ),
        (
            {"dish": {"kind": "bread", "slices": []}},
            "menu.yaml: dish.slices: out of range "
            "(expected a list of 1 to 3 items, each an integer 1 <= x < 9, got [])",
        ),
    ],
)
def test_each_problem_names_the_key_and_what_is_expected_there(change, line):
    assert problems(SOUP | change) == [line]


@pytest.mark.parametrize(
    ("litres", "what", "got"),
    [
        (0.0, "out of range", "0.0"),
        (-1, "out of range", "-1"),
        (5.1, "out of range", "5.1"),
        (True, "wrong type", "true"),
        ("1", "wrong type", '"1"'),
        (float("nan"), "not a finite number", ".nan"),
        (float("inf"), "not a finite number", ".inf"),
        (-float("inf"), "not a finite number", "-.inf"),
    ],
)
def test_numbers_are_shown_as_yaml_writes_them(litres, what, got):
    value = SOUP | {"dish": {"kind": "soup", "litres": litres}}

    assert problems(value) == [f"menu.yaml: dish.litres: {what} (expected a number 0 < x <= 5, got {got})"]


@pytest.mark.parametrize("litres", [5, 5.0, 1e-300])
def test_an_integer_is_a_number_and_bounds_are_those_that_are_said(litres):
    assert schema.check(SOUP | {"dish": {"kind": "soup", "litres": litres}}, Menu, PATH).dish.litres == litres


def test_all_problems_are_reported_together():
    assert problems({"naem": "lunch", "dish": {"kind": "soup", "litres": 9}}) == [
        "menu.yaml: name: missing (expected a text like ^[a-z][a-z0-9_]{0,63}$, got nothing)",
        "menu.yaml: warm: missing (expected true or false, got nothing)",
        "menu.yaml: dish.litres: out of range (expected a number 0 < x <= 5, got 9)",
        "menu.yaml: naem: unknown key: did you mean name? (expected name, warm or dish, got naem)",
    ]


def test_the_key_starts_where_the_value_stands_in_its_file():
    assert problems({"kind": "soup", "litres": 9}, Soup, under="dish") == [
        "menu.yaml: dish.litres: out of range (expected a number 0 < x <= 5, got 9)"
    ]
    assert problems(None, Soup, under="dish") == ["menu.yaml: dish: wrong type (expected a mapping, got nothing)"]
    assert problems([], Soup) == ["menu.yaml: wrong type (expected a mapping, got [])"]


def test_keys_may_be_what_is_wrong():
    assert problems({"Noon": BREAD}, dict[Name, Menu]) == [
        'menu.yaml: Noon: wrong form (expected a text like ^[a-z][a-z0-9_]{0,63}$, got "Noon")'
    ]


def test_a_long_value_is_cut():
    [line] = problems(SOUP | {"name": "x" * 1000})

    assert line.endswith(f'got "{"x" * 76}...)')


SECRETS = [
    "https://me:secret@host/",
    "me:secret@host",
    "me:se cret/secret@host",
    "me:secret\n@host",
    "me:secret@@host/a@b",
    "https://host/@me:secret@host",
    "https://me:secret%40host/@host",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda secret: {"warm": secret}, '"%s***@'),
        (lambda secret: {"warm": ["https://host/", secret]}, "['https://***@"),
        (lambda secret: {"warm": {secret: 1}}, "{'%s***@"),
        (lambda secret: {"warm": {"a": [secret]}}, "{'***@"),
        (lambda secret: {"dish": {"kind": secret}}, '"%s***@'),
        (lambda secret: {secret: 1}, "%s***@"),
    ],
    ids=["text", "list", "key", "nested", "choice", "unknown"],
)
def test_the_user_of_an_address_is_never_shown(secret, change, got):
    [line] = problems(SOUP | change(secret))

    assert "me" not in line.removeprefix("menu.yaml").replace("name", "")
    assert "cret" not in line
    assert f"got {got.replace('%s', 'https://' * secret.startswith('https'))}" in line


def test_of_very_many_problems_the_first_fifty_are_listed_and_the_others_counted():
    lines = problems(SOUP | {f"key{number}": 1 for number in range(1000)})

    assert lines[49] == "menu.yaml: key49: unknown key (expected name, warm or dish, got key49)"
    assert lines[50:] == ["menu.yaml: 950 more problems"]


def test_a_long_key_is_cut():
    assert problems(SOUP | {"x" * 1000: 1}) == [
        f"menu.yaml: {'x' * 157}...: unknown key (expected name, warm or dish, got {'x' * 77}...)"
    ]


def test_keys_that_need_no_form_may_be_no_text():
    assert problems({1: 1}, dict[str, int]) == ["menu.yaml: 1: wrong type: put it in quotes (expected a text, got 1)"]


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
    [("epcohs", ": did you mean epochs?"), ("epoch", ": did you mean epochs?"), ("batch", ""), (3, ""), (None, "")],
)
def test_the_nearest_name_is_proposed_only_when_it_is_near(name, hint):
    assert schema.nearest(name, ["epochs", "seed"]) == hint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("me:secret@host", "***@host"),
        ("HTTPS://me:secret%40host/", "HTTPS://***@host/"),
        ("https://host/data?token=secret", "https://host/data?***"),
        ("https://host/data#secret", "https://host/data?***"),
        ("https://me:se?cret@host/data?token=secret", "https://***@host/data?***"),
        ("me:secret@host/data?token=secret", "***@host/data?***"),
        ("['https://host/?token=secret', 'https://host/']", "['https://host/?***"),
        ("Who is it? #1", "Who is it? #1"),
        ("/srv/a set?/a.gz", "/srv/a set?/a.gz"),
        ("100%", "100%"),
    ],
)
@pytest.mark.fault("passwords in addresses, tokens behind them")
def test_what_is_secret_in_an_address_is_left_out_and_nothing_else(text, shown):
    assert schema.redacted(text) == shown


def test_a_long_text_takes_no_long_time():
    start = time.process_time()

    assert schema.redacted("a:/" * 20_000) == "a:/" * 20_000
    assert time.process_time() - start < SOON_S


def test_each_thing_that_a_validator_finds_is_a_problem_and_counts_as_one():
    def find(number):
        raise ValueError(*(f"finding {index}" for index in range(number)))

    found = Annotated[int, AfterValidator(find)]

    assert problems(2, found) == ["menu.yaml: finding 0", "menu.yaml: finding 1"]
    assert problems(51, found)[49:] == ["menu.yaml: finding 49", "menu.yaml: 1 more problems"]
