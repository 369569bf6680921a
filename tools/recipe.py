"""Run a recipe of recipes.yaml, or list all: python -m tools.recipe [NAME], or make recipe NAME=cnn."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from core.cli import command
from core.cli.errors import InputError, Problem, StageError
from core.config import params, schema, yaml
from core.config.schema import Strict, Text
from core.sources import datasets
from tools import repository

PATH = Path("recipes.yaml")


class Recipe(Strict):
    """what: a few words. params: the changes to the committed params.yaml, by names such as train.epochs."""

    what: Text
    params: dict[str, Any]


def names() -> list[str]:
    """Return the names of the recipes. Raises InputError with every problem in the file."""
    return list(_all())


def load(name: str) -> Recipe:
    """Return a recipe. Raises InputError if there is none of that name."""
    if name not in (recipes := _all()):
        what, expected = f"no such recipe{schema.nearest(name, recipes)}", schema.one_of(recipes)
        raise InputError(Problem(str(PATH), what, expected=expected, got=name, fix="make recipe, which lists all"))
    return recipes[name]


def _all() -> dict[str, Recipe]:
    return schema.check(yaml.load(PATH), dict[str, Recipe], PATH)


def arguments(changes: dict[str, Any]) -> list[str]:
    """Return the arguments with which `dvc` runs the pipeline with other params."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()}
    return ["exp", "run", *(part for name, value in values.items() for part in ("-S", f"{name}={value}"))]


def text(name: str) -> str:
    """Return what a recipe is, as a comment, and the command line that runs it."""
    recipe = load(name)
    return f"# {name}: {recipe.what}\n{shlex.join(['dvc', *arguments(recipe.params)])}"


def main(name: str = "") -> None:
    """Print the command line of a recipe, and run it. Without a name, list all recipes."""
    if not name:
        print("\n".join(text(each) for each in names()))
        return
    recipe = load(name)
    print(text(name))
    require_committed()
    require_data(recipe)
    code = subprocess.run([sys.executable, "-m", "dvc", *arguments(recipe.params)], check=False).returncode
    if code:
        fix = "see the error above"
        raise StageError(Problem("dvc exp run", "failed", expected="exit code 0", got=str(code), fix=fix))


def require_committed() -> None:
    """Raise InputError if params.yaml has changes: a recipe is changes to what is committed."""
    if repository.git("status", "--porcelain", str(params.PATH)):
        what, fix = "has changes, which would be added to those of the recipe", f"git checkout HEAD -- {params.PATH}"
        raise InputError(Problem(str(params.PATH), what, fix=fix))


def require_data(recipe: Recipe) -> None:
    """Raise InputError if the data set of a recipe has no card, or no files."""
    name = recipe.params.get("dataset.name", params.load().dataset.name)
    if name not in datasets.names():
        fix = f"python -m tools.describe FILE --write-card --name {name}, as in docs/your-data.md"
        raise InputError(Problem(str(datasets.path_of(name)), "no such data set", fix=fix))
    if problems := datasets.missing(name, datasets.load(name)):
        raise InputError(*problems)


if __name__ == "__main__":
    command.run(main)
