"""The least time that an epoch of R1 can take on this machine, and how it is worked out.

Prints two numbers, in seconds an epoch on one core: the matrix products at the shapes of R1, and the traffic to memory
of Adam's state; both measured by numpy, whose products come from a library tuned for the processor.

    python -m benchmarks.floor
"""

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from time import perf_counter

import numpy as np

from core.cli import command

IMAGES, BATCH, PIXELS, HIDDEN, CLASSES = 60_000, 32, 784, 128, 10
STEPS = IMAGES // BATCH
# Per step: three products of the hidden layer less that to the pixels, and three of the output layer.
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
    """Print both."""
    print(f"products {products():.4f}")
    print(f"traffic {traffic():.4f}")


def products() -> float:
    """Return the seconds that an epoch's matrix products take, the fastest of five tries."""
    random = np.random.default_rng(0)
    arrays = [tuple(random.random(shape, np.float32) for shape in shapes) for shapes in PRODUCTS]
    results = [np.empty((left.shape[0], right.shape[1]), np.float32) for left, right in arrays]

    def epoch() -> None:
        for _ in range(STEPS):
            for (left, right), result in zip(arrays, results, strict=True):
                np.matmul(left, right, out=result)

    return _fastest(epoch)


def traffic() -> float:
    """Return the seconds that an epoch's traffic of Adam's state takes, by copies of as many bytes."""
    source = np.ones(TRAFFIC // 8, np.float32)  # a copy reads and writes
    target = np.empty_like(source)

    def epoch() -> None:
        for _ in range(STEPS):
            np.copyto(target, source)

    return _fastest(epoch)


def _fastest(function) -> float:
    times = []
    for _ in range(5):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    command.run(main)
