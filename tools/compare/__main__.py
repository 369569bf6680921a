"""Compare two runs of the pipeline: python -m tools.compare [BASE [NEW]], or make compare BASE=main."""

from core.cli import command
from tools.compare import arguments, report

if __name__ == "__main__":
    command.run(report.main, arguments.declare)
