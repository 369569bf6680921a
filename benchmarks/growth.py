"""The time and memory of normalize, evaluate and train as the number of images grows.

    python -m benchmarks.growth

Draws data sets of noise in build/growth, from small grey images to large ones in colour, and deletes them. Half of the
images are for training, half for testing. They take up to 8 GB of disk. Writes growth.md and growth.json. Memory is
shown twice: the process's own, which other processes can't have, and in total with libraries and mapped files, which
the system can drop and read again.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from core.cli import command
from core.files import arrays, class_names
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "growth"
MOST = {(28, 28): 2_000_000, (32, 32, 3): 400_000, (224, 224, 3): 8_000}  # images of each shape: 8 GB, and twice 6 GB
PARTS = (8, 4, 2, 1)  # the sizes are MOST divided by these
MOST_HELD = 2 * 10**9  # bytes of training images that are held in memory
CLASSES = [f"class {number}" for number in range(10)]
PIECE = 1_000  # images that are made once and repeated
STAGES = ("normalize", "evaluate", "train", "train, streamed")  # columns

Row = dict[str, Any]


def main() -> None:
    """Measure each shape and size, and write the results."""
    rows = []
    for shape, most in MOST.items():
        scratch.copy(FOLDER, {"train.epochs": 1})
        rows += [row(most // part, shape) for part in PARTS]
    results = {"machine": measure.machine(), "rows": rows}
    shutil.rmtree(FOLDER)
    measure.write("growth", results, page(results))


def row(images: int, shape: Sequence[int]) -> Row:
    """Measure each stage on that many images of a shape, half of them for training."""
    for split in ("train", "test"):
        write_raw(FOLDER / "data/raw" / split, images // 2, shape, len(CLASSES))
    class_names.write(FOLDER / "data/raw/classes.json", CLASSES)
    taken: Row = {"images": images, "shape": list(shape), "normalize": _measured(measure.stage("normalize"))}
    train = measure.stage("train")
    if not (FOLDER / train[-3]).exists():  # evaluate has these networks at each size
        measure.run(train, FOLDER)
        scratch.write_params(FOLDER, {"train.epochs": 1, "train.replicates": 1})
    taken["evaluate"] = _measured(measure.stage("evaluate"))
    train = [*train[:-3], *(f"build/{output}" for output in train[-3:])]
    if images // 2 * math.prod(shape) * 4 <= MOST_HELD:
        taken["train"] = _measured(train, MEMORY_LIMIT_MB="999999")
    taken["train, streamed"] = _measured(train, MEMORY_LIMIT_MB="1")
    print(taken, flush=True)
    return taken


def write_raw(folder: Path, images: int, shape: Sequence[int], classes: int) -> None:
    """Write a split as `download` does: images of noise, which repeat, and labels of all classes in turn."""
    piece = np.random.default_rng(0).integers(0, 256, (PIECE, *shape), np.uint8)
    with arrays.growing(folder / "images.npy", shape, np.uint8) as append:
        for start in range(0, images, PIECE):
            append(piece[: images - start])
    arrays.write(folder / "labels.npy", (np.arange(images) % classes).astype(np.uint8))


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    cells = [
        [f"{row['images']:,}", "x".join(map(str, row["shape"])), *(_cell(row.get(name)) for name in STAGES)]
        for row in results["rows"]
    ]
    return (
        "# Growth\n\nMade by `python -m benchmarks.growth`. Each cell has seconds, the peak of the process's own "
        "memory, and in brackets the peak with libraries and mapped files. Half of the images are training images, "
        "half test images. Evaluate has five networks. Train fits one network for one epoch, with its images in "
        "memory, up to 2 GB, or streamed from their file.\n\n"
        f"{results['machine']}.\n\n{measure.table(['images', 'shape', *STAGES], cells)}"
    )


def _measured(command: list[str], **environment: str) -> dict[str, float]:
    process = measure.run(command, FOLDER, environment)
    megabytes = {"own_mb": round(process.own_mb), "peak_mb": round(process.peak_mb)}
    return {"seconds": round(process.seconds, 2)} | megabytes


def _cell(taken: dict[str, float] | None) -> str:
    return f"{taken['seconds']:.1f} s, {taken['own_mb']} MB ({taken['peak_mb']})" if taken else ""


if __name__ == "__main__":
    command.run(main)
