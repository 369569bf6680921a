"""What normalize, evaluate and train take as the images become more than many a machine has memory for.

    python -m benchmarks.growth [MOST]        or: as a part of make bench

Draws data sets of up to MOST images, two million unless told, half of them to train on and half to test on, in
build/growth, 8 GB of disk at the most, and deletes them. Writes growth.md, growth.json and growth.png beside this
module. Two kinds of memory are measured, each at its peak: all of a process that is in memory, as the kernel keeps it
(VmHWM), in which libraries and mapped files count; and what is the process's own and in no file (RssAnon, looked at
fifty times a second), which is what it denies to others, as the rest can be dropped and read again.
"""

import gzip
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import measure
from core.config import datasets
from core.files import atomic
from stages.render import style
from tools import scratch

FOLDER = scratch.CHECKOUT / "build" / "growth"
RESULTS = Path(__file__).parent
PYTHON = sys.executable
MOST = 2_000_000
PARTS = (8, 4, 2, 1)  # which parts of the most images are measured
MOST_HELD = 500_000  # training images that are held in memory: 3 GB of it
DATASET = "garments"  # one whose archives are pinned by no checksum
PIECE = 5_000  # images that are drawn once, and come again and again

SPLITS = ["data/normalized/train", "data/normalized/test"]
NORMALIZE = [PYTHON, "-m", "stages.normalize", "data/raw", *SPLITS, "data/normalized/classes.json"]
TRAIN = [PYTHON, "-m", "stages.train", SPLITS[0], "data/normalized/classes.json"]
EVALUATE = [PYTHON, "-m", "stages.evaluate", *SPLITS, "data/normalized/classes.json", "data/model"]
EVALUATE += ["data/training.json", "data/predictions", "data/familiarity"]
EVALUATE += [f"reports/{name}" for name in ("predictions.csv", "reliability.csv", "classes.csv", "metrics.json")]
FITTED = ["data/model", "data/training.json", "reports/history.csv"]  # what evaluate takes for all sizes
THROWN_AWAY = [f"build/{name}" for name in FITTED]
# The commands that are measured, in the order of their columns.
STAGES = ("normalize", "evaluate", "train", "train, streamed")

Row = dict[str, Any]


def main(most: int = MOST) -> None:
    """Measure each size, and write the results."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(FOLDER, {"dataset.name": DATASET, "train.epochs": 1})
    rows = [row(most // part) for part in PARTS]
    shutil.rmtree(FOLDER)
    results = {"machine": measure.machine(), "rows": rows}
    atomic.write_json(RESULTS / "growth.json", results)
    atomic.write_text(RESULTS / "growth.md", page(results))
    atomic.write_bytes(RESULTS / "growth.png", style.png(lambda: draw(rows), dpi=100))
    print(page(results))


def row(images: int) -> Row:
    """Return what each stage takes on that many images, half of them the training ones."""
    entry = datasets.entry(DATASET)
    for role, name in entry.files().items():
        shape = (images // 2, *entry.image_shape) if role.endswith("images") else (images // 2,)
        write_archive(FOLDER / "data/raw" / name, shape, len(entry.classes))
    atomic.write_json(FOLDER / "data/raw" / datasets.CLASSES, entry.classes)
    taken: Row = {"images": images, "normalize": _measured(NORMALIZE)}
    if not (FOLDER / FITTED[0]).exists():
        measure.run([*TRAIN, *FITTED], FOLDER)
        scratch.write_params(FOLDER, {"dataset.name": DATASET, "train.epochs": 1, "train.replicates": 1})
    taken["evaluate"] = _measured(EVALUATE)
    if images // 2 <= MOST_HELD:
        taken["train"] = _measured([*TRAIN, *THROWN_AWAY], MEMORY_LIMIT_MB="999999")
    taken["train, streamed"] = _measured([*TRAIN, *THROWN_AWAY], MEMORY_LIMIT_MB="1")
    print(taken, flush=True)
    return taken


def write_archive(path: Path, shape: tuple[int, ...], classes: int) -> None:
    """Write an IDX archive of that shape: labels of all classes in turn, (n,), or noise, (n, height, width).

    A piece is compressed once and put down again and again: gzip files one after the other are one (RFC 1952, 2.2).
    """
    images, *rest = shape
    noise = np.random.default_rng(0).integers(0, 64, (PIECE, *rest)) * 4
    piece = (noise if rest else np.arange(PIECE) % classes).astype(np.uint8)
    compressed = gzip.compress(piece.tobytes(), 1, mtime=0)
    with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape), mtime=0))
        for _ in range(images // PIECE):
            file.write(compressed)
        file.write(gzip.compress(piece[: images % PIECE].tobytes(), 1, mtime=0))


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    cells = [[f"{row['images']:,}", *(_cell(row.get(name)) for name in STAGES)] for row in results["rows"]]
    return (
        "# Growth\n\nMade by `python -m benchmarks.growth`, which says what is measured: seconds, then the peak of the "
        "memory that is the process's own, and in brackets with libraries and mapped files. Half of the images are "
        "training images, half test images; evaluate has five networks, train fits one for one epoch, its images in "
        "memory or streamed from their file.\n\n"
        f"{results['machine']}.\n\n{measure.table(['images', *STAGES], cells)}\n![Seconds and memory](growth.png)\n"
    )


def draw(rows: list[Row]) -> Figure:
    """Draw seconds, and beside them memory, against images, a line for each stage."""
    figure = style.empty(4)
    seconds, memory = figure.subplots(1, 2)
    for name in STAGES:
        there = [row for row in rows if name in row]
        images = [row["images"] / 1e6 for row in there]
        seconds.plot(images, [row[name]["seconds"] for row in there], marker="o", label=name)
        memory.plot(images, [row[name]["own_mb"] for row in there], marker="o", label=name)
    for axes, what in ((seconds, "seconds"), (memory, "peak of own memory, MB")):
        axes.set_xlabel("million images")
        axes.set_ylabel(what)
        axes.set_ylim(0)
        axes.grid(alpha=0.3)
    memory.legend(loc="center right")  # where no line goes: three are flat, one ends before the most images
    return figure


def _measured(command: list[str], **environment: str) -> dict[str, float]:
    process = measure.run(command, FOLDER, environment)
    return {
        "seconds": round(process.seconds, 2),
        "own_mb": round(process.own_mb),
        "peak_mb": round(process.peak_mb),
    }


def _cell(taken: dict[str, float] | None) -> str:
    return f"{taken['seconds']:.1f} s, {taken['own_mb']} MB ({taken['peak_mb']})" if taken else ""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
