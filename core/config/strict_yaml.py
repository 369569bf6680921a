"""YAML read so that it means one thing: what DVC reads (YAML 1.2) and PyYAML reads (YAML 1.1) agree, or it is refused.

DVC decides from its own reading of params.yaml what reruns. If ours differed, a stage could train on a value other than
the one DVC recorded.
"""

import re
from pathlib import Path

import yaml

from core.cli.errors import InputError, Problem
from core.config.schema import redacted, refusal

MOST_BYTES = 64 * 1024
MOST_DEPTH = 20
MOST_DIGITS = 100

_NUMBER = {
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9]*)",
    "tag:yaml.org,2002:float": r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
_WORD = {
    "tag:yaml.org,2002:null": r"~|null|Null|NULL|",
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
}
# What one of the two parsers takes for a boolean, a number, a time or a date, and the other may not.
_AMBIGUOUS = re.compile(
    r"(?:y|n|yes|no|on|off)|[-+]?0[xob][0-9a-f_]*|[-+]?[.:]*[0-9_][0-9_.:]*(?:e[-+]?[0-9_.]+)?|"
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\s].*)?|=|<<",
    re.IGNORECASE,
)
# Refused wherever it stands: a directive, for with one DVC reads YAML 1.1; the end of a document, for parsers differ on
# what may follow; line breaks of YAML 1.1 that are none in 1.2; and what is no character of YAML at all.
_FOREIGN = re.compile(
    r"^(?:%\w*|\.\.\.)|\r(?!\n)|[^\t\r\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
    re.MULTILINE,
)


class _Loader(yaml.SafeLoader):
    """Builds only mappings, lists and scalars; refuses aliases and tags, notes repeated keys and ambiguous scalars."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's way to start from none
    depth = 0

    def __init__(self, text: str):
        super().__init__(text)
        self.flaws: list[tuple[int, str]] = []

    def note(self, problem, mark):
        self.flaws.append((mark.line + 1, problem))

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error("anchors and aliases are not used here", event.start_mark)
        if getattr(event, "tag", None):
            raise _error("tags are not used here", event.start_mark)
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise _error(f"nested more than {MOST_DEPTH} levels deep", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node, deep=False):
        mapping: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, value = self.construct_object(key_node, deep=True), self.construct_object(value_node, deep)
            if not isinstance(key, str):
                self.note("a key that is no text: put it in quotes", key_node.start_mark)
                continue
            if key in lines:
                self.note(f"key {redacted(key)!r:.80} stands twice, also on line {lines[key]}", key_node.start_mark)
            mapping[key], lines[key] = value, key_node.start_mark.line + 1
        return mapping

    def construct_text(self, node):
        if node.style is None and _AMBIGUOUS.fullmatch(node.value):
            what = f"YAML readers differ on {redacted(node.value):.80}"
            self.note(f"{what}: put it in quotes, or write a plain number, true or false", node.start_mark)
        return self.construct_scalar(node)

    def construct_integer(self, node):
        if (digits := len(node.value.lstrip("+-"))) > MOST_DIGITS:
            self.note(f"an integer of {digits} digits: put it in quotes, or write a smaller one", node.start_mark)
            return node.value
        return int(node.value)

    def construct_float(self, node):
        return float(re.sub(r"\.(?=inf|nan)", "", node.value.lower()))


for _tag, _pattern in (_NUMBER | _WORD).items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), None)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_text)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)


def load(path: Path) -> dict[str, object]:
    """Return the mapping that a YAML file holds.

    Raises InputError, with the line number where there is one, for a file that is missing, larger than 64 KiB, no
    UTF-8, no YAML, no mapping, nested more than MOST_DEPTH levels deep, or that has a construct which two YAML readers
    would take differently; of keys and values that are at fault, with each of them.
    """
    text = _read_text(path)
    try:
        loader = _Loader(text)
        value = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(_problem(path, f"{line}{error.problem or error.context}")) from error
    except (ValueError, OverflowError) as error:  # PyYAML passes the number of an escape to chr as it is
        raise InputError(_problem(path, "an escape in double quotes that names no character")) from error
    if loader.flaws:
        raise refusal(path, sorted(loader.flaws), lambda flaw: _problem(path, f"line {flaw[0]}: {flaw[1]}"))
    if not isinstance(value, dict):
        raise InputError(_problem(path, "not a mapping of keys to values", "a mapping", _kind(value)))
    return value


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        fix = f"git checkout -- {path}, or run from the folder that holds it"
        raise InputError(Problem(str(path), "no such file", fix=fix)) from error
    if len(data) > MOST_BYTES:
        raise InputError(_problem(path, "too large", f"at most {MOST_BYTES} bytes", "more"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(_problem(path, f"not UTF-8 on line {line}")) from error
    if foreign := _FOREIGN.search(text):
        line = text.count("\n", 0, foreign.start()) + 1
        raise InputError(_problem(path, f"line {line}: not used here: {foreign[0]}"))
    return text


def _error(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else "a single value"


def _problem(path: Path, what: str, expected: str = "", got: str = "") -> Problem:
    return Problem(str(path), what, expected=expected, got=got, fix=f"edit {path}, then dvc repro")
