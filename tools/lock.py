"""dvc.lock: what each stage read and what it made in the run that DVC recorded."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from core.cli.errors import DataError, Problem
from core.config import yaml
from core.files import records
from tools.pipeline import Pipeline

PATH = "dvc.lock"

# The MD5 of each file of an output, by its path within the output; an output that is a single file has the path "".
Files = Mapping[str, str]


class Item(BaseModel):
    """A dependency or an output. The MD5 of a folder is that of the list of its files, and ends with `.dir`."""

    path: str
    md5: str


class Stage(BaseModel):
    """One stage: its params by file and section, as they stand in the file."""

    deps: list[Item] = []
    outs: list[Item] = []
    params: dict[str, dict[str, Any]] = {}


class Lock(BaseModel):
    """All stages that were run, in the order of the pipeline."""

    stages: dict[str, Stage]

    def output(self, path: str) -> str | None:
        """Return the MD5 of an output, None if no stage made it."""
        return next((out.md5 for stage in self.stages.values() for out in stage.outs if out.path == path), None)

    def dependency(self, stage: str, path: str) -> str | None:
        """Return the MD5 of a dependency of a stage, None if it had no such dependency."""
        return next((dep.md5 for dep in self.stages[stage].deps if dep.path == path), None)

    def sources(self) -> dict[str, str]:
        """Return the MD5 of each dependency that no stage made, such as code, by its path."""
        made = {out.path for stage in self.stages.values() for out in stage.outs}
        return {dep.path: dep.md5 for stage in self.stages.values() for dep in stage.deps if dep.path not in made}

    def params(self) -> dict[str, Any]:
        """Return all params by their full names, such as "train.epochs"."""
        params: dict[str, Any] = {}
        for stage in self.stages.values():
            for file, sections in stage.params.items():
                params |= _flat(sections, "" if file == "params.yaml" else f"{file}: ")
        return params


def read(data: bytes, subject: str = PATH, fix: str = f"git checkout HEAD -- {PATH}, then dvc repro") -> Lock:
    """Return the record. Raises DataError, with its name and the way to repair it, if it is damaged."""
    try:
        return Lock.model_validate(yaml.parse(data.decode("utf-8")))
    except ValueError as error:
        raise DataError(Problem(subject, f"damaged: {records.reason(error)}", fix=fix)) from error


class Out(NamedTuple):
    """A recorded output. DVC keeps it in its cache if `cached`, and git keeps it otherwise."""

    stage: str
    path: str
    md5: str
    cached: bool


def outs(record: Lock, declared: Pipeline) -> list[Out]:
    """Return all recorded outputs, in the order of the record."""
    by_git = {output.path for output in declared.outputs if not output.cached}
    return [
        Out(name, out.path, out.md5, out.path not in by_git)
        for name, stage in record.stages.items()
        for out in stage.outs
    ]


def folder_digest(files: Files) -> str:
    """Return what DVC records for a folder: the MD5 of the list of its files, and `.dir`."""
    listing = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"


def folder_files(listing: bytes) -> Files:
    """Return the files in DVC's list of the files of a folder."""
    return {member["relpath"]: member["md5"] for member in json.loads(listing)}


def _flat(node: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
