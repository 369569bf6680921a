"""The results of the other stages, from which the report is made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.files import arrays, records
from core.files.arrays import Split
from core.files.preparation import Preparation
from core.files.training import Training
from core.scores import ensemble, intervals, scores
from core.scores.ensemble import Ensemble
from core.scores.metrics import Scores
from core.sources.datasets import Card
from stages.render.document import Table, decimal, interval


class Results(NamedTuple):
    """Everything that the report may show.

    settings: values of params.yaml by their full names; validation: the images for it that the publisher provides, if
    any; negative: whether figures exchange light and dark; probabilities: float32 (replicates, test images, classes);
    together: of the ensemble, float32 (test images, classes); single: the index of a test image, and the probabilities
    of the ensemble when it is predicted alone, float32 (classes,); history: the table of history.csv; ensemble: the
    scores of the ensemble; metrics: the scores that `measured` returns. One replicate is its own ensemble.
    """

    settings: Mapping[str, object]
    card: Card
    classes: list[str]
    preparation: Preparation
    train: Split
    validation: Split | None
    test: Split
    negative: bool
    probabilities: np.ndarray
    together: np.ndarray
    single: tuple[int, np.ndarray]
    history: np.ndarray
    training: Training
    ensemble: Ensemble
    metrics: Mapping[str, Any]

    @property
    def replicates(self) -> int:
        return len(self.probabilities)

    @property
    def predictor(self) -> str:
        """What predicts the classes that the report shows."""
        return f"ensemble of {self.replicates} networks" if self.replicates > 1 else "one network"

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that the data set has."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split}

    def for_figures(self, images: np.ndarray) -> np.ndarray:
        """Return images as figures show them: a set that is white on black is dark on white paper."""
        return 1 - images if self.negative else images

    def test_images(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the test images with these indices as figures show them."""
        return self.for_figures(arrays.pick(self.test.images, np.asarray(indices)))

    def table(self, head: str, names: Mapping[str, str]) -> Table:
        """Return a table of scores of the test images, with their intervals where they are known.

        It has one network on average, with the standard deviation over the replicates, and the ensemble, if there are
        several networks. head: of the first column. names: of each score.
        """
        test, together = self.metrics["test"], self.ensemble.model_dump()
        if self.replicates == 1:
            return Table([head, "value"], [[name, _scored(together, score)] for score, name in names.items()])
        rows = [
            [name, _scored(test, score), decimal(test[f"{score}_std"]), _scored(together, score)]
            for score, name in names.items()
        ]
        columns = ["one network: mean", "standard deviation", self.predictor]
        return Table([head, *columns], rows)


def _scored(scores: Mapping[str, float], name: str) -> str:
    """Return a score, with its interval if it has one."""
    ends = [scores[f"{name}_{end}"] for end in ("low", "high") if f"{name}_{end}" in scores]
    return decimal(scores[name]) + (f" ({interval(*ends)})" if ends else "")


def votes(probabilities: np.ndarray) -> np.ndarray:
    """Return how many replicates predict each class, int64 (n, classes), from float (replicates, n, classes)."""
    classes = np.arange(probabilities.shape[2])
    return (probabilities.argmax(axis=2)[..., None] == classes).sum(axis=0)


def read_predictions(folder: Path, images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of all test images, float32 (replicates, images, classes), and of the single image,
    float32 (replicates, classes).

    Raises DataError if the numbers of images, classes and networks differ, or if a probability is not finite.
    """
    paths = folder / "probabilities.npy", folder / "single_image.npy"
    probabilities, alone = arrays.read(paths[0], np.float32, 3), arrays.read(paths[1], np.float32, 2)
    expected = (len(probabilities), images, classes), (len(probabilities), classes)
    for path, array, shape in zip(paths, (probabilities, alone), expected, strict=True):
        if array.shape != shape:
            raise records.damaged(path, "not the predictions for these test images", str(shape), str(array.shape))
        if not np.isfinite(array).all():
            raise records.damaged(path, "not probabilities", "finite numbers", "NaN or infinity")
    return probabilities, alone


def measured(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], train: Scores) -> dict[str, Any]:
    """Return all scores of the report: `train`, `test`, `gap` (how much better `train` is), `classes`, `confusion` and
    `reliability`.

    probabilities: float (replicates, n, classes); labels: integer (n,). `test` is `scores.summary` with `accuracy_low`
    and `accuracy_high`, the 95 % interval of the test accuracy for the choice of test images. `classes` is
    `scores.of_classes`. `confusion` is the confusion matrix of each replicate, then of the ensemble, int64
    (replicates + 1, classes, classes); `reliability` has the bins of each replicate, then of the ensemble.
    """
    whole = scores.tally(ensemble.appended([probabilities]), labels, len(classes))
    tally = whole.networks(slice(len(probabilities)))
    test = scores.summary(tally, "test")
    low, high = intervals.wilson(test["accuracy"], len(labels))
    return {
        "train": {"accuracy": train.accuracy, "loss": train.loss},
        "test": test | {"accuracy_low": float(low), "accuracy_high": float(high)},
        "gap": {"accuracy": train.accuracy - test["accuracy"], "loss": test["loss"] - train.loss},
        "classes": scores.of_classes(tally, classes),
        "confusion": whole.confusion,
        "reliability": whole.reliability(),
    }
