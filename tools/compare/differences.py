"""What else differs between two sides: params, code, data and packages."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tools.compare.sides import Side


class Pair(NamedTuple):
    """A value on each side, None if the side does not have it."""

    base: Any
    new: Any


class Differences(NamedTuple):
    """The titles of the sides, and their values that differ, by name; files by their MD5.

    packages is None if a side has no record of its packages.
    """

    sides: Pair
    params: dict[str, Pair]
    files: dict[str, Pair]
    packages: dict[str, Pair] | None


def between(base: Side, new: Side) -> Differences:
    """Return what differs between two sides."""
    versions = base.versions(), new.versions()
    return Differences(
        sides=Pair(base.title, new.title),
        params=differing(base.record.params(), new.record.params()),
        files=differing(_files(base), _files(new)),
        packages=None if versions[0] is None or versions[1] is None else differing(versions[0], versions[1]),
    )


def differing(base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Pair]:
    """Return the values that differ, by name. As in JSON, 1 is not true."""
    pairs = {key: Pair(base.get(key), new.get(key)) for key in sorted({*base, *new})}
    return {key: pair for key, pair in pairs.items() if json.dumps(pair.base) != json.dumps(pair.new)}


def _files(side: Side) -> dict[str, str | None]:
    raw = side.path("raw")
    return {raw: side.record.output(raw), **side.record.sources()}
