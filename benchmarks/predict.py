"""How fast `python -m tools.predict` is, and how far it sees through what may be done to a picture.

    python -m benchmarks.predict [RUNS]        or: as a part of make bench

Takes the test images, the networks and their predictions from the workspace, as `dvc repro` leaves them; writes
predict.md and predict.json beside this module. Nothing passes or fails by the clock.
"""

import csv
import io
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from benchmarks import measure
from stages import arrays, atomic, command
from tools import scratch
from tools.predict import classify, run

FOLDER = scratch.CHECKOUT / "build" / "predict"
RESULTS = Path(__file__).parent
PREDICT = [sys.executable, "-m", "tools.predict", "--format", "csv"]
DISGUISED = 1000  # test images, the first ones

Encoded = tuple[bytes, str]  # a file, and the end of its name


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> Encoded:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue(), kind.lower()


def _enlarged(image: Image.Image) -> Image.Image:
    return image.resize((280, 280), Image.Resampling.BICUBIC)


def _on_page(image: Image.Image) -> Image.Image:
    """Dark on a white page, not square, and not in its middle."""
    page = Image.new("L", (500, 400), 255)
    page.paste(ImageOps.invert(_enlarged(image)), (170, 90))
    return page


def _cut_out(image: Image.Image) -> Image.Image:
    """Dark, and transparent where there is nothing; the colour beneath is any."""
    large = np.asarray(_enlarged(image))
    alpha = np.where(large > 8, 255, 0).astype(np.uint8)
    return Image.merge("RGBA", [Image.fromarray(255 - large)] * 3 + [Image.fromarray(alpha)])


def _turned(image: Image.Image) -> Encoded:
    """On its side, with the tag that says so."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return _encoded(_on_page(image).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=tags)


DISGUISES: Mapping[str, Callable[[Image.Image], Encoded]] = {
    "none: a grey PNG of 28x28 pixels": _encoded,
    "inverted: dark on light": lambda image: _encoded(ImageOps.invert(image)),
    "ten times as large": lambda image: _encoded(_enlarged(image)),
    "in 16 bits": lambda image: _encoded(Image.fromarray(np.asarray(_enlarged(image)).astype(np.uint16) * 257)),
    "on a white page, in a corner of it": lambda image: _encoded(_on_page(image)),
    "the same as WebP": lambda image: _encoded(_on_page(image), "WEBP", quality=80),
    "the same as JPEG, on its side with a tag": _turned,
    "cut out, the rest transparent": lambda image: _encoded(_cut_out(image)),
}


def main(runs: int = 3) -> None:
    """Time it on all test images, and classify the first of them in each disguise."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    images = [Image.fromarray(np.rint(each * 255).astype(np.uint8)) for each in arrays.read(run.TEST, np.float32, 3)]
    taken = _timed(images, runs)
    results = {"machine": measure.machine(), "pictures": len(images), **taken, "disguises": _disguised(images)}
    atomic.write_json(RESULTS / "predict.json", results)
    atomic.write_text(RESULTS / "predict.md", _page(results))
    print(_page(results))


def _timed(images: list[Image.Image], runs: int) -> dict[str, Any]:
    folder = FOLDER / "all"
    _write(folder, images, _encoded)
    one, every = [], []
    for _ in range(runs):
        one.append(measure.run([*PREDICT, "test:0"], scratch.CHECKOUT))
        every.append(measure.run([*PREDICT, str(folder)], scratch.CHECKOUT))
    rates = [len(images) / (many.seconds - few.seconds) for few, many in zip(one, every, strict=True)]
    return {
        "seconds_of_one": [round(each.seconds, 2) for each in one],
        "seconds_of_all": [round(each.seconds, 2) for each in every],
        "pictures_a_second": [round(rate) for rate in rates],
        "peak_mb_of_one": round(median(each.peak_mb for each in one)),
        "peak_mb_of_all": round(median(each.peak_mb for each in every)),
    }


def _disguised(images: list[Image.Image]) -> dict[str, dict[str, float]]:
    """Return, for each disguise, shares of images: same as what data/predictions says, of the true class, unlike."""
    probabilities = arrays.read(Path("data/predictions/probabilities.npy"), np.float32, 3)[:, :DISGUISED].mean(axis=0)
    labels = arrays.read(run.TEST.with_name("labels.npy"), np.uint8, 1)[:DISGUISED]
    classes = arrays.read_classes(classify.CLASSES)
    expected = [(classes[each.argmax()], float(str(each.max()))) for each in probabilities]
    found = {}
    for number, (name, disguise) in enumerate(DISGUISES.items()):
        folder = FOLDER / str(number)
        _write(folder, images[:DISGUISED], disguise)
        printed = measure.run([*PREDICT, str(folder)], scratch.CHECKOUT).lines
        rows = list(csv.DictReader(line for _, line in printed))
        named = [(row["class"], float(row["probability"])) for row in rows]
        found[name] = {
            "same_probability": np.mean([a == b for a, b in zip(named, expected, strict=True)]),
            "same_class": np.mean([a[0] == b[0] for a, b in zip(named, expected, strict=True)]),
            "accuracy": np.mean([a[0] == classes[label] for a, label in zip(named, labels, strict=True)]),
            "unlike": np.mean([row["unlike_training"] == "true" for row in rows]),
        }
    return {name: {score: round(float(share), 4) for score, share in each.items()} for name, each in found.items()}


def _write(folder: Path, images: list[Image.Image], disguise: Callable[[Image.Image], Encoded]) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        content, suffix = disguise(image)
        (folder / f"{number:05}.{suffix}").write_bytes(content)


def _page(results: dict[str, Any]) -> str:
    columns = ["disguise", "same class", "same probability, to the last digit", "right", "said to be unlike"]
    rows = [
        [name, *(f"{each[score]:.1%}" for score in ("same_class", "same_probability", "accuracy", "unlike"))]
        for name, each in results["disguises"].items()
    ]
    one, every = (measure.summary(results[key]) for key in ("seconds_of_one", "seconds_of_all"))
    rate = measure.summary(results["pictures_a_second"], 0)
    return (
        f"Made by `python -m benchmarks.predict` on {results['machine']}. Medians of {len(results['seconds_of_one'])} "
        "runs, in brackets the smallest and the largest.\n\n"
        f"- one picture: {one} s, {results['peak_mb_of_one']} MB\n"
        f"- a folder of {results['pictures']:,} small PNGs: {every} s, {results['peak_mb_of_all']} MB; "
        f"after the start {rate} a second\n\n"
        f"The first {DISGUISED:,} test images, by what was done to them; same as what is said of the image itself:\n\n"
        + measure.table(columns, rows)
    )


if __name__ == "__main__":
    command.run(main)
