"""Compare two runs of the pipeline: python -m tools.compare [BASE [NEW]], or make compare BASE=main."""

from collections.abc import Sequence

from core.cli import command
from core.cli.errors import InputError, Problem, StageError
from tools import repository
from tools.compare import arguments, comparison, formats, lock, sides, status
from tools.compare.comparison import Comparison, Context, Values
from tools.compare.sides import Side


def main(base: str, new: str, format: str, metrics_only: bool, fail_on: str | None, tolerance: float | None) -> None:
    """Say what is known to differ between two runs of the pipeline, and what may be chance.

    Raises StageError where --fail-on asks for it, InputError where it can't be answered, and whatever reading raises.
    """
    if tolerance is not None and not fail_on:
        raise InputError(Problem("--tolerance", "without --fail-on", fix="add --fail-on worse"))
    if metrics_only and fail_on:
        raise InputError(Problem("--fail-on", "needs a verdict, and --metrics-only has none", fix="leave one out"))
    repository.require_trust()
    both = Values(Side(base), Side(new))
    sides.require_same_test_set(*both)
    notes = [_older(side.name, names) for side in both if (names := status.changed(side))]
    if notes and fail_on:
        raise InputError(Problem("--fail-on", f"no verdict on what is edited: {notes[0]}", fix="dvc repro"))
    compared = _compare(*both, notes, metrics_only)
    print(formats.FORMATS[format](compared), end="")
    if fail_on and comparison.shown_worse(compared, (tolerance or 0.0) / 100):
        raise StageError(_finding(compared, tolerance or 0.0))


def _compare(base: Side, new: Side, notes: list[str], metrics_only: bool) -> Comparison:
    context = Context(
        sides=Values(base.title, new.title),
        params=comparison.different_params(base.record, new.record),
        files=comparison.different_files(base.record, new.record),
        packages=comparison.different_packages(base.versions(), new.versions()),
        notes=notes,
    )
    if metrics_only:
        replicates = Values(lock.replicates(base.record), lock.replicates(new.record))
        scores = (side.metrics() | {"recalls": side.recalls()} for side in (base, new))
        return comparison.of_metrics(Values(*scores), replicates, context)
    return comparison.of_predictions(*sides.read(base, new), context)


def _older(name: str, changed: Sequence[str]) -> str:
    return f"The {name}'s predictions are older than its {', '.join(changed)}: dvc repro."


def _finding(compared: Comparison, tolerance: float) -> Problem:
    what = f"worse than {compared.context.sides.base} by more than the tolerance"
    low, high = (f"{100 * bound:+.2f}" for bound in compared.accuracy.change.interval)
    expected, got = f"that it may be {tolerance:g} points down at most", f"a change of {low} to {high}"
    return Problem(
        f"accuracy of {compared.context.sides.new}",
        what,
        expected=expected,
        got=got,
        fix="mend it, or allow more with --tolerance",
    )


if __name__ == "__main__":
    command.run(main, arguments.declare)
