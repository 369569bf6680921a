"""The floating-point type of the numbers that pass between operations: `train.precision`."""

import os
import re
from pathlib import Path

from core.cli.errors import InputError, Problem
from core.networks.runtime import tf

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = ("avx512_bf16", "amx_bf16")  # as Linux names them
OPTION = "auto_mixed_precision_onednn_bfloat16"
# Operations that stay float32: batch normalization in bfloat16 is slow if 16 does not divide the number of filters.
FLOAT32 = {"TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_INFERLIST_REMOVE": "FusedBatchNormV3,FusedBatchNormGradV3"}


def choose(precision: str) -> None:
    """Let TensorFlow compute the operations that it compiles from now on in float32, or some of them in bfloat16.

    With bfloat16, convolutions, matrix products and most operations between them take and give numbers in bfloat16.
    Weights, their updates and batch normalization stay float32, and so do networks that XLA compiles. Raises InputError
    if the processor does not say that it has instructions for bfloat16.
    """
    if precision == "bfloat16" and not supported():
        param, what = "params.yaml: train.precision", "this processor has no instructions for bfloat16"
        expected, fix = f"{' or '.join(INSTRUCTIONS)} in {CPUINFO}", "set train.precision to float32, then dvc repro"
        raise InputError(Problem(param, what, expected=expected, got="neither", fix=fix))
    os.environ |= FLOAT32
    tf.config.optimizer.set_experimental_options({OPTION: precision == "bfloat16"})


def supported() -> bool:
    """Return whether the processor has instructions for bfloat16."""
    try:
        flags = re.search("^flags.*", CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return False
    return bool(flags and set(INSTRUCTIONS) & set(flags[0].split()))
