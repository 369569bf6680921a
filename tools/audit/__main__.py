"""Find labels that are likely wrong: python -m tools.audit [NAME] [--recipe RECIPE]

Reads the data set as `download` does, trains networks by cross-validation, and writes the findings to
build/audit/NAME.csv and, with pictures, to build/audit/NAME.html. Changes nothing else.
"""

from pathlib import Path

from core.cli import command, extras
from core.cli.command import Parser
from core.config import params
from tools.audit import reading

FOLDER = Path("build/audit")


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a data set; default: dataset.name of params.yaml")
    parser.add_argument("--recipe", default="", help="train as this recipe of recipes.yaml; default: as params.yaml")


def main(name: str | None, recipe: str) -> None:
    """Find labels that are likely wrong, near-duplicates of training images, and out-of-distribution images."""
    settings = reading.with_recipe(params.section(params.Train), recipe)
    name = name or params.section(params.Dataset).name
    extras.require("cleanlab", "the audit needs it")
    with reading.reading(name, FOLDER / name) as pictures:
        from tools.audit import run  # TensorFlow takes seconds to start, for which errors above should not wait

        run.run(name, pictures, settings, FOLDER)


if __name__ == "__main__":
    command.run(main, declare)
