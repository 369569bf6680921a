"""From the command line to what is printed, and to what fails."""

from collections.abc import Sequence

from core.cli.command import InputError, Problem, StageError
from tools import repository
from tools.compare import arguments, comparison, formats, lock, sides, status
from tools.compare.comparison import Comparison, Context, Values
from tools.compare.sides import Side


def report(given: Sequence[str]) -> None:
    """Print the comparison that the arguments ask for.

    Raises StageError where --fail-on asks for it, InputError where it can't be answered, and whatever reading raises.
    """
    options = arguments.parse(given, list(formats.FORMATS))
    repository.require_trust()
    base, new = Side(options.base), Side(options.new)
    sides.require_same_test_set(base, new)
    notes = [_older(side.name, names) for side in (base, new) if (names := status.changed(side))]
    if notes and options.fail_on:
        raise InputError(Problem("--fail-on", f"no verdict on what is edited: {notes[0]}", "dvc repro"))
    compared = _compare(base, new, notes, options.metrics_only)
    print(formats.FORMATS[options.format](compared), end="")
    tolerance = options.tolerance or 0.0
    if options.fail_on and comparison.shown_worse(compared, tolerance / 100):
        raise StageError(_finding(compared, tolerance))


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
        f"accuracy of {compared.context.sides.new}", what, "mend it, or allow more with --tolerance", expected, got
    )
