"""Run the whole pipeline on an embedded data set in build/demo: python -m tools.demo [DATASET]

DATASET is garments_colour, which is the default, or garments, which is grey. The run needs no network and does not
change the checkout. The other params are those of the checkout.
"""

import subprocess
import sys

from core.cli import command
from core.cli.errors import InputError, Problem, StageError
from core.config import schema
from core.scores import metrics
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "demo"
DATASETS = ("garments_colour", "garments")


def main(dataset: str = DATASETS[0]) -> None:
    """Run the pipeline on a data set, and print where the report is."""
    if dataset not in DATASETS:
        expected, fix = schema.one_of(DATASETS), "name one of these, or none"
        raise InputError(Problem("the data set", "not embedded", expected=expected, got=dataset, fix=fix))
    scratch.copy(FOLDER, {"dataset.name": dataset})
    code = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=FOLDER, check=False).returncode
    if code:
        fix = "see the error above"
        raise StageError(Problem("dvc repro", "failed", expected="exit code 0", got=str(code), fix=fix))
    accuracy = metrics.read(FOLDER / "reports/metrics.json").test.accuracy
    report = (FOLDER / "reports/report.md").relative_to(scratch.CHECKOUT)
    print(f"\ntest accuracy {accuracy:.4f} on {dataset}, synthetic pictures; report: {report}")


if __name__ == "__main__":
    command.run(main)
