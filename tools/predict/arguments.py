"""The command line of the tool."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from core.cli.command import InputError, Problem
from core.formats.pictures import Invert
from tools.arguments import Parser
from tools.predict import sources


def parse(given: Sequence[str], formats: Sequence[str]) -> argparse.Namespace:
    """Return images, format, invert, show_input and figure, the last two paths or None, as is invert if not given.

    Raises InputError for what can't be meant.
    """
    parser = Parser(
        prog="python -m tools.predict",
        description="Say what the networks of the pipeline take pictures for.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG, JPEG, WebP or BMP file; a folder, for all of them in it and below; - for standard input; "
        "test:12 for image 12 of the pipeline's test images",
    )
    parser.add_argument("--format", choices=formats, default="text", help="if not given: %(default)s")
    parser.add_argument(
        "--invert",
        choices=get_args(Invert),
        help="whether to exchange light and dark; if not given, as the entry of datasets.yaml says for a folder of "
        "pictures; for other data sets auto, where the border is not dark or light as that of the training images",
    )
    parser.add_argument("--show-input", type=Path, metavar="FOLDER", help="write there what the networks were given")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw each picture beside its probabilities")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    options = parser.parse_args(given)
    if options.figure and options.figure.suffix.lower() != ".png":
        name = options.figure.with_suffix(".png") if options.figure.name else "out.png"
        what, got = "a figure is written as PNG alone", str(options.figure)
        raise InputError(Problem("--figure", what, f"--figure {name}", "a name that ends in .png", got))
    if options.images.count(sources.STDIN) > 1:
        parser.error("- can be read but once")
    if "" in options.images:
        parser.error("expected a file or a folder, got an empty name")
    return options
