"""Score the networks.

Reads the networks, training.json, and the training and test images. Writes the probabilities of the test images, and of
one test image predicted alone; the reference of out-of-distribution scores; metrics.json and ensemble.json; and tables
for `dvc plots`, of the ensemble's predictions, the calibration and the scores of each class.
"""

from functools import partial
from pathlib import Path

from core.cli import command  # before any package, so that a python without packages ends in one line

# isort: split
import numpy as np

from core.config import params
from core.files import arrays, atomic, class_names
from core.scores import ensemble as ensembles
from core.scores import metrics as reported
from core.scores import scores, tables


def main(
    train: Path,
    test: Path,
    classes: Path,
    model: Path,
    training: Path,
    probabilities: Path,
    reference: Path,
    ensemble: Path,
    predictions: Path,
    reliability: Path,
    by_class: Path,
    metrics: Path,
) -> None:
    """Predict all images in batches, and score the predictions."""
    settings = params.section(params.Evaluate)
    # TensorFlow takes seconds to start: a wrong param need not wait for it, and Ctrl-C ends it in one line.
    from core.networks import models
    from stages.evaluate import out_of_distribution, prediction

    names = class_names.read(classes)
    splits = {"train": arrays.read_split(train, len(names)), "test": arrays.read_split(test, len(names))}
    trained = models.read(model, training, names, splits["train"].images.shape[1:])
    single = prediction.batch_of_one(splits["test"].images, settings.single_image)
    networks = [prediction.with_views(network, settings) for network in trained]
    predict = partial(prediction.predict, networks, batch_size=settings.batch_size)
    labels, path = splits["test"].labels, probabilities / "probabilities.npy"
    # The predictions appear only when all scores are known, so an error leaves all files as they were.
    with prediction.storing(path, (len(trained), len(labels), len(names))) as stored:
        predicted = {"train": predict(splits["train"].images), "test": stored(predict(splits["test"].images))}
        tallies = {
            name: scores.tally(ensembles.appended(predicted[name]), split.labels, len(names))
            for name, split in splits.items()
        }
        train_tally, test_tally = (tally.networks(slice(len(trained))) for tally in tallies.values())
        together = ensembles.of(tallies["test"].networks(slice(len(trained), None)))
        summary, of_classes = reported.of(train_tally, test_tally, together), scores.of_classes(test_tally, names)
        measured = out_of_distribution.measure(trained, splits["train"].images, batch_size=settings.batch_size)
    out_of_distribution.write(reference, measured)
    arrays.write(probabilities / "single_image.npy", next(predict(single))[:, 0])
    ensembles.write(ensemble, together)
    rows = tables.confusion(ensembles.predictions(arrays.read(path, np.float32, 3)), labels, names)
    atomic.write_csv(predictions, tables.CONFUSION, rows)
    atomic.write_csv(reliability, tables.RELIABILITY, tables.reliability(test_tally.reliability()))
    images = np.bincount(labels, minlength=len(names)).tolist()
    atomic.write_csv(by_class, tables.CLASSES, tables.classes(of_classes, images))
    reported.write(metrics, summary)
    for name, found in [*summary, ("ensemble", together)]:
        print(f"{name}: accuracy {found.accuracy:.4f}, loss {found.loss:.4f}")


if __name__ == "__main__":
    command.run(main)
