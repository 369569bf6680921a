"""Train with fewer of the processor's vector instructions: does the model keep its bytes?

    python -m benchmarks.processors        or: make processors

Trains a network of each kind with all instructions of this processor, and again with XLA and oneDNN held to older ones
by their own settings. Writes processors.md and processors.json. Other parts of TensorFlow, such as its other matrix
products, have no such setting. Another processor may therefore give other bytes even if this benchmark does not.
"""

import hashlib
from typing import Any

from benchmarks import measure
from core.cli import command
from core.files import history
from stages.train import precision
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "processors"
SETS = ("all", "AVX2", "AVX", "SSE4_2")
# XLA compiles dense alone; oneDNN computes the convolutions.
NETWORKS = {"dense": {"train.epochs": 10}, "cnn_small": {"train.epochs": 1}}
BFLOAT16 = "all, and bfloat16"  # of cnn_small: XLA, which compiles dense, does not use it
# Set after the runtime has started, because the start removes them; they are read at the first compilation.
HELD = (
    "import os, runpy, sys; from core.networks import runtime; isa = sys.argv.pop(1); "
    "os.environ['XLA_FLAGS'] += f' --xla_cpu_max_isa={isa}'; "
    "os.environ['ONEDNN_MAX_CPU_ISA'] = isa.replace('SSE4_2', 'SSE41'); "
    "runpy.run_module('stages.train', run_name='__main__', alter_sys=True)"
)


def main() -> None:
    """Train with each set of instructions, and write the table."""
    scratch.copy(FOLDER, {"train.replicates": 1})
    measure.run([*measure.DVC, "repro", "normalize"], FOLDER)
    results: dict[str, Any] = {"machine": measure.machine(), "networks": {name: _compare(name) for name in NETWORKS}}
    measure.write("processors", results, page(results))


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    columns = ["network", "instructions", "the same model, byte for byte", "last training loss"]
    rows = [
        [network, held, *_cells(results["networks"][network][held])]
        for network in NETWORKS
        for held in (*SETS, BFLOAT16)
        if held in results["networks"][network]
    ]
    return f"Made by `make processors` on {results['machine']}.\n\n{measure.table(columns, rows)}"


def _cells(run: dict[str, Any] | None) -> list[str]:
    if run is None:
        return ["not measured: this processor has no bfloat16", ""]
    return ["yes" if run["same"] else "no", f"{run['train_loss']:.6f}"]


def _compare(network: str) -> dict[str, dict[str, Any] | None]:
    changes = {"train.replicates": 1, "train.network": network} | NETWORKS[network]
    scratch.write_params(FOLDER, changes)
    digest, loss = _train("all")
    runs: dict[str, tuple[str, float] | None] = {"all": (digest, loss), **{held: _train(held) for held in SETS[1:]}}
    if network == "cnn_small":
        scratch.write_params(FOLDER, changes | {"train.precision": "bfloat16"})
        runs[BFLOAT16] = _train("all") if precision.supported() else None
    return {held: run and {"same": run[0] == digest, "train_loss": run[1]} for held, run in runs.items()}


def _train(held: str) -> tuple[str, float]:
    """Return the digest of the model and its last training loss."""
    python, *program, model, training, scores = measure.stage("train")
    if held != "all":
        program = ["-c", HELD, held, *program[2:]]
    measure.run([python, *program, model, training, scores], FOLDER)
    digest = hashlib.sha256((FOLDER / model / "0.keras").read_bytes()).hexdigest()
    return digest, float(history.parse((FOLDER / scores).read_bytes())["train_loss"][-1])


if __name__ == "__main__":
    command.run(main)
