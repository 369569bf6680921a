"""What the networks of the pipeline take pictures for.

python -m tools.predict IMAGE...
"""

import sys

from core.cli import command
from tools.predict import arguments, formats


def main() -> None:
    """Classify the pictures, print what was found, and fail at the end where any of them could not be read."""
    options = arguments.parse(sys.argv[1:], list(formats.FORMATS))
    # TensorFlow takes some seconds to start, which a wrong argument need not wait for.
    from tools.predict import run

    run.run(options)


if __name__ == "__main__":
    # The options are read in main, so that a bad one fails as everything else does.
    command.run(main, [argument for argument in sys.argv if argument == "--debug"])
