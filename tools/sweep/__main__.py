"""Rank the experiments of HEAD: python -m tools.sweep, or make sweep for an example."""

from dvc.repo import Repo

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem, StageError
from tools import repository
from tools.compare.sides import Side
from tools.sweep import experiments, formats, queue, ranking

ALL_OF_IT = "-S train.validation_fraction=0.1"


def main(format: str, wait: bool) -> None:
    """Print the experiments of HEAD in the order of their validation accuracy.

    Raises InputError where there is nothing to rank, StageError where an experiment of the queue failed, and whatever
    reading raises.
    """
    repo = _repository()
    if wait:
        queue.wait(repo)
    failed = [_failure(name) for name in queue.names(repo, "Failed")]
    known = experiments.of_head(repo)
    ranked = ranking.rank(known)
    if ranked.tables:
        print(formats.FORMATS[format](ranked, queue.unfinished(repo)), end="")
    elif not failed:
        raise InputError(_nothing([experiment.name for experiment in known]))
    if failed:
        raise StageError(*failed)


def declare(parser: Parser) -> None:
    """Add format and wait."""
    parser.add_argument("--format", choices=list(formats.FORMATS), default="text", help="if not given: %(default)s")
    parser.add_argument("--wait", action="store_true", help="first wait until the queue of experiments is empty")


def _repository() -> Repo:
    repository.require_trust()
    Side("HEAD")  # which says what is wrong where there is no project, or no commit
    return Repo()


def _failure(name: str) -> Problem:
    fix = f"dvc queue logs {name} says why; dvc queue remove --failed forgets it"
    return Problem(f"experiment {name}", "failed, and so is not in the table", fix=fix)


def _nothing(names: list[str]) -> Problem:
    if names:
        what = f"no validation images, so no validation accuracy: {', '.join(names)}"
        return Problem("experiments of HEAD", what, fix=f"run them with {ALL_OF_IT}")
    return Problem(
        "experiments of HEAD", "none", fix=f"dvc exp run {ALL_OF_IT}; or git checkout the commit they started at"
    )


if __name__ == "__main__":
    command.run(main, declare)
