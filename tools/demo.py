"""Run the whole pipeline on the embedded data set in build/demo: python -m tools.demo

It needs no network and does not change the checkout. The other params are those of the checkout.
"""

import subprocess
import sys

from core.cli import command
from core.cli.errors import Problem, StageError
from core.scores import metrics
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "demo"
DATASET = "garments"


def main() -> None:
    """Run the pipeline on the embedded data set, and print where the report is."""
    scratch.copy(FOLDER, {"dataset.name": DATASET})
    code = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=FOLDER, check=False).returncode
    if code:
        fix = "see the error above"
        raise StageError(Problem("dvc repro", "failed", expected="exit code 0", got=str(code), fix=fix))
    accuracy = metrics.read(FOLDER / "reports/metrics.json").test.accuracy
    report = (FOLDER / "reports/report.md").relative_to(scratch.CHECKOUT)
    print(f"\ntest accuracy {accuracy:.4f} on {DATASET}, synthetic pictures; report: {report}")


if __name__ == "__main__":
    command.run(main)
