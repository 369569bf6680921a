"""Check parsed YAML or JSON against a pydantic model, and report every problem in one line of its own."""

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.cli.errors import InputError, Problem


class Strict(BaseModel):
    """A section of a file: only the declared keys, only values of the declared type, no NaN and no infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


NAME = "^[a-z][a-z0-9_]{0,63}$"  # of a data set, which is part of addresses and file names
Name = Annotated[str, Field(pattern=NAME)]

MOST_CLASSES = 256  # a label is one byte


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"has blanks around it, or characters that cannot be shown: {text!r}")
    return text


def _unique(names: list[str]) -> list[str]:
    """Refuse class names that are equal, or differ in upper and lower case only."""
    for index, name in enumerate(names):
        if name.casefold() in map(str.casefold, names[:index]):
            raise ValueError(f"two classes have the same name: {name}")
    return names


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
# The names of the classes, in the order of the labels.
ClassNames = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]],
    Field(min_length=1, max_length=MOST_CLASSES),
    AfterValidator(_unique),
]

Model = TypeVar("Model")
Location = tuple[int | str, ...]


def check(value: object, model: type[Model], path: Path, *, under: str = "") -> Model:
    """Return the value, which the file has at the key `under`, as a model. Raises InputError with every problem."""
    try:
        return TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        missing = [each["loc"] for each in errors if each["type"] == "missing"]
        raise InputError(
            *(_problem(each, value, _meant(each, missing, model), path, under) for each in errors)
        ) from error


def one_of(names: Iterable[str]) -> str:
    """Join names as prose: `a`, `a or b`, `a, b or c`; no names give an empty text."""
    names = list(map(str, names))
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def nearest(name: object, names: Iterable[str]) -> str:
    """Return `: did you mean x?` for the name most like `name`, or an empty text."""
    close = get_close_matches(str(name), list(map(str, names)), n=1)
    return f": did you mean {close[0]}?" if close else ""


# What YAML calls the types that pydantic names.
_TYPES = {
    "bool_type": "true or false",
    "string_type": "a text, in quotes if it looks like a number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _meant(error: Mapping[str, Any], missing: list[Location], model: object) -> Iterable[str]:
    """Return the keys for which an unknown key may stand: those missing beside it, or else those of its section."""
    section = error["loc"][:-1]
    return [str(key) for *parent, key in missing if parent == list(section)] or _keys(model, section)


def _keys(kind: object, section: Location) -> Iterable[str]:
    """Return the keys of a section of a model. In a union of models, the first step is the format of one of them."""
    for step in section:
        for model in _models(kind):
            fields = model.model_fields
            if step in fields or ("format" in fields and get_args(fields["format"].annotation) == (step,)):
                kind = fields[str(step)].annotation if step in fields else model
                break
        else:
            return []
    return [key for model in _models(kind) for key in model.model_fields]


def _models(kind: object) -> list[type[BaseModel]]:
    """Return the models in a type, such as a union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for part in get_args(kind) for model in _models(part)]


def _problem(error: Mapping[str, Any], value: object, meant: Iterable[str], path: Path, under: str) -> Problem:
    """Return an error of pydantic as a Problem. meant: the keys for which an unknown key may stand."""
    location, kind, context = error["loc"], error["type"], error.get("ctx", {})
    got = context.get("tag", error["input"])
    what, _, expected = error["msg"].removeprefix("Value error, ").partition("Input should be ")
    if "discriminator" in context:
        location = (*location, context["discriminator"].strip("'"))
    if kind in ("missing", "union_tag_not_found"):
        what = "missing"
    elif kind == "extra_forbidden":
        what = f"unknown key{nearest(location[-1], meant)}"
    elif choices := re.findall("'([^']*)'", str(context.get("expected", context.get("expected_tags")))):
        what, expected = f"unknown choice{nearest(got, choices)}", one_of(choices)
    elif expected:
        what, expected = "wrong value", _TYPES.get(kind, expected)
    place = ".".join(filter(None, [under, _key(location, value) if location else ""]))
    subject = f"{path}: {place}" if place else str(path)
    return Problem(subject, what, expected=expected, got=_shown(got), fix=f"edit {path}, then dvc repro")


def _key(location: Location, value: Any) -> str:
    """Return a location as the key in the file, without the branches of a union, which pydantic names too."""
    *path, last = location
    parts: list[str] = []
    for part in path:
        if isinstance(value, dict) and value.get("format") == part:
            continue  # the branch of the union of cards
        if isinstance(value, list) or (isinstance(value, dict) and part in value):
            parts.append(str(part))
            value = value[part]  # type: ignore[index] # the part of a list is its index
    return ".".join([*parts, *([str(last)] if last != "[key]" else [])])


def _shown(value: object) -> str:
    """Return a value as JSON, cut to 80 characters, without the user names and passwords of addresses."""
    text = re.sub("//[^/ ]*@", "//***@", json.dumps(value, ensure_ascii=False, skipkeys=True, default=str))
    return text if len(text) <= 80 else f"{text[:77]}..."
