"""Estimate the shortest time of an epoch of R1 on one core of this machine: python -m benchmarks.floor

Prints two numbers of seconds: for the matrix products of R1, and for Adam's square roots and divisions. numpy measures
both. The products are counted at the highest rate of its library, which large squares reach. On the small matrices of
R1, this library is slower than XLA. Memory traffic is not counted: the processor can overlap it with other work.
"""

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import time
from collections.abc import Callable
from timeit import repeat

import numpy as np

from core.cli import command

IMAGES, BATCH, PIXELS, HIDDEN, CLASSES = 60_000, 32, 784, 128, 10
STEPS = IMAGES // BATCH
# A step has three products of the output layer, and two of the hidden layer, which needs no gradient of the pixels.
MULTIPLICATIONS = BATCH * HIDDEN * (2 * PIXELS + 3 * CLASSES)
PARAMETERS = PIXELS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
SIDE, SQUARES = 512, 50  # of the large squares, and how many are multiplied


def main() -> None:
    """Print the seconds of the matrix products, and of the square roots and divisions."""
    random = np.random.default_rng(0)
    square = random.random((SIDE, SIDE), np.float32)
    product = np.empty_like(square)
    seconds = _fastest(lambda: np.matmul(square, square, out=product), SQUARES)
    print(f"products {seconds / SQUARES * STEPS * MULTIPLICATIONS / SIDE**3:.4f}")

    moment, weights = random.random((2, PARAMETERS), np.float32)
    root = np.empty_like(moment)

    def update() -> None:
        np.sqrt(moment, out=root)
        np.divide(weights, root, out=root)

    print(f"update {_fastest(update, STEPS):.4f}")


def _fastest(work: Callable[[], object], times: int) -> float:
    """Return the seconds of the processor that so many calls take, the fewest of five tries."""
    return min(repeat(work, number=times, timer=time.process_time))


if __name__ == "__main__":
    command.run(main)
