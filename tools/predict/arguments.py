"""The command line of the tool."""

from pathlib import Path
from typing import get_args

from core.cli.command import Parser
from core.cli.errors import InputError, Problem
from core.formats.image_file import Invert
from tools.predict import formats, sources


def declare(parser: Parser) -> None:
    """Add images, format, invert, show_input and figure; the last three are None unless given."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG, JPEG, WebP or BMP file; a folder, for all of them in it and below; - for standard input; "
        "test:12 for image 12 of the pipeline's test images",
    )
    parser.add_argument("--format", choices=list(formats.FORMATS), default="text", help="if not given: %(default)s")
    parser.add_argument(
        "--invert",
        choices=get_args(Invert),
        help="whether to exchange light and dark; if not given, as the entry of datasets.yaml says for a folder of "
        "pictures; for other data sets auto, where the border is not dark or light as that of the training images",
    )
    parser.add_argument("--show-input", type=Path, metavar="FOLDER", help="write there what the networks were given")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw each picture beside its probabilities")


def check(images: list[str], figure: Path | None) -> None:
    """Raise InputError for arguments that make no sense together."""
    if figure and figure.suffix.lower() != ".png":
        name = figure.with_suffix(".png") if figure.name else "out.png"
        what, got = "a figure is written as PNG alone", str(figure)
        raise InputError(
            Problem("--figure", what, expected="a name that ends in .png", got=got, fix=f"--figure {name}")
        )
    if images.count(sources.STDIN) > 1:
        raise InputError(Problem("-", "standard input can be read only once", fix="name - once"))
    if "" in images:
        raise InputError(Problem("IMAGE", "an empty name", fix="name a file or a folder"))
