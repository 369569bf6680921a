"""Rank the experiments of HEAD: python -m tools.sweep, or make sweep for an example."""

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem, StageError
from tools import blocks, repository
from tools.sweep import experiments, formats, ranking

FRACTION = "-S train.validation_fraction=0.1"


def main(format: str) -> None:
    """Print the experiments of HEAD in the order of their validation accuracy.

    Raises InputError if there is nothing to rank, StageError if an experiment failed.
    """
    repository.require_trust()
    found = experiments.of_head()
    ranked = ranking.rank(found.experiments)
    if ranked.tables:
        print(blocks.FORMATS[format](formats.report(ranked, found.unfinished)), end="")
    elif not found.failed:
        raise InputError(_nothing([experiment.name for experiment in found.experiments], found.unfinished))
    what, fix = "failed, so it is not in the table", "dvc queue logs {} shows why; dvc queue remove --failed deletes it"
    if found.failed:
        raise StageError(*(Problem(f"experiment {name}", what, fix=fix.format(name)) for name in found.failed))


def declare(parser: Parser) -> None:
    """Add format."""
    parser.add_argument("--format", choices=list(blocks.FORMATS), default="text", help="default: %(default)s")


def _nothing(unscored: list[str], unfinished: list[str]) -> Problem:
    if unfinished:
        what, fix = f"none has ended yet: {', '.join(unfinished)}", "dvc exp run --run-all, which waits for their end"
    elif unscored:
        what = f"no validation images, so no validation accuracy: {', '.join(unscored)}"
        fix = f"run them with {FRACTION}"
    else:
        what, fix = "none", f"dvc exp run {FRACTION}; or git checkout the commit at which they started"
    return Problem("experiments of HEAD", what, fix=fix)


if __name__ == "__main__":
    command.run(main, declare)
