"""Classify pictures with the trained networks: python -m tools.predict IMAGE..."""

from pathlib import Path

from core.cli import command
from core.formats.image_file import Invert
from tools.predict import arguments


def main(images: list[str], format: str, invert: Invert | None, show_input: Path | None, figure: Path | None) -> None:
    """Say what the networks of the pipeline take pictures for."""
    arguments.check(images, figure)
    # TensorFlow takes some seconds to start, which a wrong argument need not wait for.
    from tools.predict import run

    run.run(images, format, invert, show_input, figure)


if __name__ == "__main__":
    command.run(main, arguments.declare)
