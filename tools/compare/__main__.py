"""What is known to differ between two runs of the pipeline, and what may be chance.

python -m tools.compare [BASE [NEW]]        or: make compare BASE=main
"""

import sys

from core.cli import command
from tools.compare import report


def main() -> None:
    """Compare the two sides, print what was found, and fail where the command line asks for it."""
    report.report(sys.argv[1:])


if __name__ == "__main__":
    # The options are read in main, so that a bad one fails as everything else does.
    command.run(main, [argument for argument in sys.argv if argument == "--debug"])
