"""How far the same bytes go: the same training with the processor's vector instructions held back.

    python -m benchmarks.processors        or: make processors

Trains one network of each kind with all instructions that this processor has, and again with XLA and oneDNN held to
narrower ones by their own settings; writes processors.md and processors.json beside this module. What TensorFlow brings
beside the two, such as its other matrix products, has no such setting, so another processor may differ where this does
not.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

from benchmarks import measure
from core.cli import command
from core.files import atomic
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "processors"
RESULTS = Path(__file__).parent
SETS = ("all", "AVX2", "AVX", "SSE4_2")
# XLA compiles dense alone; the convolutions are oneDNN's.
NETWORKS = {"dense": {"train.epochs": 10}, "cnn_small": {"train.epochs": 1}}
# Set after the start, which would remove it; read when something is compiled for the first time.
HELD = (
    "import os, runpy, sys; from core.networks import runtime; isa = sys.argv.pop(1); "
    "os.environ |= {'XLA_FLAGS': f'--xla_cpu_max_isa={isa}', 'ONEDNN_MAX_CPU_ISA': isa.replace('SSE4_2', 'SSE41')}; "
    "runpy.run_module('stages.train', run_name='__main__', alter_sys=True)"
)


def main() -> None:
    """Train with each set of instructions, and write the table."""
    scratch.copy(FOLDER, {"train.replicates": 1})
    measure.run([sys.executable, "-m", "dvc", "repro", "normalize"], FOLDER)
    results: dict[str, Any] = {"machine": measure.machine(), "networks": {name: _compare(name) for name in NETWORKS}}
    atomic.write_json(RESULTS / "processors.json", results)
    columns = ["network", "instructions", "the same model, byte for byte", "last training loss"]
    rows = [
        [network, held, "yes" if run["same"] else "no", f"{run['train_loss']:.6f}"]
        for network, runs in results["networks"].items()
        for held, run in runs.items()
    ]
    page = f"Made by `make processors` on {results['machine']}.\n\n{measure.table(columns, rows)}"
    atomic.write_text(RESULTS / "processors.md", page)
    print(page)


def _compare(network: str) -> dict[str, dict[str, Any]]:
    scratch.write_params(FOLDER, {"train.replicates": 1, "train.network": network} | NETWORKS[network])
    runs = {held: _train(held) for held in SETS}
    return {held: {"same": digest == runs["all"][0], "train_loss": loss} for held, (digest, loss) in runs.items()}


def _train(held: str) -> tuple[str, float]:
    """Return the digest of the model and its last training loss."""
    paths = ["data/normalized/train", "data/normalized/classes.json", "data/model", "training.json", "history.csv"]
    program = ["-m", "stages.train"] if held == "all" else ["-c", HELD, held]
    measure.run([sys.executable, *program, *paths], FOLDER)
    digest = hashlib.sha256((FOLDER / "data/model/0.keras").read_bytes()).hexdigest()
    last = (FOLDER / "history.csv").read_text(encoding="utf-8").splitlines()[-1]
    return digest, float(last.split(",")[2])


if __name__ == "__main__":
    command.run(main)
