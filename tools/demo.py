"""The whole pipeline on the embedded data set, in a scratch copy: no network, and the checkout is left as it is.

    python -m tools.demo

Apart from the data set, the params are those of the checkout.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from stages import atomic, command, params
from stages.command import Problem, StageError

CHECKOUT = Path(__file__).resolve().parents[1]
SCRATCH = CHECKOUT / "build" / "demo"
PIPELINE = ("dvc.yaml", "datasets.yaml", ".dvcignore", ".dvc/config", ".dvc/plots", "stages")
DATASET = "garments"


def main() -> None:
    """Copy the pipeline, let its params name the embedded data set, run it, and say where the report is."""
    settings = params.load(CHECKOUT / params.PATH).model_dump() | {"dataset": {"name": DATASET}}
    if SCRATCH.exists():
        shutil.rmtree(SCRATCH)
    for name in PIPELINE:
        _copy(CHECKOUT / name, SCRATCH / name)
    atomic.write_json(SCRATCH / params.PATH, settings)  # JSON is YAML
    _dvc("config", "--local", "core.no_scm", "true")  # the copy is no git repository
    _dvc("repro")
    accuracy = json.loads((SCRATCH / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]
    report = (SCRATCH / "reports/report.md").relative_to(CHECKOUT)
    print(f"\ntest accuracy {accuracy:.4f} on {DATASET}, synthetic pictures; report: {report}")


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without what Python left in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def _dvc(*arguments: str) -> None:
    """Run DVC in the scratch copy."""
    completed = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=SCRATCH, check=False)
    if completed.returncode:
        fix = "what stands above"
        raise StageError(Problem(f"dvc {arguments[0]}", "failed", fix, "exit code 0", str(completed.returncode)))


if __name__ == "__main__":
    command.run(main)
