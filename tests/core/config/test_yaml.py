"""YAML that means one thing. The judge of what it means is ruamel.yaml, set as DVC sets it."""

import math
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from core.cli.errors import InputError
from core.config import strict_yaml

SOON_S = 2  # a second, and another one for a slow machine
PATH = Path("params.yaml")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text):
    PATH.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return strict_yaml.load(PATH)


def refusals(text):
    """Return the lines that refuse a text, without the file's name and the remedy, which are always the same."""
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        load(text)
    assert time.process_time() - start < SOON_S
    lines = list(map(str, caught.value.problems))
    for line in lines:
        assert "\n" not in line
        assert line.startswith("params.yaml: ")
        assert line.endswith("; fix: edit params.yaml, then dvc repro")
    return [
        line.removeprefix("params.yaml: ").removesuffix("; fix: edit params.yaml, then dvc repro") for line in lines
    ]


def refusal(text):
    """Return the one line that refuses a text."""
    [line] = refusals(text)
    return line


def as_dvc_reads(text):
    return YAML(typ="safe", pure=True).load(text)


def same(ours, theirs):
    """Tell whether two values are equal and of equal types, throughout; NaN is equal to NaN."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs or (isinstance(ours, float) and math.isnan(ours) and math.isnan(theirs))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("0.5", 0.5),
        ("-2.50", -2.5),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1e+2", 100.0),
        ("2.5e-1", 0.25),
        ("1e400", math.inf),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("+.INF", math.inf),
        (".nan", math.nan),
        (".NaN", math.nan),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("nan", "nan"),
        ("inf", "inf"),
        ("adam", "adam"),
        ("T-shirt/top", "T-shirt/top"),
        ("70,000 pictures", "70,000 pictures"),
        ("a: b", {"a": "b"}),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ('"1:30"', "1:30"),
        ('"\\u00c4\\n"', "Ä\n"),
        ("服 😀", "服 😀"),
        ("[0, 1.0, a, [], {}]", [0, 1.0, "a", [], {}]),
        ("a  # a comment", "a"),
        ("a#b", "a#b"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
    ],
)
@pytest.mark.fault("a text that our reader and DVC's take for different values")
def test_values_are_those_that_dvc_reads(text, value):
    text = f"k: {text}" if "a: b" not in text else f"k: {{{text}}}"

    assert same(load(text), {"k": value})
    assert same(as_dvc_reads(text), {"k": value})


@pytest.mark.parametrize(
    "scalar",
    [
        *("yes", "no", "on", "off", "Yes", "NO", "y", "n"),
        *("010", "08", "-010", "0o10", "0x1F", "0b101", "1_000", "0_0", "1_0.5"),
        *("1:30", "190:20:30", "1:30.5", "-1:30"),
        *("-.5", "._5", ".5", ".5e2", "5.", "1.e3", "+.5", "._", "+_", "-_", "1.5e3.0"),
        *("2001-12-14", "2001-12-14 21:59:43.10 -5", "2001-12-14t21:59:43.10-05:00"),
        "=",
    ],
)
@pytest.mark.fault("a text that our reader and DVC's take for different values")
def test_scalars_on_which_readers_differ_are_refused_unless_quoted(scalar):
    what = f"line 2: YAML readers differ on {scalar}: put it in quotes, or write a plain number, true or false"
    assert refusal(f"a: 1\nk: {scalar}\n") == what
    assert refusal(f"a: 1\n{scalar}: 1\n") == what

    assert load(f"k: '{scalar}'") == {"k": scalar} == as_dvc_reads(f"k: '{scalar}'")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 1\n", "line 3: key 'a' stands twice, also on line 1"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "line 4: key 'b' stands twice, also on line 2"),
        ("a: {b: 1,\n 'b': 1}", "line 2: key 'b' stands twice, also on line 1"),
        ("a: [{b: 1, b: 2}]", "line 1: key 'b' stands twice, also on line 1"),
        ("me:x@host: 1\nme:x@host: 1\n", "line 2: key '***@host' stands twice, also on line 1"),
        (f"{'a' * 999}: 1\n" * 2, f"line 2: key '{'a' * 79} stands twice, also on line 1"),
        ("a: !<https://me:secret@host> 1\n", "line 1: tags are not used here"),
        (
            "a: 2001-12-14 me:secret@host\n",
            "line 1: YAML readers differ on ***@host: put it in quotes, or write a plain number, true or false",
        ),
        ("1: a\nb: 1.0\n", "line 1: a key that is no text: put it in quotes"),
        ("a: 1\ntrue: 1\n", "line 2: a key that is no text: put it in quotes"),
        ("a: 1\n~: 1\n", "line 2: a key that is no text: put it in quotes"),
        ("? [a, b]\n: 1\n", "line 1: a key that is no text: put it in quotes"),
        ("? {a: b}\n: 1\n", "line 1: a key that is no text: put it in quotes"),
        (
            "a: 1\n<<: {b: 1}\n",
            "line 2: YAML readers differ on <<: put it in quotes, or write a plain number, true or false",
        ),
        ("a: &x 1\n", "line 1: anchors and aliases are not used here"),
        ("a: 1\nb: *x\n", "line 2: anchors and aliases are not used here"),
        ("&x a: 1\n", "line 1: anchors and aliases are not used here"),
        ("a: !!str 1\n", "line 1: tags are not used here"),
        ("a: ! 1\n", "line 1: tags are not used here"),
        ("a: !custom {}\n", "line 1: tags are not used here"),
        ("%YAML 1.1\n---\na: 010\n", "line 1: not used here: %YAML"),
        ("# a comment\n%TAG ! tag:example.com,2000:\n---\na: 1\n", "line 2: not used here: %TAG"),
        ("a: 1\n...\n", "line 2: not used here: ..."),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: 1\n\tb: 2\n", "line 2: found character '\\t' that cannot start any token"),
        ("a: b: c\n", "line 1: mapping values are not allowed here"),
        ("a: 1\nb: [1, 2\nc: 3\n", "line 3: expected ',' or ']', but got ':'"),
        ("a: 'open\n", "line 2: found unexpected end of stream"),
        ("a: 1\nb: x\0y\n", "line 2: not used here: \\x00"),
        ("a: 1\nb: x\x1b[31m\n", "line 2: not used here: \\x1b"),
        ("a: 1\rb: 2\n", "line 1: not used here: \\r"),
        ("a: 1\nb: x\x85y\n", "line 2: not used here: \\x85"),
        ("a: x\u2028y\n", "line 1: not used here: \\u2028"),
        ("a: x\u2029y\n", "line 1: not used here: \\u2029"),
        ("a: x\ufeffy\n", "line 1: not used here: \\ufeff"),
        ("a: 1\nb: Bücher\n".encode("latin-1"), "not UTF-8 on line 2"),
        ("a: 1\n".encode("utf-16"), "not UTF-8 on line 1"),
        ("", "not a mapping of keys to values (expected a mapping, got nothing)"),
        ("# only a comment\n", "not a mapping of keys to values (expected a mapping, got nothing)"),
        ("- a\n- b\n", "not a mapping of keys to values (expected a mapping, got a list)"),
        ("adam\n", "not a mapping of keys to values (expected a mapping, got a single value)"),
        ("3\n", "not a mapping of keys to values (expected a mapping, got a single value)"),
        ("a: " + "[" * 3000 + "]" * 3000, "line 1: nested more than 20 levels deep"),
        ("a: " + "{b: " * 3000, "line 1: nested more than 20 levels deep"),
        ("a: 1\nb: " + "[" * 20 + "]" * 20, "line 2: nested more than 20 levels deep"),
        ("\n".join(f"{'  ' * depth}a:" for depth in range(20)) + " 1", "line 20: nested more than 20 levels deep"),
        ("a: 1\nb: " + "7" * 5000, "line 2: an integer of 5000 digits: put it in quotes, or write a smaller one"),
        ("a: -" + "7" * 101, "line 1: an integer of 101 digits: put it in quotes, or write a smaller one"),
        ('a: "\\U00110000"', "an escape in double quotes that names no character"),
        ('a: "\\UFFFFFFFF"', "an escape in double quotes that names no character"),
        ("a: b\n" + "#" * 65532, "too large (expected at most 65536 bytes, got more)"),
    ],
)
@pytest.mark.fault("bad syntax, a tab, Latin-1, NUL")
@pytest.mark.fault("a key twice")
@pytest.mark.fault("alias bombs, depth, huge integers and files, two documents, no mapping")
def test_refused_texts_have_one_line_that_says_where(text, line):
    assert refusal(text) == line


def test_all_keys_and_values_that_are_at_fault_are_named_in_the_order_of_their_lines():
    text = f"""a:
  b: [x, {{c: yes}}]
  d: 010
1: on
e: {"7" * 101}
a: 1
? [no]
: 2
"""
    quoted = "put it in quotes"
    differ = f"{quoted}, or write a plain number, true or false"

    assert refusals(text) == [
        f"line 2: YAML readers differ on yes: {differ}",
        f"line 3: YAML readers differ on 010: {differ}",
        f"line 4: YAML readers differ on on: {differ}",
        f"line 4: a key that is no text: {quoted}",
        f"line 5: an integer of 101 digits: {quoted}, or write a smaller one",
        "line 6: key 'a' stands twice, also on line 1",
        f"line 7: YAML readers differ on no: {differ}",
        f"line 7: a key that is no text: {quoted}",
    ]


def test_of_very_many_at_fault_the_first_fifty_are_listed_and_the_others_counted():
    lines = refusals("".join(f"a{number}: 010\n" for number in range(1000)))

    assert [line.split(":")[0] for line in lines[:50]] == [f"line {number}" for number in range(1, 51)]
    assert lines[50:] == ["950 more problems"]


def test_integers_of_100_digits_and_20_levels_are_read():
    deepest = "[" * 19 + "a" + "]" * 19
    assert load(f"a: {'7' * 100}") == {"a": int("7" * 100)}
    assert load(f"a: {deepest[1:-1]}") == as_dvc_reads(f"a: {deepest[1:-1]}")


@pytest.mark.fault("alias bombs, depth, huge integers and files, two documents, no mapping")
def test_an_alias_bomb_is_refused_at_its_first_anchor():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]

    assert refusal("\n".join(lines)) == "line 1: anchors and aliases are not used here"


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch canary']",
        "!!python/object/new:os.system ['touch canary']",
        "!!python/object/apply:builtins.open [canary, w]",
        "a: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [canary]]",
        "? !!python/object/apply:os.system ['touch canary']\n: 1",
    ],
)
@pytest.mark.fault("tags that would run code")
def test_code_in_tags_never_runs(text):
    assert refusal(text) == "line 1: tags are not used here"
    assert not Path("canary").exists()


@pytest.mark.parametrize(
    "scalar", ["1_" * 30_000 + "x", "1." * 30_000 + "x", "1" + ":" * 60_000 + "x", "_" * 60_000 + "x"]
)
def test_long_scalars_take_no_long_time(scalar):
    start = time.process_time()

    assert load(f"a: {scalar}") == {"a": scalar}
    assert time.process_time() - start < SOON_S


def test_a_file_of_64_kib_is_read():
    assert load("a: b\n" + "#" * (65536 - 5)) == {"a": "b"}


@pytest.mark.fault("a byte order mark")
def test_a_byte_order_mark_and_windows_newlines_are_accepted():
    assert load(b"\xef\xbb\xbfa: 1\r\nb:\r\n  - 2\r\n") == {"a": 1, "b": [2]}


def test_an_explicit_document_start_is_accepted():
    assert load("---\na: 1\n") == {"a": 1}


def test_a_missing_file_says_where_to_look():
    with pytest.raises(InputError) as caught:
        strict_yaml.load(PATH)

    assert str(caught.value) == (
        "params.yaml: no such file; fix: git checkout -- params.yaml, or run from the folder that holds it"
    )


# What YAML gives a meaning to, so that arbitrary texts are more often nearly YAML than not.
CHARACTERS = "ab10:-#,[]{}|>?&*!%@`~._=\"' \\\n\t\r\x85\u2028\ufeffÄ😀"
WORDS = [": ", "- ", " #", "\n  ", "---\n", "...", "null", "true", "yes", ".5", "1e3", "0x", "<<", "2001-01-01", "1:30"]
PIECES = st.lists(st.sampled_from([*CHARACTERS, *WORDS]), max_size=12)
NEARLY_YAML = st.tuples(st.sampled_from(["", "k: ", "k:\n  "]), PIECES).map(lambda parts: parts[0] + "".join(parts[1]))


@given(st.one_of(st.text(max_size=50), NEARLY_YAML).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"k: \x80")
@settings(max_examples=400)
def test_any_text_gives_what_dvc_reads_or_an_input_error(data):
    try:
        ours = load(data)
    except InputError as error:
        assert all("\n" not in str(problem) for problem in error.problems)
        return
    assert isinstance(ours, dict)
    assert same(ours, as_dvc_reads(data.decode("utf-8-sig")))


@given(st.text("0123456789eE+-._:xobnaifINFytrusl~= T", max_size=8))
@example("1_000")
@example("._5")
@example("+_")
@settings(max_examples=400)
def test_any_plain_scalar_has_the_value_that_dvc_reads_or_is_refused(scalar):
    text = f"k: {scalar}\n"
    try:
        ours = load(text)
    except InputError:
        return
    assert same(ours, as_dvc_reads(text))
