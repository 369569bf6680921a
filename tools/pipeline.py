"""dvc.yaml, as far as tools need it: the outputs of each stage, and whether DVC or git keeps them."""

from pathlib import Path
from typing import Any, NamedTuple

from core.cli.errors import DataError, InputError, Problem
from core.config import yaml

PATH = Path("dvc.yaml")


class Output(NamedTuple):
    """A file or a folder that a stage makes; DVC keeps it if `cached`, and git keeps it otherwise."""

    stage: str
    path: str
    cached: bool


class Pipeline(NamedTuple):
    """All outputs, in the order of dvc.yaml."""

    outputs: list[Output]

    def path(self, name: str) -> str:
        """Return the path of an output by its file name, such as "metrics.json". Raises KeyError if there is none."""
        paths = {output.path.rpartition("/")[2]: output.path for output in self.outputs}
        return paths[name]


def read(data: bytes, subject: str = str(PATH), fix: str = f"git checkout HEAD -- {PATH}") -> Pipeline:
    """Return the pipeline. Raises DataError, with its name and the way to repair it, if it is damaged."""
    try:
        declared: Any = yaml.parse(data.decode("utf-8"))
        return Pipeline([output for name, stage in declared["stages"].items() for output in _outputs(name, stage)])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        what = error if isinstance(error, ValueError) else "no stages as DVC writes them"
        raise DataError(Problem(subject, f"damaged: {what}", fix=fix)) from error


def here() -> Pipeline:
    """Return the pipeline of the current folder. Raises InputError if there is none, DataError if it is damaged."""
    try:
        return read(PATH.read_bytes())
    except FileNotFoundError as error:
        fix = f"git checkout HEAD -- {PATH}, or run this in the folder that holds {PATH}"
        raise InputError(Problem(str(PATH), "no such file here", fix=fix)) from error


def path(name: str) -> Path:
    """Return the path of an output by its file name, such as "metrics.json". Raises InputError if there is none."""
    try:
        return Path(here().path(name))
    except KeyError as error:
        what, fix = f"no stage has an output named {name}", f"git checkout HEAD -- {PATH}"
        raise InputError(Problem(str(PATH), what, fix=fix)) from error


def _outputs(name: str, stage: dict[str, Any]) -> list[Output]:
    items = [item for kind in ("outs", "plots", "metrics") for item in stage.get(kind, [])]
    entries = [item if isinstance(item, dict) else {item: {}} for item in items]
    return [Output(name, path, options.get("cache", True)) for each in entries for path, options in each.items()]
