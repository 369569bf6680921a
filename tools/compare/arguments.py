"""The command line of the tool."""

import argparse
from collections.abc import Sequence

from tools.arguments import Parser
from tools.compare import WORKSPACE


def parse(given: Sequence[str], formats: Sequence[str]) -> argparse.Namespace:
    """Return base, new, format, metrics_only, fail_on and tolerance: points, percent of the images, or None.

    Raises InputError for what can't be meant.
    """
    parser = Parser(
        prog="python -m tools.compare",
        description="Say what is known to differ between two runs of the pipeline, and what may be chance.",
        allow_abbrev=False,
    )
    side = f'a git revision, a DVC experiment or "{WORKSPACE}"; if not given: %(default)s'
    parser.add_argument("base", nargs="?", type=_name, default="HEAD", help=side)
    parser.add_argument("new", nargs="?", type=_name, default=WORKSPACE, help=side)
    parser.add_argument("--format", choices=formats, default="text", help="if not given: %(default)s")
    parser.add_argument("--metrics-only", action="store_true", help="compare what reports/ says, without verdicts")
    parser.add_argument("--fail-on", choices=["worse"], help="end with 1 if the accuracy is known to be worse")
    parser.add_argument(
        "--tolerance",
        type=_points,
        metavar="POINTS",
        help="with --fail-on: by how many points, percent of the images, it may be worse; the whole 95 %% interval of "
        "the change has to be below that",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    options = parser.parse_args(given)
    if options.tolerance is not None and not options.fail_on:
        parser.error("--tolerance needs --fail-on")
    if options.metrics_only and options.fail_on:
        parser.error("--fail-on needs a verdict, and --metrics-only has none")
    return options


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a revision, got none")
    return text


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = -1
    if not 0 <= points <= 100:
        raise argparse.ArgumentTypeError(f"expected 0 to 100, got {text}")
    return points
