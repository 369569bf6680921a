"""The shortest time that an epoch of R1 can take on one core of this machine: python -m benchmarks.floor

Prints two numbers of seconds: for the matrix products of R1, and for the memory traffic of Adam's state. numpy measures
both; the library of its products is tuned for the processor.
"""

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from timeit import repeat

import numpy as np

from core.cli import command

IMAGES, BATCH, PIXELS, HIDDEN, CLASSES = 60_000, 32, 784, 128, 10
STEPS = IMAGES // BATCH
# A step has three products of the output layer, and two of the hidden layer, which needs no gradient of the pixels.
PRODUCTS = [
    ((BATCH, PIXELS), (PIXELS, HIDDEN)),
    ((PIXELS, BATCH), (BATCH, HIDDEN)),
    ((BATCH, HIDDEN), (HIDDEN, CLASSES)),
    ((HIDDEN, BATCH), (BATCH, CLASSES)),
    ((BATCH, CLASSES), (CLASSES, HIDDEN)),
]
PARAMETERS = PIXELS * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
# Adam reads weights, gradient and two moments, and writes all but the gradient: seven arrays of float32.
TRAFFIC = 7 * 4 * PARAMETERS


def main() -> None:
    """Print the seconds of the matrix products and of the memory traffic, the fastest of five tries each."""
    random = np.random.default_rng(0)
    pairs = [tuple(random.random(shape, np.float32) for shape in shapes) for shapes in PRODUCTS]
    results = [np.empty((left.shape[0], right.shape[1]), np.float32) for left, right in pairs]
    source = np.ones(TRAFFIC // 8, np.float32)  # a copy reads and writes
    target = np.empty_like(source)

    def products() -> None:
        for (left, right), result in zip(pairs, results, strict=True):
            np.matmul(left, right, out=result)

    print(f"products {min(repeat(products, number=STEPS)):.4f}")
    print(f"traffic {min(repeat(lambda: np.copyto(target, source), number=STEPS)):.4f}")


if __name__ == "__main__":
    command.run(main)
