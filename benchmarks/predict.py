"""The speed of `python -m tools.predict`, its accuracy on corrupted pictures, and its out-of-distribution score.

    python -m benchmarks.predict [RUNS]

Uses the test images, the networks and their predictions that `dvc repro` left in the workspace. Writes predict.md and
predict.json.
"""

import csv
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import measure, out_of_distribution
from benchmarks.corruptions import CORRUPTIONS, Encoded, encoded
from core.cli import command
from core.files import arrays, class_names
from stages.evaluate.out_of_distribution import evenly_spaced
from tools import pipeline, recipe, scratch
from tools.predict import classify

FOLDER = scratch.CHECKOUT / "build" / "predict"
DIGITS = FOLDER / "digits"  # the pipeline on MNIST, recipe R3
PREDICT = [measure.PYTHON, "-m", "tools.predict", "--format", "csv"]
PLACES = {"of the workspace": scratch.CHECKOUT, "of MNIST, by networks of recipe R3": DIGITS}
CORRUPTED = 200  # test images, the first ones


def main(runs: int = 3) -> None:
    """Measure the speed on all test images, the accuracy on corrupted ones, and the out-of-distribution score."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(DIGITS, recipe.load("R3").params)
    measure.run([*measure.DVC, "repro", "evaluate"], DIGITS)
    results = {
        "machine": measure.machine(),
        **_timed(_grey(scratch.CHECKOUT), runs),
        "corruptions": {name: _corrupted(place) for name, place in PLACES.items()},
        "out_of_distribution": _out_of_distribution(),
    }
    measure.write("predict", results, page(results))


def _test_images(place: Path) -> np.ndarray:
    return arrays.read(place / pipeline.path("test") / "images.npy", np.float32, 3)


def _grey(place: Path) -> np.ndarray:
    """Return the test images as uint8."""
    return np.rint(_test_images(place) * 255).astype(np.uint8)


def _timed(images: np.ndarray, runs: int) -> dict[str, Any]:
    folder = FOLDER / "all"
    _write(folder, images, encoded)
    one, every = [], []
    for _ in range(runs):
        one.append(measure.run([*PREDICT, "test:0"], scratch.CHECKOUT))
        every.append(measure.run([*PREDICT, str(folder)], scratch.CHECKOUT))
    rates = [len(images) / (many.seconds - few.seconds) for few, many in zip(one, every, strict=True)]
    return {
        "pictures": len(images),
        "seconds_of_one": [round(each.seconds, 2) for each in one],
        "seconds_of_all": [round(each.seconds, 2) for each in every],
        "pictures_a_second": [round(rate) for rate in rates],
        "peak_mb_of_one": round(median(each.peak_mb for each in one)),
        "peak_mb_of_all": round(median(each.peak_mb for each in every)),
    }


def _corrupted(place: Path) -> dict[str, dict[str, float]]:
    """Return shares of the test images, by corruption. "Same" compares with data/predictions."""
    images = _grey(place)[:CORRUPTED]
    predicted = arrays.read(place / "data/predictions/probabilities.npy", np.float32, 3)[:, :CORRUPTED].mean(axis=0)
    labels = arrays.read(place / pipeline.path("test") / "labels.npy", np.uint8, 1)[:CORRUPTED]
    classes = np.array(class_names.read(place / pipeline.path("classes.json")))
    folder = FOLDER / f"{place.name} corrupted"
    for number, corruption in enumerate(CORRUPTIONS.values()):
        _write(folder / f"{number:02}", images, corruption)
    printed = measure.run([*PREDICT, str(folder)], place, {"PYTHONPATH": str(scratch.CHECKOUT)}).lines
    rows = list(csv.DictReader(line for _, line in printed))
    found = {}
    for number, name in enumerate(CORRUPTIONS):
        of_corruption = rows[number * CORRUPTED :][:CORRUPTED]
        named, probabilities = (np.array([row[key] for row in of_corruption]) for key in ("class", "probability"))
        same = named == classes[predicted.argmax(axis=1)]
        shares = {
            "same_class": same,
            "same_probability": same & (probabilities.astype(np.float32) == predicted.max(axis=1)),
            "accuracy": named == classes[labels],
            "unlike": [row["unlike_training"] == "true" for row in of_corruption],
        }
        found[name] = {score: round(float(np.mean(values)), 4) for score, values in shares.items()}
    return found


def _out_of_distribution() -> dict[str, dict[str, tuple[float, float]]]:
    train = arrays.read(scratch.CHECKOUT / pipeline.path("train") / "images.npy", np.float32, 3)
    test, others = (np.array(_test_images(place)[: out_of_distribution.IMAGES]) for place in (scratch.CHECKOUT, DIGITS))
    references = arrays.pick(train, evenly_spaced(len(train), out_of_distribution.REFERENCES))
    return out_of_distribution.measure(classify.load().networks, references, test, others)


def _write(folder: Path, images: Iterable[np.ndarray], corruption: Callable[[np.ndarray], Encoded]) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        content, suffix = corruption(image)
        (folder / f"{number:05}.{suffix}").write_bytes(content)


def page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    one, every = (measure.summary(results[key]) for key in ("seconds_of_one", "seconds_of_all"))
    rate = measure.summary(results["pictures_a_second"], 0)
    rows = [
        [score, *(f"{area:.3f}, {flagged:.0%}" for area, flagged in map(of_kind.get, out_of_distribution.KINDS))]
        for score in [*out_of_distribution.SCORES, out_of_distribution.PIXELS]
        for of_kind in [results["out_of_distribution"][score]]
    ]
    return (
        f"Made by `python -m benchmarks.predict` on {results['machine']}. Medians of {len(results['seconds_of_one'])} "
        "runs, with the smallest and the largest value in brackets.\n\n"
        f"- one picture: {one} s, {results['peak_mb_of_one']} MB\n"
        f"- a folder of {results['pictures']:,} small PNGs: {every} s, {results['peak_mb_of_all']} MB; "
        f"after the start {rate} a second\n\n"
        + "".join(_corruptions(name, results["corruptions"][name]) for name in PLACES)
        + "## Out-of-distribution pictures\n\n"
        "How well each score separates such pictures from the test images of the workspace: the area under the ROC "
        "curve (1 is perfect, 0.5 is chance), and the share that is flagged if 1 % of the test images are.\n\n"
        + measure.table(["score", *out_of_distribution.KINDS], rows)
    )


def _corruptions(name: str, found: dict[str, dict[str, float]]) -> str:
    columns = ["corruption", "same class", "same probability, to the last digit", "right", "flagged as unlike"]
    scores = ("same_class", "same_probability", "accuracy", "unlike")
    rows = [[corruption, *(f"{found[corruption][score]:.1%}" for score in scores)] for corruption in CORRUPTIONS]
    return (
        f"## Test images {name}\n\nThe first {CORRUPTED} test images, by corruption. The same class or probability is "
        f"that of the image itself.\n\n{measure.table(columns, rows)}\n"
    )


if __name__ == "__main__":
    command.run(main)
