"""dvc.lock, as far as it names outputs, and how DVC makes one digest of the files of a folder."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from core.cli.errors import DataError, Problem
from tools.compare import WORKSPACE
from tools.compare.lock import PATH, remedy, stages_of

PIPELINE = "dvc.yaml"
MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")

# What each file of an output holds, by its path within the output; an output that is one file has the path "".
# A text is an MD5, or says in words why there is none.
Files = Mapping[str, str]


class Out(NamedTuple):
    """An output as dvc.lock records it, and who keeps it."""

    stage: str
    path: str
    md5: str
    kept_by: Literal["DVC", "git"]

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")

    def named(self, name: str) -> str:
        """Return the path of one of its files."""
        return f"{self.path}/{name}" if name else self.path


def _relative(path: str) -> str:
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError("leads elsewhere")
    return path


_Path = Annotated[str, AfterValidator(_relative)]


class _Out(BaseModel):
    path: _Path
    hash: Literal["md5"]
    md5: Annotated[str, Field(pattern=rf"^{MD5.pattern}$")]


class _Stage(BaseModel):
    outs: list[_Out] = []


class _Member(BaseModel):
    relpath: _Path
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


_LOCK, _LISTING = TypeAdapter(dict[str, _Stage]), TypeAdapter(list[_Member])


def parse(text: str, pipeline: str, *, where: str = "", fix: str = "") -> list[Out]:
    """Return the outputs that dvc.lock names, in its order; git keeps those that dvc.yaml has `cache: false` for.

    Raises DataError, which says where the file is and how to mend it, unless both are whole. Without a `fix` they are
    those of the workspace.
    """
    try:
        mend = fix or remedy(WORKSPACE)
        stages = _LOCK.validate_python(stages_of(text, where + PATH, mend))
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(
            Problem(where + PATH, "not whole", expected="a record of stages", got=_said(error), fix=mend)
        ) from error
    try:
        uncached = _uncached(yaml.safe_load(pipeline))
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        mend = fix or f"git checkout HEAD -- {PIPELINE}, or mend what git diff shows of it"
        raise DataError(
            Problem(where + PIPELINE, "not whole", expected="stages", got=_said(error), fix=mend)
        ) from error
    return [
        Out(name, out.path, out.md5, "git" if out.path in uncached else "DVC")
        for name, stage in stages.items()
        for out in stage.outs
    ]


def digest(folder: Files) -> str:
    """Return what DVC records for a folder: the MD5 of the list of its files, and `.dir`."""
    listing = [{"md5": folder[name], "relpath": name} for name in sorted(folder)]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"


def members(listing: bytes) -> Files | None:
    """Return the files that such a list has; None if it is none, or names a file elsewhere."""
    try:
        return {member.relpath: member.md5 for member in _LISTING.validate_json(listing)}
    except ValidationError:
        return None


def declared(pipeline: str) -> list[str]:
    """Return the paths of all outputs in dvc.yaml, which `parse` has found whole."""
    return [path for path, _ in _outs(yaml.safe_load(pipeline))]


def _uncached(pipeline: Any) -> set[str]:
    return {path for path, options in _outs(pipeline) if not options.get("cache", True)}


def _outs(pipeline: Any) -> list[tuple[str, Any]]:
    """Return each output's path, and what dvc.yaml says of it."""
    items = [
        item if isinstance(item, dict) else {item: {}}
        for stage in pipeline["stages"].values()
        for kind in ("outs", "metrics", "plots")
        for item in stage.get(kind, [])
    ]
    return [entry for item in items for entry in item.items()]


def _said(error: Exception) -> str:
    """Return the first thing that is wrong, in a line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['msg']} at {'.'.join(map(str, first['loc']))}"
    return " ".join(str(error).split())
