"""metrics.json: the few scores that two runs are compared by, means over the replicates."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat

from core.files import atomic, records
from core.scores import scores
from core.scores.ensemble import Ensemble
from core.scores.scores import Tally


class Scores(BaseModel):
    """accuracy: a share in [0, 1]; loss: cross-entropy in nats."""

    model_config = ConfigDict(strict=True, frozen=True)

    accuracy: FiniteFloat
    loss: FiniteFloat


class HeldOutScores(Scores):
    """accuracy_std: sample standard deviation over the replicates; ece: expected calibration error, in [0, 1].
    ensemble_accuracy, ensemble_loss: of the replicates together; None in old commits.
    """

    accuracy_std: FiniteFloat
    ece: FiniteFloat
    ensemble_accuracy: FiniteFloat | None = None
    ensemble_loss: FiniteFloat | None = None


class Metrics(BaseModel):
    """The scores of the training images and of the test images."""

    train: Scores
    test: HeldOutScores


def of(train: Tally, test: Tally, ensemble: Ensemble) -> Metrics:
    """Return the metrics of the predictions; the ensemble is scored on the test images.

    Raises DataError if a score is not finite.
    """
    of_train, of_test = scores.summary(train, "train"), scores.summary(test, "test")
    ece = of_test["expected_calibration_error"]
    together = {"ensemble_accuracy": ensemble.accuracy, "ensemble_loss": ensemble.loss}
    return Metrics(train=Scores(**of_train), test=HeldOutScores(**of_test, ece=ece, **together))


def write(path: Path, metrics: Metrics) -> None:
    atomic.write_json(path, metrics.model_dump())


def read(path: Path) -> Metrics:
    """Return the metrics. Raises DataError if the file is damaged."""
    return records.read(path, Metrics.model_validate_json)
