"""Classify pictures with the trained networks: python -m tools.predict IMAGE..."""

from pathlib import Path
from typing import get_args

from core.cli import command
from core.cli.command import Parser
from core.cli.errors import InputError, Problem
from core.sources.datasets import Invert
from tools import arguments
from tools.predict import formats, sources


def declare(parser: Parser) -> None:
    """Add the arguments of `main`."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG, JPEG, WebP or BMP file; a folder, for all pictures in it and in its subfolders; - for standard "
        "input; test:12 for test image 12 of the pipeline",
    )
    parser.add_argument("--format", choices=list(formats.FORMATS), default="text", help="default: %(default)s")
    parser.add_argument(
        "--invert",
        choices=get_args(Invert),
        help="whether to exchange light and dark; auto does so if the training images are light on dark and the "
        "picture is not, or the other way round; colours are never inverted; default: invert of the card if the data "
        "set is made of pictures, else auto",
    )
    parser.add_argument("--show-input", type=Path, metavar="FOLDER", help="write the networks' input images there")
    parser.add_argument(
        "--figure", type=arguments.figure, metavar="PNG", help="draw each picture beside its probabilities"
    )


def main(images: list[str], format: str, invert: Invert | None, show_input: Path | None, figure: Path | None) -> None:
    """Classify pictures with the networks of the pipeline."""
    if images.count(sources.STDIN) > 1:
        raise InputError(Problem(sources.STDIN, "standard input can be read only once", fix="give - once"))
    if "" in images:
        raise InputError(Problem("IMAGE", "an empty name", fix="give the name of a file or a folder"))
    # TensorFlow takes seconds to start. Errors in the arguments should not wait for it.
    from tools.predict import run

    run.run(images, format, invert, show_input, figure)


if __name__ == "__main__":
    command.run(main, declare)
