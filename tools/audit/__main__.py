"""Find labels that are likely wrong: python -m tools.audit [NAME] [--recipe RECIPE]

Reads the data set as `download` does, trains networks by cross-validation, and writes the findings to
build/audit/NAME.csv and, with pictures, to build/audit/NAME.html. Changes nothing else.
"""

from pathlib import Path

from core.cli import command  # before any package, so that a python without packages ends in one line

# isort: split
from core.cli.command import Parser
from core.cli.errors import InputError, Problem
from core.config import params, schema
from tools import recipe as recipes
from tools.audit import reading

FOLDER = Path("build/audit")
CLEANLAB = "cleanlab>=2.7"  # the extra `audit`


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a data set; default: dataset.name of params.yaml")
    parser.add_argument("--recipe", default="", help="train as this recipe of recipes.yaml; default: as params.yaml")


def main(name: str | None, recipe: str) -> None:
    """Find labels that are likely wrong, test images that copy training images, and images unlike all others."""
    settings = with_recipe(params.section(params.Train), recipe)
    name = name or params.section(params.Dataset).name
    require_cleanlab()
    with reading.reading(name, FOLDER / name) as pictures:
        from tools.audit import run  # TensorFlow takes seconds to start, for which errors above should not wait

        run.run(name, pictures, settings, FOLDER)


def require_cleanlab() -> None:
    """Raise InputError if cleanlab is not installed."""
    try:
        import cleanlab.filter  # noqa: F401
    except ImportError as error:
        fix = f'python -m pip install "{CLEANLAB}", then python -m tools.audit'
        raise InputError(Problem("cleanlab", "not installed, and the audit needs it", fix=fix)) from error


def with_recipe(settings: params.Train, recipe: str) -> params.Train:
    """Return the settings with the changes of a recipe, if one is named. Raises InputError if there is none.

    Mirroring is left as it is in params.yaml: it suits clothes, but not digits.
    """
    changes = recipes.load(recipe).params if recipe else {}
    own = {key.removeprefix("train."): value for key, value in changes.items() if key.startswith("train.")}
    own.pop("augmentation_flip", None)
    return schema.check(settings.model_dump() | own, params.Train, recipes.PATH)


if __name__ == "__main__":
    command.run(main, declare)
