"""The command line of the tool."""

import argparse

from core.cli.command import Parser
from tools.compare import WORKSPACE, formats


def declare(parser: Parser) -> None:
    """Add base, new, format, metrics_only, fail_on and tolerance: points, percent of the images, or None."""
    side = f'a git revision, a DVC experiment or "{WORKSPACE}"; if not given: %(default)s'
    parser.add_argument("base", nargs="?", type=_name, default="HEAD", help=side)
    parser.add_argument("new", nargs="?", type=_name, default=WORKSPACE, help=side)
    parser.add_argument("--format", choices=list(formats.FORMATS), default="text", help="if not given: %(default)s")
    parser.add_argument("--metrics-only", action="store_true", help="compare what reports/ says, without verdicts")
    parser.add_argument("--fail-on", choices=["worse"], help="end with 1 if the accuracy is known to be worse")
    parser.add_argument(
        "--tolerance",
        type=_points,
        metavar="POINTS",
        help="with --fail-on: by how many points, percent of the images, it may be worse; the whole 95 %% interval of "
        "the change has to be below that",
    )


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
