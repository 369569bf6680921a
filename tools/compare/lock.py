"""dvc.lock, as far as a comparison needs it: what made the predictions of a run, and for which test images they are."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveInt, TypeAdapter

from core.cli.errors import DataError, Problem
from tools.compare import WORKSPACE

PATH = "dvc.lock"
# The stages that predictions come from, and what is read of them; dvc.yaml is where these names are from.
MADE_BY = ("download", "normalize", "train", "evaluate")
RAW = "data/raw"
TRAIN = "data/normalized/train"
MODEL = "data/model"
TEST = "data/normalized/test"
CLASSES = "data/normalized/classes.json"
PREDICTIONS = "data/predictions"
METRICS = "reports/metrics.json"
BY_CLASS = "reports/classes.csv"
TRAINING = "data/training.json"
HISTORY = "reports/history.csv"
CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)


class _Loader(yaml.SafeLoader):
    """Takes 1e-05, as DVC writes a small number, for one, which it is in YAML 1.2."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+\Z"), list("-+0123456789")
)


def _plain(value: Any) -> Any:
    """Return what YAML can say as JSON can: text for a date, an infinity and whatever is not a number."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    known = value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
    return value if known else str(value)


class _File(BaseModel):
    path: str
    md5: str


class _Stage(BaseModel):
    model_config = ConfigDict(strict=True)

    deps: list[_File]
    outs: list[_File]
    params: Annotated[dict[str, dict[str, Any]], AfterValidator(_plain)] = {}


def remedy(side: str) -> str:
    """Return what to do about a record that is damaged; that of a revision stays as it is."""
    if side == WORKSPACE:
        return f"git checkout HEAD -- {PATH}, then dvc repro"
    return f"name another revision: git log --oneline -- {PATH} lists them"


def stages_of(text: str, subject: str, fix: str) -> Any:
    """Return what dvc.lock has of its stages, unchecked. Raises DataError, too, where a merge was not finished."""
    if CONFLICT.search(text):
        raise DataError(Problem(subject, "has the markers of a merge conflict, <<<<<<<", fix=fix))
    return yaml.load(text, _Loader)["stages"]


def parse(text: str, side: str) -> dict[str, Any]:
    """Return the stages MADE_BY names: of each the deps and outs, path and md5, and the params by file and section.

    Raises DataError, in which it names the side, where the record is damaged or tells of two test sets.
    """
    subject = f"{side}: {PATH}"
    try:
        stages = stages_of(text, subject, remedy(side))
        record = {name: _Stage.model_validate(stages[name]).model_dump() for name in MADE_BY}
        made, scored = digests(record["normalize"]["outs"]), digests(record["evaluate"]["deps"])
        same = all(made[path] == scored[path] for path in (TEST, CLASSES))
        TypeAdapter(PositiveInt).validate_python(replicates(record), strict=True)
        _ = digests(record["download"]["outs"])[RAW], digests(record["evaluate"]["outs"])[METRICS]
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        expected = f"a record of {', '.join(MADE_BY)}"
        raise DataError(Problem(subject, "not whole", expected=expected, got="less", fix=remedy(side))) from error
    if not same:
        run = "dvc repro" if side == WORKSPACE else remedy(side)
        raise DataError(Problem(subject, f"the predictions are for another test set than {TEST}", fix=run))
    return record


def replicates(record: Mapping[str, Any]) -> int:
    """Return how many networks were trained."""
    return record["train"]["params"]["params.yaml"]["train"]["replicates"]


def digests(items: list[dict[str, str]]) -> dict[str, str]:
    """Return the MD5 of each path of a stage's deps or outs."""
    return {item["path"]: item["md5"] for item in items}
