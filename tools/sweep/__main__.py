"""The experiments of HEAD in the order of their validation accuracy, and what of that order may be chance.

python -m tools.sweep        or, with a ready example before it: make sweep
"""

import sys

from core.cli import command


def main() -> None:
    """Print the table, wait for it where the command line says so, and fail where an experiment of the queue failed."""
    # Half a second of imports, in which an interrupt is to end the tool as at any other time.
    from tools.sweep import report

    report.report(sys.argv[1:])


if __name__ == "__main__":
    # The options are read in main, so that a bad one fails as everything else does.
    command.run(main, [argument for argument in sys.argv if argument == "--debug"])
