"""What is known to differ between two runs of the pipeline, and what may be chance.

python -m tools.compare [BASE [NEW]]        or: make compare BASE=main
"""

import sys

from stages import command
from stages.command import Problem, StageError
from tools.compare import arguments, comparison, formats, sides
from tools.compare.comparison import Comparison, Context, Values
from tools.compare.sides import Side


def main() -> None:
    """Compare the two sides, print what was found, and fail where the command line asks for it."""
    options = arguments.parse(sys.argv[1:], list(formats.FORMATS))
    compared = _compare(Side(options.base), Side(options.new), options.metrics_only)
    print(formats.FORMATS[options.format](compared), end="")
    if options.fail_on and comparison.shown_worse(compared, options.tolerance / 100):
        raise StageError(_finding(compared, options.tolerance))


def _compare(base: Side, new: Side, metrics_only: bool) -> Comparison:
    sides.require_same_test_set(base, new)
    context = Context(
        sides=Values(base.title, new.title),
        params=comparison.different_params(base.record, new.record),
        files=comparison.different_files(base.record, new.record),
        notes=[*base.warnings(), *new.warnings()],
    )
    if metrics_only:
        replicates = Values(base.replicates, new.replicates)
        return comparison.of_metrics(base.metrics(), new.metrics(), replicates, context)
    return comparison.of_predictions(*sides.read(base, new), context)


def _finding(compared: Comparison, tolerance: float) -> Problem:
    what = f"worse than {compared.context.sides.base} by more than the tolerance"
    low, high = (f"{100 * bound:+.2f}" for bound in compared.accuracy.change.interval)
    expected, got = f"that it may be {tolerance:g} points down at most", f"a change of {low} to {high}"
    return Problem(
        f"accuracy of {compared.context.sides.new}", what, "mend it, or allow more with --tolerance", expected, got
    )


if __name__ == "__main__":
    # The options are read in main, so that a bad one fails as everything else does.
    command.run(main, [argument for argument in sys.argv if argument == "--debug"])
