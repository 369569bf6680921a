"""The whole pipeline on the embedded data set, in a scratch copy: no network, and the checkout is left as it is.

    python -m tools.demo

Apart from the data set, the params are those of the checkout.
"""

import json
import shutil
import subprocess
import sys

from core.cli import command
from core.cli.errors import Problem, StageError
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "demo"
DATASET = "garments"


def main() -> None:
    """Copy the pipeline, let its params name the embedded data set, run it, and say where the report is."""
    fresh = FOLDER.with_name("demo.new")
    shutil.rmtree(fresh, ignore_errors=True)
    scratch.copy(fresh, {"dataset.name": DATASET})
    shutil.rmtree(FOLDER, ignore_errors=True)
    fresh.rename(FOLDER)
    completed = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=FOLDER, check=False)
    if completed.returncode:
        raise StageError(
            Problem("dvc repro", "failed", expected="exit code 0", got=str(completed.returncode), fix="see above")
        )
    accuracy = json.loads((FOLDER / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]
    report = (FOLDER / "reports/report.md").relative_to(scratch.CHECKOUT)
    print(f"\ntest accuracy {accuracy:.4f} on {DATASET}, synthetic pictures; report: {report}")


if __name__ == "__main__":
    command.run(main)
