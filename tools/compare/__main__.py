"""Compare two runs of the pipeline: python -m tools.compare [BASE [NEW]], or make compare BASE=main."""

import argparse
import sys
from pathlib import Path

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem, StageError
from core.files import atomic
from stages.render import style
from tools import arguments, blocks, repository
from tools.compare import comparison, differences, evidence, formats, page, running, sides, status
from tools.compare.comparison import Comparison
from tools.compare.differences import Pair
from tools.compare.revisions import WORKSPACE
from tools.compare.sides import Side

HTML = "html"


def main(
    base: str,
    new: str,
    format: str,
    output: str | None,
    figure: Path | None,
    metrics_only: bool,
    run: bool,
    fail_on: str | None,
    tolerance: float | None,
    plan: float | None,
) -> None:
    """Show how two runs of the pipeline differ, and whether a difference may be chance.

    Raises StageError if --fail-on asks for it, InputError if the two runs can't be compared.
    """
    needing = {"--fail-on": fail_on, "--tolerance": tolerance, "--plan": plan, "--figure": figure}
    needing |= {"--format html": format == HTML or None, "--run": run or None}
    if metrics_only and (asked := [option for option, given in needing.items() if given is not None]):
        what = "needs the predictions, which --metrics-only does not read"
        raise InputError(Problem(asked[0], what, fix="leave out one of the two"))
    if format == HTML and not output:
        raise InputError(Problem("--format html", "needs a file", fix="add -o build/compare.html"))
    repository.require_trust()
    of_base, of_new = running.complete(Side(base), Side(new)) if run else (Side(base), Side(new))
    sides.require_same_test_set(of_base, of_new)
    edited = [
        f"the predictions of the {side.name} are older than {', '.join(names)}"
        for side in (of_base, of_new)
        if (names := status.changed(side))
    ]
    if edited and fail_on:
        raise InputError(Problem("--fail-on", f"no verdict, as {edited[0]}", fix="dvc repro"))
    if metrics_only:
        metrics, recalls = zip(*((side.metrics().test, side.recalls()) for side in (of_base, of_new)), strict=True)
        compared = comparison.of_reports(metrics, recalls, (of_base.replicates, of_new.replicates))
    else:
        read = sides.read(of_base, of_new)
        compared = _timed(comparison.of_predictions(*read, tolerance=tolerance, plan=plan), of_base, of_new)
    compared = compared._replace(notes=[*compared.notes, *(f"Run dvc repro: {note}." for note in edited)])
    differing = differences.between(of_base, of_new)
    if figure or format == HTML:
        images = sides.shared(of_base, of_new, Side.images)
        shown = evidence.of(compared, read, images, Pair(of_base.history(), of_new.history()))
    if figure and compared.changed:
        drawn = page.sheet(compared, shown)
        atomic.write_bytes(figure, style.png(drawn.draw, page.DPI, drawn.title))
    elif figure:
        print(f"{figure}: not written, as no image is fixed or broken", file=sys.stderr)
    if format == HTML:
        text = page.page(compared, differing, shown)
    else:
        text = blocks.FORMATS[format](formats.report(compared, differing))
    if output:
        atomic.write_text(Path(output), text)
    else:
        print(text, end="")
    if fail_on and comparison.shown_worse(compared, tolerance or 0.0):
        raise StageError(_worse(compared, differing.sides, 100 * (tolerance or 0.0)))


def declare(parser: Parser) -> None:
    """Add the arguments of main. tolerance, plan: shares of the images, or None."""
    side = f'a git revision, a DVC experiment or "{WORKSPACE}" (default: %(default)s)'
    parser.add_argument("base", nargs="?", type=_name, default="HEAD", help=side)
    parser.add_argument("new", nargs="?", type=_name, default=WORKSPACE, help=side)
    parser.add_argument("--format", choices=[*blocks.FORMATS, HTML], default="text", help="default: %(default)s")
    parser.add_argument("-o", "--output", type=_name, metavar="FILE", help="write to this file instead of stdout")
    parser.add_argument("--figure", type=arguments.figure, metavar="PNG", help="draw the images that changed most, too")
    parser.add_argument("--metrics-only", action="store_true", help="compare the scores in reports/, without verdicts")
    parser.add_argument("--run", action="store_true", help="run a side whose predictions this machine lacks")
    parser.add_argument("--fail-on", choices=["worse"], help="exit with 1 if the accuracy is known to be worse")
    parser.add_argument(
        "--tolerance",
        type=_points,
        metavar="POINTS",
        help="accuracies that differ by less are equivalent; --fail-on fails if the whole interval is below -POINTS",
    )
    what = "say how many replicates find such a change of the accuracy"
    parser.add_argument("--plan", type=_points, metavar="POINTS", help=what)


def _timed(compared: Comparison, base: Side, new: Side) -> Comparison:
    """Add how long this machine takes for what is planned."""
    if compared.plan is None or compared.plan.replicates is None:
        return compared
    each = [side.seconds(compared.plan.replicates) for side in (base, new)]
    seconds = None if None in each else sum(filter(None, each))
    return compared._replace(plan=compared.plan._replace(seconds=seconds))


def _worse(compared: Comparison, names: differences.Pair, tolerance: float) -> Problem:
    low, high = (f"{100 * bound:+.2f}" for bound in compared.accuracy.change.interval)
    return Problem(
        f"accuracy of {names.new}",
        f"worse than {names.base} by more than the tolerance",
        expected=f"at most {tolerance:g} points lower",
        got=f"a change of {low} to {high}",
        fix="improve it, or allow more with --tolerance",
    )


def _name(text: str) -> str:
    if not text:  # as by make compare BASE=
        raise argparse.ArgumentTypeError("expected a name, got an empty text")
    return text


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = -1
    if not 0 <= points <= 100:
        raise argparse.ArgumentTypeError(f"expected 0 to 100, got {text}")
    return points / 100


if __name__ == "__main__":
    command.run(main, declare)
