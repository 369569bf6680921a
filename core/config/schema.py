"""Parsed YAML held against a pydantic model; every problem of a file is reported at once, in our own words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.cli.errors import InputError, Problem


class Strict(BaseModel):
    """A section of a file: no key more, no key less, no value of another type, no NaN and no infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


# The name of a data set: it becomes part of addresses and file names, so nothing else is let through.
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

MOST_CLASSES = 256  # as many as a label, a byte, can tell apart
# The names of classes, in the order of the labels. The lengths also make pydantic look at the characters: lone
# surrogates can't be written.
ClassNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=MOST_CLASSES)
]

Model = TypeVar("Model")
Finding = TypeVar("Finding")

# A file with more problems than this is not one with slips, but another file.
MOST_PROBLEMS = 50
MOST_OF_A_KEY = 160  # more than any key has that may be in a file


def check(value: object, model: type[Model], path: Path, *, under: str = "") -> Model:
    """Return `value`, which stands in `path` below `under`, as a `model`.

    Raises InputError with every problem; of more than MOST_PROBLEMS it counts the others.
    """
    adapter = TypeAdapter(model)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        schema = adapter.json_schema()
        raise refusal(path, _apart(error), lambda e: _problem(e, schema, path, under)) from error


def refusal(path: Path, findings: Iterable[Finding], say: Callable[[Finding], Problem]) -> InputError:
    """Return the error that says each finding in a file; of more than MOST_PROBLEMS it counts the others."""
    findings = list(findings)
    problems = [say(finding) for finding in findings[:MOST_PROBLEMS]]
    if more := len(findings) - len(problems):
        problems.append(Problem(str(path), f"{more} more problems", fix=_fix(path)))
    return InputError(*problems)


def _apart(error: ValidationError) -> Iterator[Mapping[str, Any]]:
    """Yield pydantic's errors; a validator of ours names all that it finds, each as an argument of its ValueError."""
    for each in error.errors(include_url=False):
        if each["type"] == "value_error":
            yield from ({**each, "ctx": {"error": what}} for what in each["ctx"]["error"].args)
        else:
            yield each


def one_of(names: Iterable[str]) -> str:
    """Return names as prose: `a`, `a or b`, `a, b or c`; of none, an empty text."""
    names = list(names)
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def nearest(name: object, names: Iterable[str]) -> str:
    """Return `: did you mean x?` for the name most like `name`, or nothing."""
    close = get_close_matches(str(name), list(names), n=1)
    return f": did you mean {close[0]}?" if close else ""


def _problem(error: Mapping[str, Any], schema: dict[str, Any], path: Path, under: str) -> Problem:
    loc, kind = error["loc"], error["type"]
    if kind.startswith("union_tag"):  # the discriminator of a union is missing or unknown: that key is what is wrong
        tag = error["ctx"]["discriminator"].strip("'")
        error = {**error, "input": error["input"].get(tag)}
        loc, kind = (*loc, tag), "missing" if kind == "union_tag_not_found" else "literal_error"
    node, key = _node(schema, loc)
    expected, got = _described(node, schema), _shown(error["input"])
    if kind == "missing":
        what, got = "missing", "nothing"
    elif kind == "extra_forbidden":
        keys = list(_node(schema, loc[:-1])[0].get("properties", {}))
        what, expected, got = f"unknown key{nearest(loc[-1], keys)}", one_of(keys), _cut(redacted(str(loc[-1])))
    elif kind == "literal_error":
        what = f"unknown choice{nearest(error['input'], _choices(node))}"
    elif kind == "finite_number":
        what = "not a finite number"
    elif kind == "value_error":
        what, expected, got = str(error["ctx"]["error"]), "", ""
    elif kind.endswith("_type"):
        what = "wrong type: put it in quotes" if kind == "string_type" and got[0].isdigit() else "wrong type"
    elif kind in ("string_pattern_mismatch", "string_unicode"):
        what = "wrong form"
    else:
        what = "out of range"
    place = ".".join(filter(None, [under, key]))
    subject = f"{path}: {_cut(place, MOST_OF_A_KEY)}" if place else str(path)
    return Problem(subject, what, expected=expected, got=got, fix=_fix(path))


def _fix(path: Path) -> str:
    return f"edit {path}, then dvc repro"


def _node(schema: dict[str, Any], loc: tuple[int | str, ...]) -> tuple[dict[str, Any], str]:
    """Return the JSON Schema of the value at `loc`, and `loc` as the key that a user would look for.

    A location names the branch of a union as if it were a key; that part leads deeper into the schema and not into the
    file, so it is left out of the key.
    """
    node, key = _resolved(schema, schema), []
    for depth, part in enumerate(loc, 1):
        choice = node.get("discriminator", {})
        if part in choice.get("mapping", {}):
            node = _resolved({"$ref": choice["mapping"][part]}, schema)
            continue
        key.append(redacted(str(part)))
        if part == choice.get("propertyName"):
            node = {"enum": list(choice["mapping"])}
        elif loc[depth:] == ("[key]",):  # not a value but its key is wrong
            patterns = [{"pattern": pattern} for pattern in node.get("patternProperties", {})]
            return {"type": "string"} | dict(*patterns), ".".join(key)
        else:
            others = [*node.get("patternProperties", {}).values(), node.get("additionalProperties"), node.get("items")]
            node = _resolved(node.get("properties", {}).get(part) or next(filter(None, others), {}), schema)
    return node, ".".join(key)


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return schema["$defs"][reference.removeprefix("#/$defs/")] if reference else node


_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def _described(node: dict[str, Any], schema: dict[str, Any]) -> str:
    """Say in words what a JSON Schema node asks for."""
    if "enum" in node or "const" in node:
        return one_of(map(str, _choices(node)))
    words = [_KINDS.get(node.get("type", ""), "a mapping")]
    if "exclusiveMinimum" in node or "minimum" in node:
        low = f"{node['minimum']} <=" if "minimum" in node else f"{node['exclusiveMinimum']} <"
        high = f"<= {node['maximum']}" if "maximum" in node else f"< {node['exclusiveMaximum']}"
        words.append(f"{low} x {high}")
    if "pattern" in node:
        words.append(f"like {node['pattern']}")
    if "maxItems" in node:
        least, most = node["minItems"], node["maxItems"]
        words.append(f"of {most if least == most else f'{least} to {most}'} items,")
    if "maxLength" in node:
        words.append(f"of {node['minLength']} to {node['maxLength']} characters")
    if "items" in node:
        words.append(f"each {_described(_resolved(node['items'], schema), schema)}")
    return " ".join(words)


def _choices(node: dict[str, Any]) -> list[str]:
    return node.get("enum", [node.get("const")])


def _shown(value: object) -> str:
    """Return a value as one would write it in YAML, cut where it is long, without what is secret in an address."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "nothing"}[value]
    elif isinstance(value, float):
        text = repr(value).replace("inf", ".inf").replace("nan", ".nan")
    else:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    return _cut(redacted(text))


def redacted(text: str) -> str:
    """Return a text without what may be a user's name, a password or a token, however badly written: all before its
    last @, but for the scheme, and in an address all that follows a ? or a #.
    """
    named = re.sub(r"^([\[{\"']{0,4}(?:https?://)?).*(@|%40)", r"\1***@", text, flags=re.DOTALL | re.IGNORECASE)
    if not (address := re.search(r"\w:/|\*{3}@", named)):
        return named
    return named[: address.end()] + re.sub(r"[?#].*", "?***", named[address.end() :], flags=re.DOTALL)


def _cut(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
