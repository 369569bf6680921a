"""The time and memory of the stage `download` on the same images in each format.

    python -m benchmarks.formats [RUNS]

Uses the images that `dvc repro` left in data/raw. Writes them in each format to build/formats, which takes some hundred
megabytes for Fashion-MNIST, and deletes them at the end. Parquet needs pyarrow. Writes formats.md and formats.json.
"""

import csv
import gzip
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.corruptions import encoded
from core.cli import command
from core.files import arrays, atomic, class_names
from core.files.arrays import Split
from tools import pipeline, scratch

FOLDER = scratch.CHECKOUT / "build" / "formats"
FILES = FOLDER / "files"
MADE = FOLDER / "raw"
PREFIXES = {"train": "train", "test": "t10k"}  # of the files of MNIST
Splits = dict[str, Split]  # the images are uint8


def main(runs: int = 3) -> None:
    """Measure each layout, and write the results."""
    raw = scratch.CHECKOUT / pipeline.path("raw")
    splits = {split: arrays.read_split(raw / split, dtype=arrays.RAW) for split in PREFIXES}
    names = _folder_names()
    rows = []
    for layout, (format, make) in LAYOUTS.items():
        shutil.rmtree(FOLDER, ignore_errors=True)
        FILES.mkdir(parents=True)
        make(splits)
        card = {"title": layout, "description": layout, "licence": "none", "classes": names, "format": format}
        atomic.write_json(FOLDER / "card.yaml", card)  # JSON is YAML
        rows.append({"layout": layout, **_measured(splits, raw, runs)})
        print(rows[-1], flush=True)
    shutil.rmtree(FOLDER)
    results = {"machine": measure.machine(), "images": sum(len(each.labels) for each in splits.values()), "rows": rows}
    measure.write("formats", results, page(results))


def _measured(splits: Splits, raw: Path, runs: int) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in FILES.rglob("*") if path.is_file())
    download = [measure.PYTHON, "-m", "stages.download", FOLDER / "card.yaml", FILES, "requirements-pillow.lock", MADE]
    taken = [measure.run(list(map(str, download)), scratch.CHECKOUT) for _ in range(runs)]
    return {
        "mb": round(size / 1e6),
        "seconds": [round(process.seconds, 2) for process in taken],
        "peak_mb": round(median(process.peak_mb for process in taken)),
        "same_bytes": all(
            (MADE / split / name).read_bytes() == (raw / split / name).read_bytes()
            for split in splits
            for name in ("images.npy", "labels.npy")
        ),
    }


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    rows = [
        [
            row["layout"],
            row["mb"],
            measure.summary(row["seconds"]),
            row["peak_mb"],
            "yes" if row["same_bytes"] else "no",
        ]
        for row in results["rows"]
    ]
    columns = ["layout", "MB of files", "seconds", "peak MB", "the bytes of data/raw"]
    return (
        f"# Reading data sets\n\nMade by `python -m benchmarks.formats` on {results['machine']}. The stage `download` "
        f"on {results['images']:,} images; medians, with the smallest and the largest value in brackets. Memory "
        f"is that of the stage itself, not of the processes that decode pictures. Folders have an order of their own."
        f"\n\n{measure.table(columns, rows)}"
    )


def _idx(splits: Splits) -> None:
    for split, (images, labels) in splits.items():
        for name, array in ((f"images-idx{images.ndim}", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            path = FILES / f"{PREFIXES[split]}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=6))


def _npz(splits: Splits) -> None:
    named = {f"{kind}_{split}": array for split in splits for kind, array in zip("xy", splits[split], strict=True)}
    np.savez(FILES / "mine.npz", **named)  # type: ignore[arg-type]  # its stub takes them for its own argument


def _csv(splits: Splits) -> None:
    for split, (images, labels) in splits.items():
        with open(FILES / f"{split}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["label", *(f"pixel{number}" for number in range(images[0].size))])
            writer.writerows([label, *image.ravel().tolist()] for image, label in zip(images, labels, strict=True))


def _parquet(splits: Splits) -> None:
    import pyarrow
    from pyarrow import parquet

    for split, (_, labels) in splits.items():
        pictures = [{"bytes": data, "path": None} for _, data in _encoded({split: splits[split]}, "PNG")]
        parquet.write_table(pyarrow.table({"image": pictures, "label": labels}), FILES / f"{split}.parquet")


def _folder(kind: str) -> Callable[[Splits], None]:
    def make(splits: Splits) -> None:
        for name, data in _encoded(splits, kind):
            (FILES / name).parent.mkdir(parents=True, exist_ok=True)
            (FILES / name).write_bytes(data)

    return make


def _zip(splits: Splits) -> None:
    with zipfile.ZipFile(FILES / "pictures.zip", "w") as file:
        for name, data in _encoded(splits, "PNG"):
            file.writestr(name, data)


def _folder_names() -> list[str]:
    """Return the class names, fit for folders."""
    names = class_names.read(scratch.CHECKOUT / pipeline.path("raw") / "classes.json")
    return [name.replace("/", "-") for name in names]


def _encoded(splits: Splits, kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each image as a picture file."""
    names = _folder_names()
    for split, (images, labels) in splits.items():
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            content, suffix = encoded(image, kind)
            yield f"{split}/{names[label]}/{index:05}.{suffix}", content


LAYOUTS: dict[str, tuple[str, Callable[[Splits], None]]] = {
    "IDX, gzip": ("idx", _idx),
    "npz": ("npz", _npz),
    "CSV": ("csv", _csv),
    "Parquet of PNG": ("parquet", _parquet),
    "zip of PNG": ("pictures", _zip),
    "folder of PNG": ("pictures", _folder("PNG")),
    "folder of JPEG": ("pictures", _folder("JPEG")),
}

if __name__ == "__main__":
    command.run(main)
