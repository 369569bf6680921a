"""Rank the experiments of HEAD: python -m tools.sweep, or make sweep for an example."""

from core.cli import command
from tools.sweep import report

if __name__ == "__main__":
    command.run(report.main, report.declare)
