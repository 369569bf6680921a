"""How fast `python -m tools.predict` is, and how far it sees through what may be done to a picture.

    python -m benchmarks.predict [RUNS]        or: as a part of make bench

Takes the test images, the networks and their predictions from the workspace, as `dvc repro` leaves them; writes
predict.md and predict.json beside this module. Nothing passes or fails by the clock.
"""

import csv
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import measure, recipes, strangers
from benchmarks.disguises import DISGUISES, Encoded, encoded
from core.cli import command
from core.files import arrays, atomic, class_names
from stages.evaluate.familiarity import spread
from tools import scratch
from tools.predict import classify, run

FOLDER = scratch.CHECKOUT / "build" / "predict"
DIGITS = FOLDER / "digits"  # the pipeline on MNIST, recipe R3
RESULTS = Path(__file__).parent
PREDICT = [sys.executable, "-m", "tools.predict", "--format", "csv"]
DISGUISED = 200  # test images, the first ones


def main(runs: int = 3) -> None:
    """Time it on all test images, classify the first of them in each disguise, and those of MNIST by its networks; and
    show the networks what they should not know.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    scratch.copy(DIGITS, recipes.RECIPES["R3"][1])
    measure.run([sys.executable, "-m", "dvc", "repro", "evaluate"], DIGITS)
    places = {"of the workspace": scratch.CHECKOUT, "of MNIST, by networks of recipe R3": DIGITS}
    results = {
        "machine": measure.machine(),
        **_timed(list(_grey(_test_images(scratch.CHECKOUT))), runs),
        "disguises": {name: _disguised(place) for name, place in places.items()},
        "strangers": _strangers(),
    }
    atomic.write_json(RESULTS / "predict.json", results)
    atomic.write_text(RESULTS / "predict.md", _page(results))
    print(_page(results))


def _test_images(place: Path) -> np.ndarray:
    return arrays.read(place / run.TEST, np.float32, 3)


def _grey(images: np.ndarray) -> Iterator[np.ndarray]:
    return (np.rint(each * 255).astype(np.uint8) for each in images)


def _timed(images: list[np.ndarray], runs: int) -> dict[str, Any]:
    folder = FOLDER / "all"
    _write(folder, images, lambda image: encoded(Image.fromarray(image)))
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


def _disguised(place: Path) -> dict[str, dict[str, float]]:
    """Return, for each disguise, shares of images: same as what data/predictions says, of the true class, unlike."""
    images = list(_grey(_test_images(place)[:DISGUISED]))
    predicted = arrays.read(place / "data/predictions/probabilities.npy", np.float32, 3)
    labels = arrays.read(place / run.TEST.with_name("labels.npy"), np.uint8, 1)[:DISGUISED]
    classes = class_names.read(place / classify.CLASSES)
    expected = [(classes[each.argmax()], float(str(each.max()))) for each in predicted[:, :DISGUISED].mean(axis=0)]
    folder = FOLDER / f"{place.name} disguised"
    for number, disguise in enumerate(DISGUISES.values()):
        _write(folder / f"{number:02}", images, disguise)
    environment = {"PYTHONPATH": str(scratch.CHECKOUT)}  # where the tools are
    rows = list(csv.DictReader(line for _, line in measure.run([*PREDICT, str(folder)], place, environment).lines))
    found = {}
    for number, name in enumerate(DISGUISES):
        of_disguise = rows[number * DISGUISED :][:DISGUISED]
        named = [(row["class"], float(row["probability"])) for row in of_disguise]
        found[name] = {
            "same_probability": np.mean([a == b for a, b in zip(named, expected, strict=True)]),
            "same_class": np.mean([a[0] == b[0] for a, b in zip(named, expected, strict=True)]),
            "accuracy": np.mean([a[0] == classes[label] for a, label in zip(named, labels, strict=True)]),
            "unlike": np.mean([row["unlike_training"] == "true" for row in of_disguise]),
        }
    return {name: {score: round(float(share), 4) for score, share in each.items()} for name, each in found.items()}


def _strangers() -> dict[str, dict[str, tuple[float, float]]]:
    train = arrays.read(run.TEST.parents[1] / "train/images.npy", np.float32, 3)
    return strangers.measure(
        classify.load().networks,
        arrays.pick(train, spread(len(train), strangers.REFERENCES)),
        *(np.array(_test_images(place)[: strangers.IMAGES]) for place in (scratch.CHECKOUT, DIGITS)),
    )


def _write(folder: Path, images: list[np.ndarray], disguise: Callable[[np.ndarray], Encoded]) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        content, suffix = disguise(image)
        (folder / f"{number:05}.{suffix}").write_bytes(content)


def _page(results: dict[str, Any]) -> str:
    one, every = (measure.summary(results[key]) for key in ("seconds_of_one", "seconds_of_all"))
    rate = measure.summary(results["pictures_a_second"], 0)
    kinds = list(next(iter(results["strangers"].values())))
    flagged = [
        [score, *(f"{each[kind][0]:.3f}, {each[kind][1]:.0%}" for kind in kinds)]
        for score, each in results["strangers"].items()
    ]
    return (
        f"Made by `python -m benchmarks.predict` on {results['machine']}. Medians of {len(results['seconds_of_one'])} "
        "runs, in brackets the smallest and the largest.\n\n"
        f"- one picture: {one} s, {results['peak_mb_of_one']} MB\n"
        f"- a folder of {results['pictures']:,} small PNGs: {every} s, {results['peak_mb_of_all']} MB; "
        f"after the start {rate} a second\n\n"
        + "".join(_disguises(name, each) for name, each in results["disguises"].items())
        + "## Pictures unlike the training images\n\n"
        "How well each score tells such pictures from the test images of the workspace: the area under the ROC curve "
        "(1 is perfect, 0.5 is chance), and the share that is flagged where 1 % of the test images are.\n\n"
        + measure.table(["score", *kinds], flagged)
    )


def _disguises(name: str, disguises: dict[str, dict[str, float]]) -> str:
    columns = ["disguise", "same class", "same probability, to the last digit", "right", "flagged as unlike"]
    rows = [
        [disguise, *(f"{each[score]:.1%}" for score in ("same_class", "same_probability", "accuracy", "unlike"))]
        for disguise, each in disguises.items()
    ]
    return (
        f"## Test images {name}\n\nThe first {DISGUISED}, by what was done to them; same as what is said of the image "
        f"itself:\n\n{measure.table(columns, rows)}\n"
    )


if __name__ == "__main__":
    command.run(main)
